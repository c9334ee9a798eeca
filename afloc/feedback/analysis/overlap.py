"""What readers and the model drew on the same cases, and how far it overlaps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from afloc.feedback.store.regions import shape
from afloc.imaging.regions import Box, Region

NAN = float("nan")
HIT = 0.2  # IoU from which a drawn region finds a lesion


@dataclass(frozen=True, eq=False)
class Drawn:
    """What was drawn on each of n cases.

    `areas` (n,), NaN where nothing is known; `bounds` (n, 4), NaN where nothing was drawn; `shapes` (n,),
    None for upright boxes, which are as good as their bounds, and for nothing.
    """

    areas: np.ndarray
    bounds: np.ndarray
    shapes: np.ndarray

    def at(self, indices: np.ndarray) -> np.ndarray:
        """The shapes of some cases, boxes made."""
        shapes = self.shapes[indices].copy()
        boxes = shapes == None  # noqa: E711 (of each)
        shapes[boxes] = shapely.box(*self.bounds[indices][boxes].T)
        return shapes


def drawn(regions: Sequence[Sequence[Region] | None], boxes: np.ndarray | None = None) -> Drawn:
    """The regions of each case, None where nothing is known of it.

    `boxes` (n, 4): x, y, width and height where they are known to be one box, whatever `regions` has there;
    NaN elsewhere.
    """
    boxes = np.full((len(regions), 4), NAN) if boxes is None else boxes.copy()
    areas, bounds = np.full(len(regions), NAN), np.full((len(regions), 4), NAN)
    shapes = np.full(len(regions), None, object)
    for index, each in enumerate(regions):
        if not each:
            areas[index] = NAN if each is None else 0
        elif len(each) == 1 and isinstance(each[0], Box):
            boxes[index] = tuple(each[0])
        else:
            shapes[index] = shape(each)
            areas[index], bounds[index] = shapes[index].area, shapes[index].bounds
    one = ~np.isnan(boxes[:, 0])
    corners, sides = boxes[one, :2], boxes[one, 2:]
    areas[one], bounds[one] = sides.prod(1), np.hstack([corners, corners + sides])
    return Drawn(areas, bounds, shapes)


def overlap(first: Drawn, second: Drawn) -> np.ndarray:
    """Intersection over union on each case, 0 … 1; NaN where both are empty, or one is not known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        high = np.minimum(first.bounds[:, 2:], second.bounds[:, 2:])
        sides = np.maximum(high - np.maximum(first.bounds[:, :2], second.bounds[:, :2]), 0)
        some = (first.areas > 0) & (second.areas > 0)
        both = np.where(some, sides[:, 0] * sides[:, 1], 0)
        others = some & ((first.shapes != None) | (second.shapes != None))  # noqa: E711 (of each)
        if others.any():
            both[others] = shapely.area(shapely.intersection(first.at(others), second.at(others)))
        either = first.areas + second.areas - both
        return np.where(either > 0, both / either, NAN)
