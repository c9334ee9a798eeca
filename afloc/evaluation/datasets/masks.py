"""Masks as polygons and as run lengths, in the three ways in which data sets write these.

Run lengths count pixels down the columns, from the top left: so many outside, so many inside, and so on.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from afloc.errors import DataError

Runs = tuple[int, ...]


@dataclass(frozen=True)
class Shapes:
    """A mask put together from `polygons` ((x, y, x, y, …) in pixels) and run lengths, (height, width) large.

    `runs`: each ends where the mask does or before. `extent`: None where only polygons are given.
    """

    polygons: tuple[tuple[float, ...], ...] = ()
    runs: tuple[Runs, ...] = ()
    extent: tuple[int, int] | None = None

    def size(self) -> tuple[int, int] | None:
        """(height, width), or None if it is whatever the image has."""
        return self.extent

    def draw(self, height: int, width: int) -> np.ndarray:
        """bool (height, width). A polygon's outline belongs to it, as Pillow draws it."""
        picture = Pillow.new("1", (width, height))
        pen = ImageDraw.Draw(picture)
        for polygon in self.polygons:
            # Pillow's coordinates name pixels, ours their corners.
            pen.polygon([value - 0.5 for value in polygon], fill=1)
        mask = np.array(picture, bool)
        for runs in self.runs:
            mask |= draw_runs(runs, height, width)
        return mask


def draw_runs(runs: Runs | np.ndarray, height: int, width: int) -> np.ndarray:
    """bool (height, width) from run lengths, the first of them outside."""
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, np.asarray(runs, np.int64))
    flat = np.zeros(height * width, bool)
    flat[: len(inside)] = inside
    return flat.reshape(width, height).T


def encode_runs(mask: np.ndarray) -> Runs:
    """The run lengths of a bool (height, width) mask, the first outside: the reverse of `draw_runs`."""
    flat = np.concatenate([[False], mask.T.reshape(-1)])
    starts = np.flatnonzero(flat[1:] != flat[:-1])
    return tuple(np.diff(np.concatenate([[0], starts, [mask.size]])).tolist())


def read_coco_runs(counts: object, height: int, width: int) -> Runs:
    """COCO's `counts`, a list of run lengths or its compressed string.

    The string holds five bits a character, the low ones first, sign-extended; from the third run on, what is
    written is the difference to the run before the last (cocodataset/cocoapi, common/maskApi.c).
    DataError where they are no runs of an image of this size.
    """
    runs: list[int] = []
    if isinstance(counts, list):
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in counts):
            raise DataError("the run lengths should be whole numbers")
        runs = list(counts)
    elif isinstance(counts, str):
        value, shift = 0, 0
        for character in counts:
            bits = ord(character) - 48
            if not 0 <= bits < 64:
                raise DataError("the run lengths hold a character that COCO does not use")
            value |= (bits & 31) << shift
            shift += 5
            if bits & 32:
                continue
            if bits & 16:
                value -= 1 << shift
            runs.append(value + runs[-2] if len(runs) > 2 else value)
            value, shift = 0, 0
        if shift:
            raise DataError("the run lengths end in the middle of a number")
    else:
        raise DataError("the run lengths should be a list or a text")
    return _checked(runs, height, width)


def read_size(size: object, location: str) -> tuple[int, int]:
    """A JSON [height, width] as (height, width); DataError where it is none."""
    if isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size):
        return size[0], size[1]
    raise DataError(f"{location}: size should be [height, width].")


def read_relative_runs(text: str, height: int, width: int) -> Runs:
    """Pairs "gap length gap length …", as the SIIM-ACR competition has them: the gap from the end of the run
    before."""
    try:
        runs = [int(value) for value in text.split()]
    except ValueError:
        raise DataError("the run lengths should be whole numbers") from None
    if len(runs) % 2:
        raise DataError("the run lengths should come in pairs")
    return _checked(runs, height, width)


def _checked(runs: list[int], height: int, width: int) -> Runs:
    if any(run < 0 for run in runs):
        raise DataError("a run length is negative")
    if sum(runs) > height * width:
        raise DataError(f"the run lengths go beyond {width} x {height} pixels")
    return tuple(runs)
