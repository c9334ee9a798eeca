import statistics

import numpy as np
import pytest

from afloc.evaluation.metrics import (
    PAPER_THRESHOLDS,
    PRO_LIMIT,
    auroc,
    center_distance,
    cnr,
    curve,
    dice,
    iou,
    pointing,
    rank_pixels,
    sensitivity,
    specificity,
    truth_regions,
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
    assert np.isnan(auroc(np.zeros(0), np.zeros(0, bool)))


def ranked(heatmap, mask):
    found = rank_pixels(heatmap, truth_regions(mask))
    return found.pixel_ap, found.aupro


def test_the_order_of_pixels_by_hand():
    mask = np.array([[True, True, False, False, False, True]])  # two regions, of two pixels and of one
    heatmap = np.array([[0.9, 0.2, 0.8, 0.1, 0.0, 0.7]])
    # found at 0.9, 0.7 and 0.2, where one, three and four pixels are taken
    assert ranked(heatmap, mask)[0] == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)
    # up to a false positive rate of 0.3, below the first false positive of three, only 0.9 is found
    assert ranked(heatmap, mask)[1] == pytest.approx(0.25)
    assert ranked(np.where(mask, 1.0, 0.0), mask) == (1, 1)
    assert ranked(np.where(mask, 0.0, 1.0), mask) == (0.5, 0)  # all three are found with all six


def test_the_order_of_pixels_where_there_is_none():
    constant, mask = np.ones((4, 10)), np.zeros((4, 10), bool)
    assert np.isnan(ranked(constant, mask)).all() and np.isnan(ranked(constant, ~mask)).all()
    mask[1:3, 2:5] = True
    # of a flat map: what is covered, and half of the limit, as of a random one
    assert ranked(constant, mask) == pytest.approx((6 / 40, PRO_LIMIT / 2))
    heatmap = np.where(mask, 1.0, 0.0)
    heatmap[:, 6:] = np.nan
    assert ranked(heatmap, mask) == (1, 1)
    heatmap[mask] = np.nan
    assert np.isnan(ranked(heatmap, mask)).all(), "nothing of the ground truth lies on the map"


def test_the_order_of_random_pixels_against_scikit_learn(long):
    from scipy.ndimage import label
    from sklearn.metrics import average_precision_score, roc_curve

    random = np.random.default_rng(1)
    for _ in range(500 if long else 100):
        shape = tuple(random.integers(3, 16, 2))
        heatmap = random.uniform(-1, 1, shape).round(random.integers(0, 4)).astype(np.float32)  # with ties
        mask = random.random(shape) < random.uniform(0.05, 0.9)
        mask.flat[:2] = True, False
        parts, count = label(mask, np.ones((3, 3)))
        weights = np.ones(shape)
        for part in range(1, count + 1):
            weights[parts == part] = 1 / (parts == part).sum()
        rates, shares, _ = roc_curve(
            mask.ravel(), heatmap.ravel(), sample_weight=weights.ravel(), drop_intermediate=False
        )
        below = rates <= PRO_LIMIT
        end = np.interp(PRO_LIMIT, rates, shares)
        area = np.trapezoid(np.append(shares[below], end), np.append(rates[below], PRO_LIMIT))
        found = ranked(heatmap, mask)
        assert found[0] == pytest.approx(average_precision_score(mask.ravel(), heatmap.ravel()), abs=1e-9)
        assert found[1] == pytest.approx(area / PRO_LIMIT, abs=1e-9)


def test_the_distance_of_centers():
    mask = np.zeros((9, 20), bool)
    mask[0:3, 0:3] = mask[6:9, 15:20] = True  # centers (1, 1) and (7, 17)
    regions = truth_regions(mask)
    assert regions.centers.tolist() == [[1, 1], [7, 17]]
    heatmap = np.zeros((9, 20))
    heatmap[4, 5] = 1
    assert center_distance(heatmap, regions) == pytest.approx(5)
    heatmap[7, 17] = 1  # two maxima: the mean over both
    assert center_distance(heatmap, regions) == pytest.approx(2.5)
    flat = center_distance(np.ones((9, 20)), regions)
    rows, columns = np.mgrid[:9, :20]
    near = np.minimum(np.hypot(rows - 1, columns - 1), np.hypot(rows - 7, columns - 17))
    assert flat == pytest.approx(near.mean())
    assert np.isnan(center_distance(heatmap, truth_regions(mask & False)))
    assert np.isnan(center_distance(np.full((9, 20), np.nan), regions))
