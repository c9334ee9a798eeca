"""What findings look like, known beforehand: of a finding that a row names, which cells of its picture can
show it, and which cannot.

Textbook knowledge, not marks: nothing lies outside the retina or on bare glass; hard exudates and drusen are
small, bright and round, haemorrhages and microaneurysms small, dark and round, which vessels are not; nuclei
are what haematoxylin stains, and glands are what the pinker stroma is not.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter
from skimage.color import rgb2hed
from skimage.feature import hessian_matrix, hessian_matrix_eigvals
from torch import Tensor

CELL = 8  # pixels a side
PALE = 0.3  # optical density of green below which little is stained
DARK = 0.12  # of the range of grey: what is darker was not photographed

Seen = tuple[np.ndarray, np.ndarray]  # what can show it and what cannot, bool (cells, cells)
Look = Callable[[np.ndarray, np.ndarray], Seen]  # of a picture (S, S, 3), 0 … 1, and its field


class Looks:
    """The looks of a batch of pictures (B, 3, S, S), 0 … 255; each is worked out once, when it is asked for.

    A chest film has none: what is dark or bright in it depends on what lies before and behind.
    """

    def __init__(self, pixels: Tensor, modality: str):
        self._pictures = pixels.permute(0, 2, 3, 1).numpy() / 255
        self._field = {"fundus": retina, "histopathology": tissue}.get(modality)
        self.of = cache(self._of)
        self._field_of = cache(lambda row: self._field(self._pictures[row]))

    def _of(self, finding: str, row: int) -> tuple[Tensor, Tensor] | None:
        """Where picture `row` can show `finding` and where it cannot: bool (cells, cells); None if nothing
        is known."""
        if self._field is None:
            return None
        field = self._field_of(row)
        inside, outside = LOOKS[finding](self._pictures[row], field) if finding in LOOKS else (field, ~field)
        return torch.from_numpy(inside), torch.from_numpy(outside)


def retina(picture: np.ndarray) -> np.ndarray:
    """Cells on the retina, not on the black round it."""
    return _cells(picture.max(-1)) > DARK


def tissue(picture: np.ndarray) -> np.ndarray:
    """Cells on tissue, not on bare glass, nor on the black beyond a turned picture."""
    return (_cells(picture.min(-1)) < 0.82) & (_cells(picture.max(-1)) > DARK)


def bright_spots(picture: np.ndarray, field: np.ndarray) -> Seen:
    """Small, bright and round, but for the optic disc, the brightest large thing."""
    return _spots(_roundness(-picture[..., 1]), field, field & ~_disc(picture, field), 0.06)


def dark_spots(picture: np.ndarray, field: np.ndarray) -> Seen:
    """Small, dark and round."""
    return _spots(_roundness(picture[..., 1]), field, field, 0.08)


def nuclei(picture: np.ndarray, field: np.ndarray) -> Seen:
    """Where haematoxylin is (Ruifrok & Johnston 2001), and where it is not."""
    return _between(_cells(rgb2hed(picture.clip(0, 1))[..., 0]), field, 0.8, 0.5)


def glands(picture: np.ndarray, field: np.ndarray) -> Seen:
    """Epithelium and what it encloses: anything but stroma, which takes less of the blue stain for its pink.
    The lumen may be as empty as glass."""
    red, green = (gaussian_filter(_cells(-np.log(picture[..., c] + 1 / 256)), 1.0) for c in (0, 1))
    inside, pink = _between(red / (green + 0.05), _cells(picture.max(-1)) > DARK, 0.6, 0.3)
    return inside, pink & (green > PALE)


LOOKS: dict[str, Look] = {
    **dict.fromkeys(("hard_exudate", "soft_exudate", "drusen"), bright_spots),
    **dict.fromkeys(("haemorrhage", "microaneurysm", "red_lesion"), dark_spots),
    **dict.fromkeys(("nuclei", "tumor_nuclei"), nuclei),
    **dict.fromkeys(("colon_gland", "prostate_gland"), glands),
}


def _cells(values: np.ndarray, pixels: int = CELL, pool: Callable = np.mean) -> np.ndarray:
    """The mean (or other `pool`) of each cell, `pixels` a side, of a picture (S, S)."""
    side = values.shape[0] // pixels
    return pool(values.reshape(side, pixels, side, pixels), axis=(1, 3))


def _roundness(values: np.ndarray) -> np.ndarray:
    """How much each cell holds of a small round dip: the lesser curvature, which lines and edges lack, at the
    best of three sizes (Lindeberg 1998)."""
    small = values.reshape(values.shape[0] // 2, 2, -1, 2).mean((1, 3))
    sizes = [small.shape[0] / part for part in (160, 80, 40)]
    curved = [
        size**2 * hessian_matrix_eigvals(hessian_matrix(small, size, use_gaussian_derivatives=False))[1]
        for size in sizes
    ]
    return _cells(np.max(curved, 0), CELL // 2, np.max)


def _disc(picture: np.ndarray, field: np.ndarray) -> np.ndarray:
    cells = field.shape[0]
    bright = gaussian_filter(_cells(picture[..., :2].sum(-1)) * field, cells / 28)
    row, column = np.unravel_index(bright.argmax(), bright.shape)
    y, x = np.mgrid[:cells, :cells]
    return (y - row) ** 2 + (x - column) ** 2 <= (0.12 * cells) ** 2


def _spots(contrast: np.ndarray, field: np.ndarray, allowed: np.ndarray, share: float) -> Seen:
    """The `share` of the allowed cells with the strongest contrast, away from the field's edge; and what is
    off the field, not allowed or weaker than most."""
    allowed = allowed & minimum_filter(field, 5, mode="constant")
    if not allowed.any():
        return allowed, ~field
    strong, weak = np.quantile(contrast[allowed], (1 - share, 0.5))
    spots = allowed & (contrast >= strong)
    return spots, (~allowed | (contrast < weak)) & ~maximum_filter(spots, 3)


def _between(values: np.ndarray, field: np.ndarray, high: float, low: float) -> Seen:
    """The cells of the field above its quantile `high`, and those below its quantile `low` or off it."""
    if not field.any():
        return field, ~field
    top, bottom = np.quantile(values[field], (high, low))
    return field & (values > top), ~field | (values <= bottom)
