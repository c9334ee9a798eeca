"""Masks as polygons and as run lengths, in the four ways in which data sets write these.

Run lengths count pixels down the columns, from the top left: so many outside, so many inside, and so on.
"""

import math
from dataclasses import dataclass

import numpy as np

from afloc.errors import DataError
from afloc.evaluation.datasets.ground_truth import draw_boxes
from afloc.imaging.regions import Box

Runs = tuple[int, ...]

_FAR = 1e9  # pixels; of a corner further away than this only the direction counts


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
        """bool (height, width): the pixels whose centre lies in one of the polygons, and the runs."""
        mask = np.zeros((height, width), bool)
        for polygon in self.polygons:
            draw_polygon(polygon, mask)
        for runs in self.runs:
            mask |= draw_runs(runs, height, width)
        return mask


def draw_polygon(polygon: tuple[float, ...], mask: np.ndarray) -> None:
    """Set the pixels of a bool (H, W) mask whose centre lies in the polygon (x, y, x, y, …), at least one.

    Where it crosses itself, by the even-odd rule.
    """
    height, width = mask.shape
    points = np.clip(np.reshape(np.asarray(polygon, float), (-1, 2)), -_FAR, _FAR)
    (left, top), (right, bottom) = points.min(0), points.max(0)
    rows, columns = _pixels(top, bottom, height), _pixels(left, right, width)
    part = mask[rows, columns]
    inside = _inside(points - (columns.start, rows.start), *part.shape)
    part |= inside
    if inside.any():
        return
    if 0 < min(right - left, bottom - top) < 1:  # as its box is drawn
        mask |= draw_boxes((Box(left, top, right - left, bottom - top),), height, width)
    else:  # thinner than a pixel: what its outline passes through
        steps = np.linspace(points, np.roll(points, -1, axis=0), 2 * sum(part.shape) + 2)
        x, y = np.floor(steps).astype(int).reshape(-1, 2).T
        mask[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] = True


def _pixels(start: float, end: float, limit: int) -> slice:
    """The pixels whose centres lie from `start` to `end`, of `limit`."""
    first, last = (min(max(0, math.ceil(value - 0.5)), limit) for value in (start, end))
    return slice(first, last)


def _inside(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """bool (height, width): a centre is inside where an odd number of edges lies to its left."""
    ends = np.roll(points, -1, axis=0)
    (x, y), (across, down) = points.T, (ends - points).T
    first = np.clip(np.ceil(np.minimum(y, ends[:, 1]) - 0.5), 0, height).astype(int)
    rows = np.clip(np.ceil(np.maximum(y, ends[:, 1]) - 0.5), 0, height).astype(int) - first
    edge = np.repeat(np.arange(len(points)), rows)  # one entry for each row that an edge crosses
    row = np.arange(len(edge)) - (np.cumsum(rows) - rows - first)[edge]
    crossing = x[edge] + (row + 0.5 - y[edge]) * across[edge] / down[edge]
    crossed = np.zeros((height, width + 1), bool)
    np.logical_xor.at(crossed, (row, np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)), True)
    return np.logical_xor.accumulate(crossed[:, :width], axis=1)


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


def read_numbered_runs(text: str, height: int, width: int) -> Runs:
    """Pairs "start length start length …", as CheXmask has them: starts are pixels counted from 1, rising."""
    try:
        values = [int(value) for value in text.split()]
    except ValueError:
        raise DataError("the run lengths should be whole numbers") from None
    if len(values) % 2:
        raise DataError("the run lengths should come in pairs")
    runs, end = [], 1
    for start, length in zip(values[::2], values[1::2], strict=True):
        if start < end:
            raise DataError("a run starts before the one before it ends")
        runs += [start - end, length]
        end = start + length
    return _checked(runs, height, width)


def _checked(runs: list[int], height: int, width: int) -> Runs:
    if any(run < 0 for run in runs):
        raise DataError("a run length is negative")
    if sum(runs) > height * width:
        raise DataError(f"the run lengths go beyond {width} x {height} pixels")
    return tuple(runs)
