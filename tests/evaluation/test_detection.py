"""LROC and FROC against what a plain loop counts, and on images by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from afloc.evaluation.detection import RATES, Detection, froc, lroc_area


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
