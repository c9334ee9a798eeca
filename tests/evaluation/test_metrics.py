import statistics

import numpy as np
import pytest

from afloc.evaluation.metrics import (
    PAPER_THRESHOLDS,
    auroc,
    cnr,
    curve,
    dice,
    iou,
    pointing,
    sensitivity,
    specificity,
)

MASK = np.array([[True, True, False, False]])


def test_iou_and_dice():
    heatmap = np.array([[0.9, 0.2, 0.9, 0.2]])
    assert iou(heatmap, MASK, 0.5) == pytest.approx(1 / 3)
    assert dice(heatmap, MASK, 0.5) == pytest.approx(1 / 2)
    assert iou(heatmap, MASK, 0.95) == dice(heatmap, MASK, 0.95) == 0
    assert np.isnan(iou(heatmap, np.zeros_like(MASK), 0.5))


def test_the_threshold_itself_is_outside():
    assert iou(np.array([[0.5, 0.6, 0.5, 0.5]]), MASK, 0.5) == pytest.approx(1 / 2)


def test_cnr_is_signed_and_uses_population_variances():
    heatmap = np.array([[1.0, 3.0, 0.0, 1.0]])
    expected = (2 - 0.5) / np.sqrt(1 + 0.25)
    assert cnr(heatmap, MASK) == pytest.approx(expected)
    assert cnr(heatmap, ~MASK) == pytest.approx(-expected)
    assert cnr(np.ones((1, 4)), MASK) == 0
    assert np.isnan(cnr(heatmap, np.ones_like(MASK)))


def test_pointing():
    assert pointing(np.array([[0.1, 0.9, 0.2, 0.3]]), MASK) == 1
    assert pointing(np.array([[0.1, 0.2, 0.9, 0.3]]), MASK) == 0
    assert pointing(np.ones((1, 4)), MASK) == 0.5
    assert np.isnan(pointing(np.ones((1, 4)), np.zeros_like(MASK)))


def test_nan_counts_nowhere():
    heatmap = np.array([[0.9, np.nan, 0.2, np.nan]])
    assert iou(heatmap, MASK, 0.5) == 1
    assert pointing(heatmap, MASK) == 1
    assert np.isnan(pointing(np.array([[np.nan, np.nan, 1, 2]]), MASK))


def test_random_maps_against_other_implementations(long):
    from skimage.metrics import contingency_table
    from sklearn.metrics import f1_score, jaccard_score, roc_auc_score

    random = np.random.default_rng(0)
    for _ in range(1000 if long else 200):
        shape = tuple(random.integers(3, 14, 2))
        heatmap = random.uniform(-1, 1, shape).round(random.integers(1, 6)).astype(np.float32)
        mask = random.random(shape) < random.uniform(0.1, 0.9)
        mask.flat[:2] = True, False
        at = curve(heatmap, mask, PAPER_THRESHOLDS)
        i = random.integers(5)
        threshold = PAPER_THRESHOLDS[i]
        predicted = heatmap > threshold
        expected = jaccard_score(mask.ravel(), predicted.ravel(), zero_division=0)
        assert iou(heatmap, mask, threshold) == pytest.approx(expected, abs=1e-6)
        assert at.iou[i] == pytest.approx(expected, abs=1e-6)
        expected = f1_score(mask.ravel(), predicted.ravel(), zero_division=0)
        assert dice(heatmap, mask, threshold) == pytest.approx(expected, abs=1e-6)
        assert at.dice[i] == pytest.approx(expected, abs=1e-6)
        assert at.area[i] == pytest.approx(predicted.mean(), abs=1e-6)
        shares = contingency_table(mask.astype(int), (heatmap > 0.3).astype(int), normalize=True).toarray()
        both = shares[1, 1] if shares.shape == (2, 2) else 0.0
        assert iou(heatmap, mask, 0.3) == pytest.approx(both / (1 - shares[0, 0]), abs=1e-6)
        inside, outside = heatmap[mask].astype(float).tolist(), heatmap[~mask].astype(float).tolist()
        noise = statistics.pvariance(inside) + statistics.pvariance(outside)
        if noise:
            expected = (statistics.fmean(inside) - statistics.fmean(outside)) / noise**0.5
            assert cnr(heatmap, mask) == pytest.approx(expected, abs=1e-6)
        peaks = np.argwhere(heatmap == heatmap.max())
        assert pointing(heatmap, mask) == pytest.approx(np.mean([mask[tuple(p)] for p in peaks]), abs=1e-6)
        weights = random.integers(0, 4, (1, heatmap.size))
        weights[0, :2] = 1
        expected = roc_auc_score(mask.ravel(), heatmap.ravel())
        assert auroc(heatmap.ravel(), mask.ravel()) == pytest.approx(expected, abs=1e-6)
        expected = roc_auc_score(mask.ravel(), heatmap.ravel(), sample_weight=weights[0])
        assert auroc(heatmap.ravel(), mask.ravel(), weights)[0] == pytest.approx(expected, abs=1e-6)


def test_verdicts():
    judged, positive = np.array([1, 1, 0, 0, 0], bool), np.array([1, 0, 1, 0, 0], bool)
    assert sensitivity(judged, positive) == 0.5 and specificity(judged, positive) == pytest.approx(2 / 3)
    assert np.isnan(sensitivity(judged, positive & False)) and np.isnan(auroc(judged, positive & False))
