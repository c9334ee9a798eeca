"""LROC and FROC against what a plain loop counts, and on images by hand."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from afloc.evaluation.chunks import CASES, SCORES
from afloc.evaluation.detection import RATES, Detection, detection, froc, lroc_area


def made(random: np.random.Generator, images: int = 12, levels: int = 6) -> Detection:
    """Images of which some have the finding, with marks of few distinct ratings, so that there are ties."""
    positive = random.random(images) < 0.6
    positive[:2] = True, False
    counts = random.integers(0, 5, images)
    regions = np.where(positive, random.integers(1, 4, images), 0)
    owners = np.repeat(np.arange(images), counts)
    return Detection(
        rows=np.arange(images),
        scores=random.integers(0, levels, images) / levels,
        located=np.where(positive, random.integers(0, 3, images) / 2, np.nan),
        regions=regions,
        ratings=random.integers(0, levels, len(owners)) / levels,
        images=owners,
        hits=random.integers(0, regions[owners] + 1),
    )


def slow_froc(found: Detection) -> list[float]:
    """Every threshold in turn: what is marked above it, and which share of the regions that finds."""
    shares = []
    for rate in RATES:
        best = 0.0
        for threshold in (*found.ratings, -1):
            for kept in (found.ratings >= threshold, found.ratings > threshold):
                if (kept & (found.hits == 0)).sum() / len(found.rows) <= rate:
                    wanted = kept & (found.hits > 0)
                    regions = set(zip(found.images[wanted], found.hits[wanted], strict=True))
                    best = max(best, len(regions) / found.regions.sum())
        shares.append(best)
    return shares


def slow_lroc(found: Detection) -> float:
    positive = ~np.isnan(found.located)
    pairs = [
        right * ((above > below) + (above == below) / 2)
        for above, right in zip(found.scores[positive], found.located[positive], strict=True)
        for below in found.scores[~positive]
    ]
    return float(np.mean(pairs))


def once(found: Detection) -> np.ndarray:
    return np.ones((1, len(found.rows)))


def test_random_images_against_a_plain_loop(long):
    random = np.random.default_rng(0)
    for _ in range(200 if long else 40):
        found = made(random)
        assert froc(found, once(found))[0] == pytest.approx(slow_froc(found))
        assert lroc_area(found, once(found))[0] == pytest.approx(slow_lroc(found))


def test_weights_are_how_often_an_image_is_there():
    random = np.random.default_rng(1)
    found = made(random)
    weights = random.integers(0, 3, (4, len(found.rows)))
    weights[:, :2] = 1
    at, areas = froc(found, weights), lroc_area(found, weights)
    for sample, counts in enumerate(weights):
        copies = np.repeat(np.arange(len(found.rows)), counts)
        marks = [
            (copy, mark)
            for copy, image in enumerate(copies)
            for mark in np.flatnonzero(found.images == image)
        ]
        drawn = np.array([mark for _, mark in marks], int)
        again = Detection(
            rows=np.arange(len(copies)),
            scores=found.scores[copies],
            located=found.located[copies],
            regions=found.regions[copies],
            ratings=found.ratings[drawn],
            images=np.array([copy for copy, _ in marks], int),
            hits=found.hits[drawn],
        )
        assert at[sample] == pytest.approx(slow_froc(again))
        assert areas[sample] == pytest.approx(slow_lroc(again))


def test_where_every_place_is_right_lroc_is_roc():
    found = made(np.random.default_rng(2))
    positive = ~np.isnan(found.located)
    found.located[positive] = 1
    assert lroc_area(found, once(found))[0] == pytest.approx(roc_auc_score(positive, found.scores))
    found.located[positive] = 0
    assert lroc_area(found, once(found))[0] == 0


def test_what_cannot_be_had_is_nan():
    found = made(np.random.default_rng(3))
    empty = Detection(*(np.zeros(0) for _ in range(4)), *(np.zeros(0, int) for _ in range(3)))
    assert np.isnan(froc(empty, np.ones((2, 0)))).all() and np.isnan(lroc_area(empty, np.ones((2, 0)))).all()
    only = np.isnan(found.located) * 1.0  # images without the finding alone
    assert np.isnan(froc(found, only[None])).all() and np.isnan(lroc_area(found, only[None])).all()


def test_no_mark_finds_nothing_and_one_mark_a_region_finds_all():
    none = Detection(
        np.arange(2), np.zeros(2), np.array([1, np.nan]), np.array([2, 0]), *(np.zeros(0, int),) * 3
    )
    assert (froc(none, np.ones((1, 2))) == 0).all()
    both = Detection(
        np.arange(2), np.zeros(2), np.array([1, np.nan]), np.array([2, 0]),
        np.array([0.1, 0.2, 0.9]), np.array([0, 0, 1]), np.array([1, 2, 0]),
    )  # fmt: skip
    # one false mark on two images is allowed from a rate of 0.5 on; below, nothing lies above it
    assert froc(both, np.ones((1, 2)))[0].tolist() == [0, 1, 1, 1, 1, 1]


def test_tables_of_a_source():
    """Twelve films with an effusion, five with a lung drawn, eight without an effusion. One film has the
    label and no ground truth, and was asked for it as one whose place is not known."""
    about = {"source": "a", "modality": "chest_xray"}

    def case(number, label, pointing):
        marks = {"regions": 1, "marks": [0.9, 0.4], "marked_regions": [int(pointing), 0]}
        named = {"row": number, "truth": 0, "patient": str(number), "label": label, "score": 0.8}
        return about | named | marks | {"pointing": pointing}

    def asked(number, label, marks):
        named = {"row": number, "patient": str(number), "label": label, "positive": marks is None}
        return about | named | {"score": 0.8 if number % 2 else 0.1, "marks": marks}

    cases = [case(number, "Effusion", float(number % 3 > 0)) for number in range(12)]
    cases += [case(number, "Left Lung", 1.0) for number in range(5)]
    scores = [asked(number, "Pleural Effusion", [0.5]) for number in range(20, 28)]
    scores += [asked(30, "Pleural Effusion", None), asked(31, "Nodule", [0.1])]
    found = detection(pa.Table.from_pylist(cases, CASES), pa.Table.from_pylist(scores, SCORES))["a"]
    effusion, lung = found["labels"]["Effusion"], found["labels"]["Left Lung"]
    assert (effusion["n_positive"], effusion["n_negative"], effusion["n_regions"]) == (12, 8, 12)
    assert effusion["lroc"]["mean"] == pytest.approx(2 / 3 * (4 + 4 / 2) / 8, abs=1e-6)
    assert effusion["lroc"]["ci95"] and effusion["froc"]["ci95"]
    assert effusion["regions_found"]["1"]["mean"] == pytest.approx(2 / 3, abs=1e-6)
    assert (lung["n_positive"], lung["n_negative"], lung["lroc"]["mean"]) == (5, 0, None)
    assert lung["froc"] == {"mean": 1.0, "ci95": None}, "of five patients there is no interval"
    for key in ("lroc", "froc"):
        assert found["pathology"][key]["mean"] == effusion[key]["mean"], "a lung is no pathology"
    assert detection(CASES.empty_table(), SCORES.empty_table()) == {}
