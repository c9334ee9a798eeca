"""What a person marked on an image: a mask or boxes for one finding.

A mask file is decoded only when it is drawn, so that a set of any size fits into memory.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from afloc.errors import DataError, ImageError
from afloc.imaging import regions
from afloc.imaging.image import image_size, read_image
from afloc.imaging.regions import Box

OVERHANG = 1.0  # pixels a box may stand out of its image: what rounding leaves


class MaskSource(Protocol):
    """A mask that can be drawn."""

    def size(self) -> tuple[int, int] | None:
        """(height, width); None where the mask takes whatever size its image has."""

    def draw(self, height: int, width: int) -> np.ndarray:
        """bool (height, width) of the image."""


@dataclass(frozen=True)
class MaskFile:
    """A picture of the image's size, not zero where the finding is. `name`: as the set names it."""

    path: Path = field(repr=False)
    name: str

    def size(self) -> tuple[int, int]:
        """(height, width)"""
        return picture_size(self.path)

    def draw(self, height: int, width: int) -> np.ndarray:
        pixels = read_image(self.path).pixels
        return (pixels if pixels.ndim == 2 else pixels.max(2)) > 0


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
        fields = (f"{name}={value!r}" for name, value in vars(self).items())
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
    if not path.is_file():
        raise DataError("there is no such file")
    try:
        return image_size(path)
    except ImageError:
        raise DataError("the file is no picture that can be read") from None


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
    for x, y, box_width, box_height in truth.boxes:
        low, right, bottom = min(x, y), x + box_width - width, y + box_height - height
        if max(-low, right, bottom) > OVERHANG or x >= width or y >= height:
            raise DataError(
                f"{where('boxes')}: a box of {truth.label!r} reaches outside its image of "
                f"{width} x {height} pixels."
            )


def read_box(values: list, label: str, where: Callable[[str], str]) -> Box:
    """Four numbers, or their texts, as x, y, width, height; DataError where they are no box."""
    try:
        numbers = [float(value) for value in values if not isinstance(value, bool)]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    try:
        return regions.read_box(numbers)
    except ValueError as error:
        raise DataError(f"{where('boxes')}: a box of {label!r} {error}.") from None
