"""What a person marked on an image, and how it is laid over a map.

A `Truth` is the ground truth of one finding on one image: a mask, or boxes. Nothing is decoded before it is
drawn, so that a set of any size fits into memory.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from afloc import paper
from afloc.errors import DataError, ImageError
from afloc.geometry import Box, Letterbox, area_resize
from afloc.heatmap import enlarge
from afloc.images import image_size, read_image
from afloc.locate import Finding

FRAME = 32
"""Rows and columns of a map in coordinates normalised to the image, in which maps of images are averaged."""

OVERHANG = 1.0  # pixels a box may stand out of its image: what rounding leaves


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


@dataclass(frozen=True)
class Truth:
    """Ground truth of one finding on one image.

    `label`: what the set calls it. `mask`: a mask source, with `size() -> (height, width) | None` and
    `draw(height, width) -> bool (height, width)`; it beats `boxes`, which are in pixels of the image.
    `description`: what is asked in place of the label's sentence, where the set has words of its own.
    """

    label: str
    boxes: tuple[Box, ...] = ()
    mask: object | None = None
    description: str | None = None

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


def truth_mask(truth: Truth, height: int, width: int, protocol: str) -> np.ndarray:
    """A truth over the map of its image: as `Truth.draw`, or under protocol `paper` bool (224, 224)."""
    if protocol == "native":
        return truth.draw(height, width)
    letterbox = Letterbox.paper(height, width, paper.SIZE)
    if truth.mask is not None:
        return letterbox.mask(truth.draw(height, width))
    mask = np.zeros((paper.SIZE, paper.SIZE), bool)
    for box in truth.boxes:
        x, y, *size = (max(0.0, value) for value in box)
        mask |= paper.box_mask(letterbox.paper_box((x, y, *size)))
    return mask


def to_frame(finding: Finding) -> np.ndarray:
    """The map of a finding in coordinates normalised to its image, float32 (FRAME, FRAME)."""
    grid = finding.evidence() if finding.letterbox else finding.grid
    return area_resize(np.asarray(grid, np.float32), FRAME, FRAME)


def mask_to_frame(mask: np.ndarray) -> np.ndarray:
    """The share of each cell that a mask of the image covers, float32 (FRAME, FRAME)."""
    return area_resize(mask.astype(np.float32), FRAME, FRAME, enlarge="area")


def from_frame(frame: np.ndarray, height: int, width: int, protocol: str) -> np.ndarray:
    """A map in normalised coordinates over an image of this size, as the protocol lays out its maps."""
    if protocol == "native":
        return enlarge(frame, height, width)
    letterbox = Letterbox.paper(height, width, paper.SIZE)
    square = np.zeros((paper.SIZE, paper.SIZE), np.float32)
    rows = slice(letterbox.top, letterbox.top + letterbox.inner_height)
    columns = slice(letterbox.left, letterbox.left + letterbox.inner_width)
    square[rows, columns] = enlarge(frame, letterbox.inner_height, letterbox.inner_width)
    heatmap = np.full_like(square, np.nan)
    inside = slice(paper.MARGIN, -paper.MARGIN)
    heatmap[inside, inside] = square[inside, inside]
    return heatmap


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture as `read_image` gives it, from its header; DataError if there is none."""
    if not path.is_file():
        raise DataError("there is no such file")
    try:
        return image_size(path)
    except ImageError:
        raise DataError("the file is no picture that can be read") from None


def check_truth(truth: Truth, height: int, width: int, where: Callable[[str], str]) -> None:
    """DataError where a truth does not fit an image of this size; `where` names the place of a column."""
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
    """Four values as x, y, width, height; DataError where they are no box."""
    try:
        if any(isinstance(value, bool) for value in values):
            raise TypeError
        x, y, width, height = (float(value) for value in values)
    except (TypeError, ValueError):
        raise DataError(f"{where('boxes')}: a box of {label!r} needs the numbers x, y, w and h.") from None
    if not all(map(math.isfinite, (x, y, width, height))):
        raise DataError(f"{where('boxes')}: a box of {label!r} holds a value that is not a finite number.")
    if width <= 0 or height <= 0:
        raise DataError(f"{where('boxes')}: a box of {label!r} must be wider and higher than 0.")
    return x, y, width, height
