import numpy as np
import pytest

from afloc.metrics import cnr, dice, iou, pointing

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
