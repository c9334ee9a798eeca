"""The frame of a frontal chest film: the box of its lungs and the midline, found on the film itself.

A pair of textbook lungs, darker than what surrounds them, is laid over the film. Their place and size are
those at which they correlate best with its brightness, kept near those of an ordinary film. So a lung that is
white with disease still has its place: it is drawn where the rest of the chest says that it lies.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage
from skimage.measure import grid_points_in_poly

THUMBNAIL = 64  # pixels a side of what is looked at
LEAST_FIT = 0.35  # correlation below which a frame is not trusted: that of one ordinary film in fifty

# The outline of each lung in the frame: x from -1 (the edge of the right lung) over 0 (the midline) to 1 (the
# edge of the left one), y from 0 (their top) to 1 (their bottom).
_OUTER = ((0.45, 0), (0.62, 0.06), (0.78, 0.22), (0.9, 0.45), (0.97, 0.7), (1, 0.97))
_RIGHT = (
    *((0.2, 0.1), (0.3, 0.02), *_OUTER, (0.93, 0.99), (0.75, 0.88), (0.5, 0.84), (0.3, 0.87)),
    *((0.22, 0.9), (0.24, 0.7), (0.22, 0.5), (0.2, 0.3)),
)
_LEFT = (  # with the bay of the heart
    *((0.2, 0.1), (0.3, 0.02), *_OUTER, (0.93, 1), (0.8, 0.93), (0.66, 0.9), (0.58, 0.9), (0.52, 0.76)),
    *((0.42, 0.64), (0.28, 0.5), (0.22, 0.36), (0.24, 0.28), (0.22, 0.2)),
)

# Of a frame: midline, width right and left of it, top, bottom, as shares of the film's width and height.
_USUAL = np.array([0.5, 0.38, 0.38, 0.09, 0.82])
_SPREAD = np.array([0.04, 0.05, 0.05, 0.06, 0.09])
_LIMITS = ((0.3, 0.7), (0.2, 0.5), (0.2, 0.5), (-0.1, 0.35), (0.5, 1.05))
_PULL = 0.05  # towards the usual frame: correlation that the mean square of one spread costs

_SIDE = 32  # cells a side of the film while it is fitted
_CELLS = 32  # of the drawn lungs: rows, and columns on each side of the midline
_MARGIN = 8  # cells around the drawn lungs
_COARSE = 5  # cells: what is smoother than this is exposure, not anatomy
_STEP = 0.01  # of a numerical derivative


@dataclass(frozen=True)
class LungFrame:
    """Where the lungs lie in a film, as shares of its width and height, from the top left.

    `right`, `left`: the outer edges of the patient's lungs, the right one on the film's left side. `fit`: the
    correlation of drawn lungs in this frame with the film.
    """

    midline: float
    right: float
    left: float
    top: float
    bottom: float
    fit: float

    def across(self, x: np.ndarray) -> np.ndarray:
        """Places `x` (shares of the film's width) in the frame: -1 right edge, 0 midline, 1 left edge."""
        x = np.asarray(x) - self.midline
        return np.where(x < 0, x / (self.midline - self.right), x / (self.left - self.midline))

    def down(self, y: np.ndarray) -> np.ndarray:
        """Places `y` (shares of the film's height) in the frame: 0 top, 1 bottom."""
        return (np.asarray(y) - self.top) / (self.bottom - self.top)


def find_lung_frame(thumbnail: np.ndarray) -> LungFrame | None:
    """The frame of a film that hangs as usual, shrunk to uint8 (64, 64); None where no lungs are found that
    fit well enough."""
    from scipy.optimize import minimize

    film = _Film(thumbnail)

    def misfit(frame: np.ndarray) -> tuple[float, np.ndarray]:
        """With its derivatives."""
        steps = _STEP * np.eye(len(frame))
        frames = frame + np.concatenate([np.zeros((1, len(frame))), steps, -steps])
        unusual = (((frames - _USUAL) / _SPREAD) ** 2).mean(1)
        here, after, before = np.split(_PULL * unusual - film.correlations(frames), (1, 1 + len(frame)))
        return float(here[0]), (after - before) / (2 * _STEP)

    settings = {"maxiter": 25, "ftol": 1e-4}
    found = minimize(misfit, _USUAL, jac=True, method="L-BFGS-B", bounds=_LIMITS, options=settings).x
    fit = float(film.correlations(found[None])[0])
    if not fit >= LEAST_FIT:
        return None
    middle, right, left, top, bottom = found.tolist()
    return LungFrame(middle, middle - right, middle + left, top, bottom, fit)


class _Film:
    """A film to lay lungs over: its brightness without the exposure, and what of it counts."""

    def __init__(self, thumbnail: np.ndarray):
        step = THUMBNAIL // _SIDE
        cells = thumbnail.astype(np.float64).reshape(_SIDE, step, _SIDE, step).mean((1, 3))
        self._weights = _middle() * ~_surroundings(cells)
        counted = (self._weights > 0).astype(np.float64)
        cells = cells - _blur(cells * counted) / (_blur(counted) + 1e-3)
        cells = cells - self._mean(cells)
        cells = np.clip(cells / (np.sqrt(self._mean(cells**2)) + 1e-6), -2, 2)
        self._cells = self._weights * (cells - self._mean(cells))
        self._size = np.sqrt((self._cells * cells).sum())

    def correlations(self, frames: np.ndarray) -> np.ndarray:
        """Of the film with the lungs in each of K frames (K, 5), dark: (K,)."""
        lungs = draw_lungs(frames)
        lungs = lungs - _blur(lungs)
        total = self._weights.sum()
        means = (self._weights * lungs).sum((1, 2)) / total
        spread = (self._weights * lungs**2).sum((1, 2)) - total * means**2
        return -(self._cells * lungs).sum((1, 2)) / (self._size * np.sqrt(spread) + 1e-9)

    def _mean(self, cells: np.ndarray) -> float:
        return float((self._weights * cells).sum() / (self._weights.sum() + 1e-9))


def draw_lungs(frames: np.ndarray) -> np.ndarray:
    """The lungs in each of K frames (K, 5), as the share of each cell that they cover: (K, 32, 32)."""
    middle, right, left, top, bottom = (each[:, None] for each in frames.T)
    places = (np.arange(_SIDE) + 0.5) / _SIDE
    x = places - middle
    columns = (np.where(x < 0, x / right, x / left) + 1) * _CELLS - 0.5
    rows = (places - top) / (bottom - top) * _CELLS - 0.5
    lungs = _lungs()
    return _linear(rows, lungs.shape[0]) @ lungs @ _linear(columns, lungs.shape[1]).transpose(0, 2, 1)


def _linear(positions: np.ndarray, count: int) -> np.ndarray:
    """The weights (K, 32, count) that interpolate the drawn lungs at positions (K, 32), in cells."""
    away = (positions[..., None] + _MARGIN - np.arange(count)).astype(np.float32)
    return np.maximum(1 - np.abs(away), 0)


@cache
def _lungs() -> np.ndarray:
    fine = 4
    shape = (_CELLS * fine, 2 * _CELLS * fine)
    drawn = np.zeros(shape, bool)
    for outline, sign in ((_RIGHT, -1), (_LEFT, 1)):
        corners = [(y * shape[0] - 0.5, (sign * x + 1) * shape[1] / 2 - 0.5) for x, y in outline]
        drawn |= grid_points_in_poly(shape, corners)
    cells = drawn.reshape(_CELLS, fine, 2 * _CELLS, fine).mean((1, 3))
    return ndimage.gaussian_filter(np.pad(cells, _MARGIN), 1.0).astype(np.float32)


@cache
def _middle() -> np.ndarray:
    """How much each cell counts: little at the edges, where arms, letters and the collimator lie."""
    places = (np.arange(_SIDE) + 0.5) / _SIDE
    away = np.hypot((places - 0.5) / 0.46, ((places - 0.47) / 0.5)[:, None])
    return 1 / (1 + np.exp((away - 1) / 0.08))


def _surroundings(cells: np.ndarray) -> np.ndarray:
    """The black around the patient: what is nearly as dark as the darkest, up to the edge of the film."""
    low, high = np.quantile(cells, (0.02, 0.98))
    parts, _ = ndimage.label(cells < low + 0.1 * (high - low))
    at_edge = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    return np.isin(parts, at_edge[at_edge > 0])


def _blur(cells: np.ndarray) -> np.ndarray:
    return _blurring() @ cells @ _blurring().T


@cache
def _blurring() -> np.ndarray:
    return ndimage.gaussian_filter1d(np.eye(_SIDE), _COARSE, axis=0, mode="reflect")
