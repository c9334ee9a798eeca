import numpy as np
import pytest

from afloc import load_model
from afloc.evaluation.agreement import SCALES, Agreement, threshold_of_area
from afloc.evaluation.metrics import dice, iou
from afloc.imaging.heatmap import min_max
from afloc.imaging.image import image_from_array


@pytest.fixture(scope="module")
def finding(small_folder):
    pixels = np.random.default_rng(1).integers(0, 255, (80, 64), dtype=np.uint8)
    return load_model(small_folder).encode(image_from_array(pixels)).locate("pleural effusion is present")


def square(top, left):
    mask = np.zeros((80, 64), bool)
    mask[top : top + 20, left : left + 30] = True
    return mask


def test_readers_are_measured_as_a_map_and_the_model_where_it_marks_as_much(finding):
    truth, readers = square(10, 10), square(15, 14)
    found = Agreement("Effusion", "simple", finding, truth, (readers,)).against_readers
    assert found.iou == pytest.approx((truth & readers).sum() / (truth | readers).sum())
    assert found.area == readers.mean() and found.model_area == pytest.approx(found.area, abs=2 / truth.size)
    assert found.model_iou == pytest.approx(iou(finding.heatmap, truth, found.threshold))
    assert found.model_dice == pytest.approx(dice(finding.heatmap, truth, found.threshold))
    two = Agreement("Effusion", "simple", finding, truth, (readers, truth)).against_readers
    assert two.count == 2 and two.iou == pytest.approx((found.iou + 1) / 2)
    nothing = np.zeros_like(truth)
    assert Agreement("Effusion", "simple", finding, truth, (nothing,)).against_readers.iou == 0
    assert Agreement("Effusion", "simple", finding, truth).against_readers is None
    assert Agreement("Effusion", "simple", finding, nothing, (readers,)).against_readers is None


def test_the_numbers_of_a_threshold_are_those_of_its_map(finding):
    answer = Agreement("Effusion", "simple", finding, square(10, 10))
    row = answer.record("stretched", 0.3)
    assert row["threshold"] == 0.3 and row["iou"] == answer.metrics.iou
    assert row["iou_at_threshold"] == pytest.approx(iou(min_max(finding.heatmap), answer.truth, 0.3))
    empty = Agreement("Effusion", "simple", finding, np.zeros((80, 64), bool)).record("fixed", 0.5)
    assert empty["iou"] is empty["iou_at_threshold"] is empty["extent"] is None
    assert empty["area_at_threshold"] == pytest.approx((finding.heatmap > 0.5).mean())


def test_the_curves_have_the_papers_thresholds():
    assert {0.1, 0.2, 0.3, 0.4, 0.5} <= set(SCALES["stretched"])
    assert SCALES["stretched"][0] == -1 and SCALES["fixed"][-1] == 1


@pytest.mark.parametrize("area", [0, 0.1, 0.5, 1])
def test_the_threshold_of_an_area(area):
    heatmap = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    marked = (heatmap > threshold_of_area(heatmap, area)).mean()
    assert marked == pytest.approx(min(area, 0.99))
