"""Regions of an image, boxes and outlines, in pixels from its top left corner, and how they are written down.

- result.json and the page: {"x", "y", "width", "height", "score"}, which is `vars(box)`
- feedback: {"box": [x, y, width, height]} or {"outline": [[x, y], …]}, by `as_json` and `region_from_json`
- our CSV and study files: {"x", "y", "w", "h"} or [x, y, w, h], by `read_box` and `list(box)`
- COCO: `bbox` and `segmentation`, by `as_coco`

Both types are checked when they are made: ValueError with a reason that goes on from "a box …" or "an outline
…", without a full stop.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

Bounds = tuple[float, float, float, float]
"""(left, top, right, bottom)"""


@dataclass(frozen=True)
class Box:
    """An upright box: its top left corner and its extent, as x, y, width, height, in which order it unpacks.

    `score`: of a box around a part of a map, the map's maximum in that part; None of any other.
    """

    x: float
    y: float
    width: float
    height: float
    score: float | None = None

    def __post_init__(self):
        if not _are_numbers(self):
            raise ValueError("needs the numbers x, y, w and h")
        if not _are_finite(self):
            raise ValueError("holds a value that is not a finite number")
        if self.width <= 0 or self.height <= 0:
            raise ValueError("must be wider and higher than 0")

    def __iter__(self) -> Iterator[float]:
        return iter((self.x, self.y, self.width, self.height))

    @property
    def bounds(self) -> Bounds:
        return self.x, self.y, self.x + self.width, self.y + self.height

    def as_json(self) -> dict[str, Any]:
        return {"box": list(self)}

    def as_coco(self) -> dict[str, Any]:
        return {"bbox": _coco_box(self.bounds), "segmentation": []}


@dataclass(frozen=True)
class Outline:
    """A closed line through three or more points (x, y)."""

    points: tuple[tuple[float, float], ...]

    def __post_init__(self):
        if len(self.points) < 3:
            raise ValueError("needs three points or more")
        for point in self.points:
            if not (isinstance(point, tuple | list) and len(point) == 2 and _are_numbers(point)):
                raise ValueError("needs points of two numbers, x and y")
            if not _are_finite(point):
                raise ValueError("holds a value that is not a finite number")

    @property
    def bounds(self) -> Bounds:
        xs, ys = zip(*self.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def as_json(self) -> dict[str, Any]:
        return {"outline": [list(point) for point in self.points]}

    def as_coco(self) -> dict[str, Any]:
        polygon = [value for point in self.points for value in point]
        return {"bbox": _coco_box(self.bounds), "segmentation": [polygon]}


Region = Box | Outline


def region_from_json(value: Any) -> Region:
    """The region of {"box": [x, y, width, height]} or {"outline": [[x, y], …]}; further keys do not count.

    ValueError for anything else.
    """
    if not isinstance(value, Mapping) or ("box" in value) == ("outline" in value):
        raise ValueError("a region has either a box or an outline")
    if "box" in value:
        return _box_of_list(value["box"])
    points = value["outline"]
    if not isinstance(points, list | tuple):
        raise ValueError("needs a list of points")
    return Outline(tuple(tuple(point) if isinstance(point, list) else point for point in points))


def read_box(value: Any) -> Box:
    """The box of [x, y, width, height] or {"x", "y", "w", "h"}; ValueError for anything else."""
    keys = "xywh"
    if isinstance(value, Mapping) and value.keys() >= set(keys):
        value = [value[key] for key in keys]
    return _box_of_list(value)


def _box_of_list(values: Any) -> Box:
    if not isinstance(values, list | tuple) or len(values) != 4:
        raise ValueError("needs the numbers x, y, w and h")
    return Box(*values)


def _are_numbers(values: Sequence[Any] | Box) -> bool:
    return all(isinstance(value, Real) and not isinstance(value, bool) for value in values)


def _are_finite(values: Sequence[float] | Box) -> bool:
    return all(abs(value) <= sys.float_info.max for value in values)


def _coco_box(bounds: Bounds) -> list[float]:
    left, top, right, bottom = map(float, bounds)
    return [left, top, right - left, bottom - top]
