import numpy as np
import pytest
from pycocotools import mask as coco
from skimage.measure import points_in_poly

from afloc.errors import DataError
from afloc.evaluation.datasets.ground_truth import draw_boxes
from afloc.evaluation.datasets.masks import (
    Shapes,
    draw_runs,
    encode_runs,
    read_coco_runs,
    read_numbered_runs,
    read_relative_runs,
)


def test_run_lengths_against_pycocotools():
    random = np.random.default_rng(0)
    for _ in range(200):
        height, width = random.integers(1, 40, 2)
        mask = random.random((height, width)) < random.choice([0, 0.02, 0.5, 0.98, 1])
        encoded = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        runs = read_coco_runs(encoded["counts"].decode(), height, width)
        assert np.array_equal(draw_runs(runs, height, width), mask)
        assert read_coco_runs(list(runs), height, width) == runs
        assert np.array_equal(draw_runs(encode_runs(mask), height, width), mask)


def test_the_first_runs_that_chexlocalize_shows():
    text = "Xid[1R1ZW29G8H9G9H9F:G9G9G7I7H8I7I6K4L5K4L5K4L4L5K4L5J5L5K"
    runs = list(read_coco_runs(text, 2320, 2828))
    encoded = coco.frPyObjects({"size": [2320, 2828], "counts": runs}, 2320, 2828)
    assert encoded["counts"].decode() == text


def test_relative_run_lengths():
    mask = draw_runs(read_relative_runs("5 2 3 1", 4, 3), 4, 3)
    assert np.flatnonzero(mask.T).tolist() == [5, 6, 10]


def test_numbered_run_lengths():
    mask = draw_runs(read_numbered_runs("1 2 4 1 5 1 12 1", 4, 3), 4, 3)
    assert np.flatnonzero(mask.T).tolist() == [0, 1, 3, 4, 11]
    assert not draw_runs(read_numbered_runs("", 4, 3), 4, 3).any()


@pytest.mark.parametrize("text", ["1 2 3", "0 2", "1 -2", "5 2 6 1", "12 2", "1 x"])
def test_bad_numbered_runs(text):
    with pytest.raises(DataError):
        read_numbered_runs(text, 4, 3)


@pytest.mark.parametrize("text", ["1 2 3", "1 -2", "10 10", "1 x"])
def test_bad_relative_runs(text):
    with pytest.raises(DataError):
        read_relative_runs(text, 4, 3)


@pytest.mark.parametrize("counts", [[1, -2], [100], ["1"], "\x7f", "`", None, 5])
def test_bad_coco_runs(counts):
    with pytest.raises(DataError):
        read_coco_runs(counts, 4, 3)


def test_polygons_cover_what_they_enclose():
    square = Shapes(polygons=((2, 1, 6, 1, 6, 5, 2, 5),)).draw(8, 9)
    assert square[1:5, 2:6].all() and square.sum() == 16
    both = Shapes(polygons=((2, 1, 6, 1, 6, 5, 2, 5),), runs=((0, 1),), extent=(8, 9)).draw(8, 9)
    assert both[0, 0] and both.sum() == square.sum() + 1


def test_polygons_by_pixel_centres():
    rows, columns = np.mgrid[:150, :160] + 0.5
    centres = np.stack([columns.ravel(), rows.ravel()], 1)
    random = np.random.default_rng(0)
    for radius in (2, 4, 8, 16, 64):
        for corners in (3, 5, 12, 40):
            angles = np.sort(random.random(corners)) * 2 * np.pi
            reach = radius * random.uniform(0.6, 1, corners)
            points = np.stack([80 + reach * np.cos(angles), 75 + reach * np.sin(angles)], 1)
            inside = points_in_poly(centres, points).reshape(150, 160)
            mask = Shapes((tuple(points.ravel()),)).draw(150, 160)
            assert np.array_equal(mask, inside) or not inside.any()
            assert mask.any(), "no polygon vanishes"


@pytest.mark.parametrize(
    "box", [(2, 1, 4, 4), (2.5, 1.5, 3, 2), (2.2, 1.7, 3.9, 2.4), (3.6, 1.7, 0.1, 4), (0, 0, 9, 8)]
)
def test_a_box_and_the_same_box_as_polygon_are_equal(box):
    x, y, width, height = box
    for points in (((0, 0), (1, 0), (1, 1), (0, 1)), ((1, 1), (1, 0), (0, 0), (0, 1), (1, 1))):
        polygon = tuple(value for a, b in points for value in (x + a * width, y + b * height))
        assert np.array_equal(Shapes((polygon,)).draw(8, 9), draw_boxes((box,), 8, 9))
