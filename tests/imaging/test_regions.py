import json
import math
import subprocess
import sys

import numpy as np
import pytest

from afloc.imaging.heatmap import find_regions
from afloc.imaging.regions import Box, Outline, read_box, region_from_json

TRIANGLE = Outline(((0, 0), (10, 0), (5.5, 9.25)))


def test_a_box_unpacks_and_has_the_keys_of_result_json():
    heatmap = np.zeros((20, 30), np.float32)
    heatmap[5:9, 10:16] = 0.75
    [box] = find_regions(heatmap, 0.5)
    assert json.dumps(vars(box)) == '{"x": 10.0, "y": 5.0, "width": 6.0, "height": 4.0, "score": 0.75}'
    x, y, width, height = box
    assert box.bounds == (x, y, x + width, y + height)


@pytest.mark.parametrize("region", [Box(1, 2, 3, 4), Box(1.5, 2, 3, 4), TRIANGLE])
def test_regions_come_back_from_json(region):
    text = json.dumps(region.as_json())
    back = region_from_json(json.loads(text))
    assert back == region and json.dumps(back.as_json()) == text  # 1 stays 1, and 1.5 stays 1.5


def test_what_coco_has():
    assert Box(1, 2, 3, 4).as_coco() == {"bbox": [1, 2, 3, 4], "segmentation": []}
    assert TRIANGLE.as_coco() == {"bbox": [0, 0, 10, 9.25], "segmentation": [[0, 0, 10, 0, 5.5, 9.25]]}


def test_a_box_of_our_own_csv_and_of_a_study():
    assert (
        read_box({"label": "mass", "x": 1, "y": 2, "w": 3, "h": 4})
        == read_box([1, 2, 3, 4])
        == Box(1, 2, 3, 4)
    )


@pytest.mark.parametrize(
    "values, reason",
    [
        ([1, 2, 3], "needs the numbers"),
        ("1234", "needs the numbers"),
        ([1, 2, 3, "4"], "needs the numbers"),
        ([1, 2, 3, True], "needs the numbers"),
        ({"x": 1, "y": 2, "w": 3}, "needs the numbers"),
        ([1, 2, math.nan, 4], "not a finite number"),
        ([1, -math.inf, 3, 4], "not a finite number"),
        ([1, 2, 10**400, 4], "not a finite number"),
        ([1, 2, 0, 4], "wider and higher than 0"),
        ([1, 2, 3, -4], "wider and higher than 0"),
    ],
)
def test_what_is_no_box(values, reason):
    with pytest.raises(ValueError, match=reason):
        read_box(values)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"box": [0, 0, 1, 1], "outline": [[0, 0], [1, 0], [0, 1]]},
        {"box": {"x": 0, "y": 0, "w": 1, "h": 1}},
        {"outline": [[0, 0], [1, 0]]},
        {"outline": [[0, 0], [1, 0], [0]]},
        {"outline": [[0, 0], [1, 0], "01"]},
        {"outline": [[0, 0], [1, 0], [0, math.nan]]},
        {"outline": "abc"},
        {"outline": None},
    ],
)
def test_what_is_no_region(value):
    with pytest.raises(ValueError):
        region_from_json(value)


def test_no_library_is_loaded_for_it():
    code = "import sys, afloc.imaging.regions; sys.exit(bool({'numpy', 'shapely'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
