"""What findings look like, known beforehand: of a finding that a row names, which cells of its picture can
show it, and which cannot.

Textbook knowledge, not marks: nothing lies outside the retina or on bare glass; hard exudates and drusen are
small, bright and round, haemorrhages and microaneurysms small, dark and round, which vessels are not; nuclei
are what haematoxylin stains; glands are epithelium, bluer in bulk than the stroma, and what it encloses, and
polyps, adenomas and adenocarcinomas are of that epithelium.
"""

from collections.abc import Callable
from functools import cache, cached_property

import numpy as np
import torch
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    binary_erosion,
    binary_opening,
    gaussian_filter,
    maximum_filter,
    minimum_filter,
)
from skimage.color import rgb2hed
from skimage.feature import hessian_matrix, hessian_matrix_eigvals
from skimage.filters import threshold_otsu
from skimage.measure import label
from skimage.morphology import remove_small_objects
from torch import Tensor

CELL = 8  # pixels a side
PALE = 0.7  # of the range of grey: where the darkest colour is brighter, little is stained
DARK = 0.12  # of the range of grey: what is darker was not photographed

Seen = tuple[np.ndarray, np.ndarray]  # what can show it and what cannot, bool (cells, cells)
Look = Callable[[np.ndarray, np.ndarray], Seen]  # of a picture (S, S, 3), 0 … 1, and its field


class Looks:
    """The looks of one picture (3, S, S), 0 … 255, or of the part of it in `region`, bool (S/8, S/8), as if
    no more had been photographed; each is worked out once, when it is asked for.

    A chest film has none: what is dark or bright in it depends on what lies before and behind.
    """

    def __init__(self, pixels: Tensor, region: Tensor, modality: str):
        self._pixels, self._region = pixels, region.numpy()
        self._find_field = {"fundus": retina, "histopathology": tissue}.get(modality)
        self.of = cache(self._of)

    @cached_property
    def _picture(self) -> np.ndarray:
        seen = self._region.repeat(CELL, 0).repeat(CELL, 1)[..., None]
        return self._pixels.permute(1, 2, 0).numpy() / 255 * seen

    @cached_property
    def _field(self) -> np.ndarray:
        return self._find_field(self._picture)

    def _of(self, finding: str) -> tuple[Tensor, Tensor] | None:
        """Where the region can show `finding` and where it cannot: bool (S/8, S/8); None if nothing is
        known."""
        if self._find_field is None:
            return None
        look = LOOKS.get(finding)
        inside, outside = look(self._picture, self._field) if look else (self._field, ~self._field)
        return torch.from_numpy(inside & self._region), torch.from_numpy(outside & self._region)


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
    """Epithelium, whose nuclei stand so close that it is blue in bulk, with what it encloses: mucus, and
    lumens as empty as glass. What is stained otherwise, and not beside it, is stroma. Where little is in
    bulk, as at a high magnification, nothing is known."""
    pixels = CELL // 2
    small = picture.reshape(picture.shape[0] // pixels, pixels, -1, pixels, 3).mean((1, 3))
    side = small.shape[0]
    shown = binary_erosion(small.max(-1) > DARK, border_value=1)
    pale = shown & (small.min(-1) > PALE)
    stained = shown & ~pale
    if not stained.any():
        return np.zeros_like(field), _cells(shown, 2) < 0.5
    red = gaussian_filter(-np.log(small[..., 0] + 1 / 256) * stained, side / 64)
    blue = red / (gaussian_filter(stained.astype(float), side / 64) + 1e-3)
    threshold = threshold_otsu(blue[stained])
    inside = remove_small_objects(stained & (blue >= threshold), max_size=round(0.006 * side**2))
    for holes, largest, share in ((pale, 1.0, 0.5), (shown & ~inside, 0.15, 0.7)):
        inside = inside | _enclosed(binary_opening(holes), inside, stained, largest, share)
    inside = binary_closing(np.pad(inside, 4, mode="edge"), iterations=2)[4:-4, 4:-4]
    if inside.sum() < 0.1 * shown.sum():
        return np.zeros_like(field), _cells(shown, 2) < 0.5
    stroma = stained & (blue < threshold) & ~binary_dilation(inside, iterations=3)
    return _cells(inside, 2) > 0.5, (_cells(stroma, 2) > 0.5) | (_cells(shown, 2) < 0.5)


GLANDULAR = (
    *("colon_gland", "prostate_gland", "prostate_tumor", "colorectal_polyp", "serrated_adenoma"),
    *("low_grade_neoplasia", "high_grade_neoplasia", "colorectal_adenocarcinoma"),
)


LOOKS: dict[str, Look] = {
    **dict.fromkeys(("hard_exudate", "soft_exudate", "drusen"), bright_spots),
    **dict.fromkeys(("haemorrhage", "microaneurysm", "red_lesion"), dark_spots),
    **dict.fromkeys(("nuclei", "tumor_nuclei"), nuclei),
    **dict.fromkeys(GLANDULAR, glands),
}


ALL_OF_IT = frozenset({"nuclei", *GLANDULAR})  # what looks like these is one, not only may be


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


def _enclosed(
    holes: np.ndarray, by: np.ndarray, counted: np.ndarray, largest: float, share: float
) -> np.ndarray:
    """The connected `holes`, at most `largest` of the picture each, of whose surroundings, as far as
    `counted`, at least `share` are `by`."""
    numbered = label(holes, connectivity=1)
    found = np.zeros_like(holes)
    for number, area in enumerate(np.bincount(numbered.ravel())[1:], 1):
        if area > largest * holes.size:
            continue
        hole = numbered == number
        around = binary_dilation(hole, iterations=holes.shape[0] // 32) & ~hole & counted
        if around.any() and by[around].mean() >= share:
            found |= hole
    return found


def _between(values: np.ndarray, field: np.ndarray, high: float, low: float) -> Seen:
    """The cells of the field above its quantile `high`, and those below its quantile `low` or off it."""
    if not field.any():
        return field, ~field
    top, bottom = np.quantile(values[field], (high, low))
    return field & (values > top), ~field | (values <= bottom)
