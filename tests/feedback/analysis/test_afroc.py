import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from afloc.feedback.analysis import results
from afloc.feedback.analysis.afroc import rate_lesions
from afloc.feedback.analysis.data_frames import study_frame
from afloc.feedback.analysis.sample import draw_sample
from afloc.feedback.store.store import Store
from afloc.feedback.studies import readings
from afloc.feedback.studies.questions import Question
from afloc.feedback.studies.reference_standard import references
from afloc.feedback.studies.study import Case
from afloc.feedback.studies.study_file import FOLDER, read_study
from afloc.imaging.regions import Box

LESIONS = (Box(0, 0, 100, 100), Box(300, 300, 100, 100))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Two readers in both arms on 24 cases; each positive one has two lesions, of which aided readers find
    more. Study, frame, references, and the rating of each lesion or normal case by arm and reader."""
    demo = read_study(FOLDER / "demo.toml")
    questions = (demo.questions[0], Question("place", "Where?", "regions", ("a", "b", "c", "d"), False))
    cases = tuple(
        Case(f"c{n:02}", "x", "nodule", "fundus", n % 2 == 0, LESIONS * (n % 2 == 0), f"{n}")
        for n in range(24)
    )
    readers = {"R1": "one-code", "R2": "two-code"}
    changed = {"id": "froc", "cases": cases, "repeats": 0, "questions": questions, "readers": readers}
    study = dataclasses.replace(demo, **changed)
    chance, rated = np.random.default_rng(3), {}
    with Store(tmp_path_factory.mktemp("froc")) as store:
        for reader in study.readers:
            readings.give_consent(store, study, reader)
            while slot := readings.next_slot(store, study, reader):
                regions, ratings = [], []
                units = rated.setdefault((slot.arm, reader), {})
                for number, lesion in enumerate(LESIONS if slot.case.truth else ()):
                    units[slot.case.id, number] = -np.inf
                    if chance.random() < (0.9 if slot.arm == "aided" else 0.6):
                        regions.append({"box": [lesion.x + 5, lesion.y, 100, 100]})
                        ratings.append(int(chance.integers(2, 5)))
                        units[slot.case.id, number] = ratings[-1]
                for _ in range(chance.integers(0, 3)):  # beside every lesion
                    regions.append({"box": [700, 50, 40, 40]})
                    ratings.append(int(chance.integers(1, 4)))
                    if not slot.case.truth:
                        units[slot.case.id, -1] = max(ratings[-1], units.get((slot.case.id, -1), 0))
                if not slot.case.truth:
                    units.setdefault((slot.case.id, -1), -np.inf)
                readings.save_reading(
                    store, study, reader, slot.index, {"sure": 3, "place": ratings}, regions
                )
        return study, study_frame(store, study), references(store, study), rated


def test_the_area_is_that_of_lesions_against_normal_cases(found):
    study, frame, known, rated = found
    accuracy = results.analyse(study, frame, known).accuracy
    table = accuracy[accuracy["figure"] == "AFROC"].set_index(["measure", "reader"])
    for (arm, reader), units in rated.items():
        truth = [number >= 0 for _, number in units]
        scores = np.nan_to_num(np.array(list(units.values())), neginf=-1)
        assert table.loc[(arm, reader), "value"] == pytest.approx(roc_auc_score(truth, scores))
        assert table.loc[(arm, reader), ["n_cases", "n_positive"]].tolist() == [36, 24]
    aided, unaided = (table.loc[(arm, ""), "value"] for arm in ("aided", "unaided"))
    assert table.loc[("difference", ""), "value"] == pytest.approx(aided - unaided) and aided > unaided
    assert table.loc[("aided", ""), "low"] < aided < table.loc[("aided", ""), "high"]


def test_the_curve_starts_at_nothing_and_ends_at_all(found):
    study, frame, known, _ = found
    curves = results.analyse(study, frame, known).afroc_curves
    assert set(curves["reader"]) == {"", "R1", "R2"} and set(curves["arm"]) == {"unaided", "aided"}
    for _, part in curves.groupby(["arm", "reader"]):
        ends = part[["false_positive_rate", "true_positive_rate"]].iloc[[0, -1]].to_numpy().tolist()
        assert ends == [[0, 0], [1, 1]]


def test_without_ratings_of_regions_or_normal_cases_there_is_none(found):
    study, frame, known, _ = found
    sample = draw_sample(study, frame)
    assert rate_lesions(frame.drop(columns="region_ratings"), known, sample) is None
    assert rate_lesions(frame.assign(region_ratings=None), known, sample) is None
    positive = {name: each for name, each in known.items() if each.truth}
    assert rate_lesions(frame, positive, sample) is None
    wrong = rate_lesions(frame.assign(region_ratings="[1]"), known, sample)
    assert wrong and all(np.isnan(values).any() for values in wrong.arms.values())
