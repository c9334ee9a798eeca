import dataclasses

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from afloc.errors import DataError
from afloc.feedback.analysis import data_frames, figures, reading_times, results
from afloc.feedback.store.store import Store
from afloc.feedback.studies import readings
from afloc.feedback.studies.reference_standard import references
from afloc.feedback.studies.schedule import schedule


@pytest.fixture
def analysed(filled, study):
    frame = data_frames.study_frame(filled, study)
    return frame, results.analyse(study, frame, references(filled, study))


def test_the_frame_holds_each_reading_that_stands(filled, study, analysed):
    frame, _ = analysed
    assert len(frame) == 3 * 2 * (12 + 3)
    assert frame["q_sure"].between(1, 5).all() and frame["q_remark"].notna().any()
    row = filled.rows("SELECT * FROM answers WHERE kind = 'reading' ORDER BY seq LIMIT 1")[0]
    assert (
        frame.iloc[0]["q_sure"] == row["answers"]["sure"]
        and frame.iloc[0]["seconds"] == row["visible_ms"] / 1000
    )


def test_overview_counts_the_feedback_that_stands(filled):
    table = data_frames.overview(filled)
    assert table["count"].sum() == 11  # of 12, one was withdrawn
    assert set(table["answer"]) == {"yes", "partly", "elsewhere", "absent"}


def test_agreement_is_that_of_the_answers(study, analysed):
    frame, found = analysed
    first = frame[(frame["repeat"] == 0) & (frame["arm"] == "aided")]
    ratings = first.pivot(index="case_id", columns="reader", values="q_sure")
    kappas = {
        (a, b): cohen_kappa_score(ratings[a], ratings[b], labels=range(1, 6), weights="quadratic")
        for a, b in [("R1", "R2"), ("R1", "R3"), ("R2", "R3")]
    }
    pairs = found.pairs[found.pairs["arm"] == "aided"].set_index(["first", "second"])
    assert pairs["kappa"].to_dict() == pytest.approx(kappas, abs=1e-9)
    table = found.agreement[found.agreement["arm"] == "aided"].set_index("description")
    assert table.loc["", "kappa"] == pytest.approx(np.mean(list(kappas.values())), abs=1e-9)
    assert table["n_cases"].to_dict() == {"": 12, "exudates": 6, "optic disc": 6}
    assert found.counts["count"].sum() == 3 * 24
    assert list(found.repeated["n_cases"]) == [6, 6, 6]


def test_times_and_roc(study, analysed):
    frame, found = analysed
    first = frame[frame["repeat"] == 0]
    means = first.groupby("arm")["seconds"].mean()
    times = found.times.set_index("measure")
    assert times.loc["aided", "value"] == pytest.approx(means["aided"])
    assert times.loc["difference", "value"] == pytest.approx(means["aided"] / means["unaided"] - 1)
    assert -0.6 < times.loc["difference", "low"] < times.loc["difference", "high"] < -0.4
    truth = {case.id: case.truth for case in study.cases}
    areas = {
        reader: roc_auc_score(mine["case_id"].map(truth), mine["q_sure"])
        for reader, mine in first[first["arm"] == "aided"].groupby("reader")
    }
    roc = found.roc[found.roc["measure"] == "aided"].set_index("reader")["auc"]
    assert roc.to_dict() == pytest.approx(areas | {"": np.mean(list(areas.values()))}, abs=1e-9)
    assert set(found.curves["arm"]) == {"aided", "unaided"}


def test_overlaps(study, analysed):
    _, found = analysed
    table = found.overlaps[found.overlaps["arm"] == "unaided"].set_index(["first", "second"])
    assert table.loc[("model", "reference"), "iou"] == pytest.approx(190 * 100 / (2 * 200 * 100 - 190 * 100))
    assert table.loc[("R1", "reference"), "n_cases"] == 6 and table.loc[("R1", "R2"), "n_cases"] == 6
    assert ((table["low"] <= table["iou"]) & (table["iou"] <= table["high"])).all()


