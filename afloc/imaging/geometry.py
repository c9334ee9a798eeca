"""Where things are: area resizing, and the letterbox that takes an image into the model's square and back.

Coordinates are continuous and count from the top left corner: pixel ``i`` spans ``i`` to ``i + 1``, its
centre is ``i + 0.5``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

Extent = tuple[float, float, float, float]
"""(x, y, width, height): top left corner and extent."""

_SLAB = 4_000_000  # values turned into float64 at a time, so that a 100-megapixel image is never copied whole


def area_resize(
    pixels: np.ndarray, height: int, width: int, enlarge: Literal["linear", "area"] = "linear"
) -> np.ndarray:
    """Resize (H, W) or (H, W, C) ``pixels`` to ``height`` x ``width``, dtype kept.

    An axis that shrinks takes the exact area-weighted average, rounded half to even for integers, as
    OpenCV's INTER_AREA does. An axis that grows is interpolated linearly between pixel centres (its
    INTER_LINEAR), or with ``enlarge="area"`` averaged over the area too: what INTER_AREA comes to there.
    """
    if pixels.shape[:2] == (height, width):
        return pixels.copy()
    return area_resize_several(pixels, [(height, width)], enlarge)[0]


def area_resize_several(
    pixels: np.ndarray, sizes: Sequence[tuple[int, int]], enlarge: Literal["linear", "area"] = "linear"
) -> list[np.ndarray]:
    """What `area_resize` gives for each (height, width) of ``sizes``, in one pass over the ``pixels``."""
    planes = pixels.reshape(*pixels.shape[:2], -1)
    weights = [_resize_weights(planes.shape[0], height, enlarge) for height, _ in sizes]
    ends = np.cumsum([height for height, _ in sizes])
    parts = np.split(_resize_axis(planes, sparse.vstack(weights, format="csr")), ends[:-1])
    resized = []
    for down, (height, width) in zip(parts, sizes, strict=True):
        if (height, width) == pixels.shape[:2]:
            resized.append(pixels.copy())
            continue
        across = _resize_axis(down.swapaxes(0, 1), _resize_weights(planes.shape[1], width, enlarge))
        values = across.swapaxes(0, 1).reshape(height, width, *pixels.shape[2:])
        resized.append(_as_dtype_of(pixels, values))
    return resized


def _as_dtype_of(pixels: np.ndarray, resized: np.ndarray) -> np.ndarray:
    if not np.issubdtype(pixels.dtype, np.integer):
        return resized.astype(pixels.dtype)
    # OpenCV halves integers with (a + b + c + d + 2) >> 2: its only case that rounds half up.
    halved = pixels.shape[:2] == (2 * resized.shape[0], 2 * resized.shape[1])
    return (np.floor(resized + 0.5) if halved else np.rint(resized)).astype(pixels.dtype)


def bilinear(
    grid: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    row_limits: tuple[int, int] | None = None,
    column_limits: tuple[int, int] | None = None,
) -> np.ndarray:
    """Sample (..., R, C) ``grid`` at fractional indices, float32 (..., len(rows), len(columns)).

    Index ``i`` is the centre of cell ``i``. Outside the limits (first and last cell; None: the grid's own)
    the border cell is repeated, and no cell beyond them is read.
    """
    grid = np.asarray(grid, np.float32)
    return _linear_axis(_linear_axis(grid, rows, -2, row_limits), columns, -1, column_limits)


@dataclass(frozen=True)
class Letterbox:
    """An image scaled to fit a square, its proportions kept, centred on black.

    ``height`` x ``width`` is the image, ``size`` the side of the square; the scaled image is ``inner_height``
    x ``inner_width`` with its corner at (``left``, ``top``). All in pixels.
    """

    height: int
    width: int
    size: int
    inner_height: int
    inner_width: int
    top: int
    left: int
    enlarge: Literal["linear", "area"] = "linear"

    @classmethod
    def fit(cls, height: int, width: int, size: int, aspect: float = 1.0) -> "Letterbox":
        """The native letterbox: the short side is rounded to the nearest pixel.

        ``aspect``: height of the image's pixels over their width; in the square they are square.
        """
        long_side = max(height * aspect, width)
        inner_height = max(1, round(height * aspect * size / long_side))
        inner_width = max(1, round(width * size / long_side))
        return cls._centred(height, width, size, inner_height, inner_width, "linear")

    @classmethod
    def paper(cls, height: int, width: int, size: int = 224) -> "Letterbox":
        """The letterbox of the released AFLoc code: the short side is truncated, in double precision."""
        scale = size / float(max(height, width))
        inner_height = size if height >= width else max(1, int(height * scale))
        inner_width = size if width > height else max(1, int(width * scale))
        return cls._centred(height, width, size, inner_height, inner_width, "area")

    @classmethod
    def _centred(cls, height, width, size, inner_height, inner_width, enlarge) -> "Letterbox":
        top, left = (size - inner_height) // 2, (size - inner_width) // 2
        return cls(height, width, size, inner_height, inner_width, top, left, enlarge)

    def image(self, pixels: np.ndarray) -> np.ndarray:
        """(height, width[, C]) pixels in the square, (size, size[, C]), dtype kept, zero around."""
        self._check(pixels)
        square = np.zeros((self.size, self.size, *pixels.shape[2:]), pixels.dtype)
        square[self._inside] = area_resize(pixels, self.inner_height, self.inner_width, self.enlarge)
        return square

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """A bool (height, width) mask in the square, bool (size, size); sampled at pixel centres."""
        self._check(mask)
        rows = ((np.arange(self.inner_height) + 0.5) * self.height / self.inner_height).astype(int)
        columns = ((np.arange(self.inner_width) + 0.5) * self.width / self.inner_width).astype(int)
        square = np.zeros((self.size, self.size), bool)
        square[self._inside] = mask[np.ix_(rows, columns)]
        return square

    def unmask(self, mask: np.ndarray) -> np.ndarray:
        """A bool (size, size) mask of the square on the image, bool (height, width)."""
        rows = ((np.arange(self.height) + 0.5) * self.inner_height / self.height).astype(int)
        columns = ((np.arange(self.width) + 0.5) * self.inner_width / self.width).astype(int)
        return np.asarray(mask, bool)[self._inside][np.ix_(rows, columns)]

    def point(self, point: tuple[float, float]) -> tuple[float, float]:
        """(x, y) of the image, in the square."""
        x, y = point
        return self.left + x * self.inner_width / self.width, self.top + y * self.inner_height / self.height

    def unpoint(self, point: tuple[float, float]) -> tuple[float, float]:
        """(x, y) of the square, on the image."""
        x, y = point
        return (x - self.left) * self.width / self.inner_width, (
            y - self.top
        ) * self.height / self.inner_height

    def box(self, box: Iterable[float]) -> Extent:
        """(x, y, width, height) of the image, in the square."""
        return _map_box(self.point, box)

    def unbox(self, box: Iterable[float]) -> Extent:
        """(x, y, width, height) of the square, on the image."""
        return _map_box(self.unpoint, box)

    def paper_box(self, box: Iterable[float]) -> tuple[int, int, int, int]:
        """A box of the image in the square as the released code has it: scaled, truncated, then moved."""
        scale = self.size / float(max(self.height, self.width))
        x, y, width, height = (int(value * scale) for value in box)
        return x + self.left, y + self.top, width, height

    def valid(self, cells: int) -> np.ndarray:
        """bool (cells, cells): the cells of a grid over the square whose centre lies on the image.

        Of an image thinner than a cell, the row or column of cells nearest to it.
        """
        (first_row, last_row), (first_column, last_column) = self._limits(cells)
        valid = np.zeros((cells, cells), bool)
        valid[first_row : last_row + 1, first_column : last_column + 1] = True
        return valid

    def crop(self, grid: np.ndarray) -> np.ndarray:
        """A map over the square, (..., cells, cells), cut to the image: float32 (..., rows, columns).

        Resampled bilinearly from the valid cells only, at about the same cell size.
        """
        cells = grid.shape[-1]
        rows = _crop_positions(cells, self.size, self.top, self.inner_height)
        columns = _crop_positions(cells, self.size, self.left, self.inner_width)
        return bilinear(grid, rows, columns, *self._limits(cells))

    @property
    def _inside(self) -> tuple[slice, slice]:
        return (
            slice(self.top, self.top + self.inner_height),
            slice(self.left, self.left + self.inner_width),
        )

    def _limits(self, cells: int) -> tuple[tuple[int, int], tuple[int, int]]:
        return (
            _cell_limits(cells, self.size, self.top, self.inner_height),
            _cell_limits(cells, self.size, self.left, self.inner_width),
        )

    def _check(self, pixels: np.ndarray) -> None:
        if pixels.shape[:2] != (self.height, self.width):
            raise ValueError(f"expected {self.height} x {self.width} pixels, not {pixels.shape[:2]}")


def _resize_weights(old: int, new: int, enlarge: str) -> sparse.csr_array:
    """Weights (new, old) that resize one axis; each row sums to 1."""
    if new > old and enlarge == "linear":
        centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        first = np.minimum(centres.astype(int), max(old - 2, 0))
        share = centres - first
        source = np.stack([first, np.minimum(first + 1, old - 1)], 1)
        weight = np.stack([1 - share, share], 1)
    else:
        # Edges in units of 1 / (old * new), whole numbers, so that no overlap is off by a rounding error.
        start = np.arange(new)[:, None] * old
        stop = start + old
        source = start // new + np.arange(-(-old // new) + 1)[None]
        overlap = np.minimum(stop, (source + 1) * new) - np.maximum(start, source * new)
        weight = np.maximum(overlap, 0) / old
        source = np.minimum(source, old - 1)  # beyond the last pixel the overlap is 0
    target = np.broadcast_to(np.arange(new)[:, None], source.shape)
    return sparse.csr_array((weight.ravel(), (target.ravel(), source.ravel())), shape=(new, old))


def _resize_axis(planes: np.ndarray, weights: sparse.csr_array) -> np.ndarray:
    """Apply (new, old) weights to the first axis of (old, K, C) planes: float64 (new, K, C)."""
    old, count, channels = planes.shape
    resized = np.empty((weights.shape[0], count, channels))
    step = max(1, _SLAB // (old * channels))
    for start in range(0, count, step):
        slab = planes[:, start : start + step].reshape(old, -1).astype(np.float64)
        resized[:, start : start + step] = (weights @ slab).reshape(weights.shape[0], -1, channels)
    return resized


def _linear_axis(
    grid: np.ndarray, positions: np.ndarray, axis: int, limits: tuple[int, int] | None
) -> np.ndarray:
    first, last = limits or (0, grid.shape[axis] - 1)
    positions = np.clip(positions, first, last)
    lower = np.floor(positions).astype(int)
    upper = np.minimum(lower + 1, last)
    share = (positions - lower).astype(np.float32)
    if axis == -2:
        share = share[:, None]
    return np.take(grid, lower, axis) * (1 - share) + np.take(grid, upper, axis) * share


def _map_box(map_point, box: Iterable[float]) -> Extent:
    x, y, width, height = box
    left, top = map_point((x, y))
    right, bottom = map_point((x + width, y + height))
    return left, top, right - left, bottom - top


def _cell_limits(cells: int, size: int, start: int, length: int) -> tuple[int, int]:
    """First and last of ``cells`` cells over ``size`` pixels whose centre lies in [start, start + length)."""
    centres = (np.arange(cells) + 0.5) * size / cells
    inside = np.flatnonzero((centres >= start) & (centres < start + length))
    if len(inside) == 0:
        inside = np.array([np.abs(centres - start - length / 2).argmin()])
    return int(inside[0]), int(inside[-1])


def _crop_positions(cells: int, size: int, start: int, length: int) -> np.ndarray:
    """Fractional cell indices of about as many cells laid over [start, start + length)."""
    count = max(1, round(cells * length / size))
    return (start + (np.arange(count) + 0.5) * length / count) * cells / size - 0.5
