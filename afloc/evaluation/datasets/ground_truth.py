"""What a person marked on an image: a mask or boxes for one finding.

A mask file is decoded only when it is drawn, so that a set of any size fits into memory.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from afloc.errors import DataError, ImageError
from afloc.evaluation.datasets.picture_files import is_file
from afloc.imaging import regions
from afloc.imaging.exif_turn import SIDEWAYS, turn_extent_upright, turn_upright
from afloc.imaging.image import Header, read_header, read_mask
from afloc.imaging.regions import Box
from afloc.text import one_line

OVERHANG = 1.0  # pixels a box may stand out of its image: what rounding leaves


class MaskSource(Protocol):
    """A mask that can be drawn."""

    def size(self) -> tuple[int, int] | None:
        """(height, width); None where the mask takes whatever size its image has."""

    def draw(self, height: int, width: int) -> np.ndarray:
        """bool (height, width) of the image."""


@dataclass(frozen=True)
class MaskFile:
    """A picture of the image's size, not zero where the finding is. `name`: as the set names it.

    Where it was compressed with a loss, the finding is what is brighter than half.
    """

    path: Path = field(repr=False)
    name: str

    def size(self) -> tuple[int, int]:
        """(height, width)"""
        header = picture_header(self.path)
        if header.frames > 1:
            raise DataError(f"{self.name} holds {header.frames} pages: give a mask of one")
        return header.height, header.width

    def draw(self, height: int, width: int) -> np.ndarray:
        try:
            return read_mask(self.path)
        except ImageError as error:
            raise DataError(f"The mask {self.name}: {error}") from None


@dataclass(frozen=True)
class Turned:
    """A mask drawn on its picture as that is stored, which `turn`, the EXIF orientation, shows otherwise."""

    mask: MaskSource
    turn: int

    def size(self) -> tuple[int, int] | None:
        size = self.mask.size()
        return size[::-1] if size and self.turn in SIDEWAYS else size

    def draw(self, height: int, width: int) -> np.ndarray:
        stored = (width, height) if self.turn in SIDEWAYS else (height, width)
        return turn_upright(self.mask.draw(*stored), self.turn)


@dataclass(frozen=True, repr=False)
class GroundTruth:
    """Ground truth of one finding on one image.

    `label`: what the set calls it. `boxes`: in pixels of the image. `mask`: beats the boxes. `description`:
    the set's own words for it, asked in place of the label's sentence in style "precise".
    """

    label: str
    boxes: tuple[Box, ...] = ()
    mask: MaskSource | None = None
    description: str | None = None

    def __repr__(self) -> str:
        # Part of `Dataset.digest`, by which a run finds its folder again: it must stay as it is.
        values = vars(self) | {"boxes": tuple(map(tuple, self.boxes))}
        fields = (f"{name}={value!r}" for name, value in values.items())
        return f"Truth({', '.join(fields)})"

    def draw(self, height: int, width: int) -> np.ndarray:
        """Where the finding is: bool (height, width) of the image."""
        if self.mask is not None:
            return self.mask.draw(height, width)
        return draw_boxes(self.boxes, height, width)


def draw_boxes(boxes: tuple[Box, ...], height: int, width: int) -> np.ndarray:
    """The pixels whose centre lies in one of the boxes, at least one of each: bool (height, width)."""
    mask = np.zeros((height, width), bool)
    for x, y, box_width, box_height in boxes:
        left, right = _span(x, box_width, width)
        top, bottom = _span(y, box_height, height)
        mask[top:bottom, left:right] = True
    return mask


def _span(start: float, length: float, limit: int) -> tuple[int, int]:
    first = min(max(0, math.ceil(start - 0.5)), limit - 1)
    return first, max(first + 1, min(math.ceil(start + length - 0.5), limit))


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture as `read_image` gives it, from its header; DataError if there is none."""
    header = picture_header(path)
    return header.height, header.width


def picture_header(path: Path) -> Header:
    """What the header of a picture says; DataError if there is none."""
    if not is_file(path):
        raise DataError(f"there is no such file as {one_line(path.name, 80)}")
    try:
        return read_header(path)
    except ImageError:
        raise DataError("the file is no picture that can be read") from None


def turn_truth(truth: GroundTruth, turn: int, height: int, width: int) -> GroundTruth:
    """Ground truth drawn on a picture as it is stored, on the picture turned upright: `height` x `width`."""
    boxes = tuple(
        Box(*turn_extent_upright((each.x, each.y, each.width, each.height), turn, height, width))
        for each in truth.boxes
    )
    return replace(truth, boxes=boxes, mask=truth.mask and Turned(truth.mask, turn))


def check_truth(truth: GroundTruth, height: int, width: int, where: Callable[[str], str]) -> None:
    """DataError where a truth does not fit an image of this size; `where` says where a column stands."""
    if truth.mask is not None:
        try:
            size = truth.mask.size()
        except DataError as error:
            raise DataError(f"{where('mask')}: {error} (mask of {truth.label!r}).") from None
        if size not in (None, (height, width)):
            raise DataError(
                f"{where('mask')}: the mask of {truth.label!r} is {size[1]} x {size[0]} pixels, "
                f"its image {width} x {height}."
            )
    outlines = getattr(truth.mask, "polygons", ())
    bounds = [("boxes", "a box", box.bounds) for box in truth.boxes]
    bounds += [("mask", "a polygon", _bounds(points)) for points in outlines]
    for column, shape, (left, top, right, bottom) in bounds:
        over = max(-left, -top, right - width, bottom - height)
        if over > OVERHANG or left >= width or top >= height:
            raise DataError(
                f"{where(column)}: {shape} of {truth.label!r} reaches outside its image of "
                f"{width} x {height} pixels."
            )


def _bounds(points: tuple[float, ...]) -> regions.Bounds:
    return min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])


def read_box(values: list, label: str, where: Callable[[str], str]) -> Box:
    """Four numbers, or their texts, as x, y, width, height; DataError where they are no box."""
    try:
        numbers = [float(value) for value in values if not isinstance(value, bool)]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    try:
        box = regions.read_box(numbers)
    except ValueError as error:
        raise DataError(f"{where('boxes')}: a box of {label!r} {error}.") from None
    if are_relative(box.bounds):
        raise DataError(f"{where('boxes')}: a box of {label!r} lies within 0 … 1: give it in pixels.")
    return box


def are_relative(coordinates: Iterable[float]) -> bool:
    """Whether what was drawn is given in parts of the image's sides: nobody draws within its first pixel."""
    return all(0 <= value <= 1 for value in coordinates)