def test_choices_and_a_study_without_ratings(filled, study):
    question = dataclasses.replace(study.questions[0], kind="choice", labels=("3", "4"))
    other = dataclasses.replace(study, questions=(question,), presence=None)
    frame = data_frames.study_frame(filled, other, [study.version])
    assert set(frame["q_sure"].dropna()) == {1, 2} and frame["q_sure"].isna().any()
    found = results.analyse(other, frame, references(filled, study))
    assert found.roc.empty and found.curves.empty and found.agreement["icc"].isna().all()


def test_the_time_with_the_aid_is_that_of_both_looks(study, tmp_path):
    """20 s without the model, 5 s more with it: the aid costs a quarter."""
    twice = dataclasses.replace(study, design="unaided_then_aided", consent="", repeats=0)
    with Store(tmp_path) as store:
        for reader, seconds in (("R1", 20), ("R2", 40)):
            for slot in schedule(twice, reader)[: 24 if reader == "R1" else 21]:  # R2 stopped within a case
                spent = seconds if slot.arm == "unaided" else seconds / 4
                readings.save_reading(
                    store, twice, reader, slot.index, {"sure": 3}, visible_ms=round(1000 * spent)
                )
        frame = data_frames.study_frame(store, twice)
        assert set(frame["seconds"]) == {20, 5, 40, 10}  # the rows stay as they are
        found = results.analyse(twice, frame, {})
    times = found.times.set_index("measure")
    assert times["n"].to_dict() == {"unaided": 22, "aided": 22, "difference": 22}
    assert times.loc["difference", ["value", "low", "high"]].tolist() == pytest.approx([0.25] * 3)
    assert times.loc["aided", "value"] == pytest.approx((12 * 25 + 10 * 50) / 22)
    assert figures.times_figure(found.times).layout.title.text.startswith("Reading time: +25.0% aided")
    assert "both looks" in reading_times.explain_times(twice) and reading_times.explain_times(study) == ""
    for arm in ("unaided", "aided"):  # one of the two is nothing to compare
        assert results.analyse(twice, frame[frame["arm"] == arm], {}).times.empty


def test_nothing_yet(study, tmp_path):
    with Store(tmp_path) as store:
        assert data_frames.overview(store).empty and data_frames.kept_studies(store) == {}
        found = results.analyse(study, data_frames.study_frame(store, study), references(store, study))
        assert all(table.empty for table in vars(found).values())
        with pytest.raises(DataError, match=r"no answer to a study 'simulated'\.$"):
            data_frames.kept_study(store, study.id)
    assert all(isinstance(figure, go.Figure) for figure in _figures(study, pd.DataFrame(), found))


@pytest.mark.parametrize("answered", [1, 2, 3, 25, 26])
def test_a_study_just_begun(filled, study, analysed, answered):
    """One reader, then a second one; at first all cases have the same truth."""
    some = analysed[0].head(answered)
    for truth in (True, False):
        known = {
            case: dataclasses.replace(each, truth=truth) for case, each in references(filled, study).items()
        }
        found = results.analyse(study, some, known)
        assert found.counts["count"].sum() == (some["repeat"] == 0).sum()
        assert found.roc.empty and found.curves.empty  # not to be had from one side
        for figure in _figures(study, pd.DataFrame(), found):
            assert "nan" not in str(figure.layout.title.text)


def test_figures_show_the_tables(filled, study, analysed):
    _, found = analysed
    for figure in _figures(study, data_frames.overview(filled), found):
        assert figure.data and len(figure.to_json()) < 100_000
    [unaided, aided] = figures.times_figure(found.times).data
    assert [unaided.y[0], aided.y[0]] == pytest.approx(found.times["value"][:2].tolist())


def _figures(study, overview, found) -> list[go.Figure]:
    question = study.questions[0]
    return [
        *([figures.overview_figure(overview)] if len(overview) else []),
        figures.counts_figure(found.counts, question),
        figures.agreement_figure(found.pairs, question),
        figures.overlap_figure(found.overlaps),
        figures.times_figure(found.times),
        figures.roc_figure(found.curves, found.roc),
    ]
