"""Appearance priors: the cells of an image that can show a finding, and those that cannot, from the typical
appearance of the finding.

This is textbook knowledge; no annotation is used. No finding lies outside the retina or on bare glass. Hard
exudates and drusen are small, bright and round; haemorrhages and microaneurysms are small, dark and round;
vessels are not round. Haematoxylin stains nuclei. Glands are epithelium, which is bluer on average than the
stroma, and the space that it encloses; polyps, adenomas and adenocarcinomas consist of that epithelium.
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
PALE = 0.7  # a pixel whose darkest colour is brighter than this share of the range is hardly stained
DARK = 0.12  # a pixel that is darker than this share of the range lies outside the photographed field

Cells = tuple[np.ndarray, np.ndarray]  # cells that can show a finding, and cells that cannot: bool (h, w)
AppearancePrior = Callable[[np.ndarray, np.ndarray], Cells]  # of an image (S, S, 3), 0 … 1, and its field


class AppearancePriors:
    """The appearance priors of an image (3, S, S), 0 … 255, or of its part in `region`, bool (S/8, S/8), as
    if the rest lay outside the photographed field. Each is computed once, when it is first asked for.

    Chest films have none: a film superimposes everything along the ray, so that brightness alone tells
    little.
    """

    def __init__(self, pixels: Tensor, region: Tensor, modality: str):
        self._pixels, self._region = pixels, region.numpy()
        self._find_field = {"fundus": retina, "histopathology": tissue}.get(modality)
        self.of = cache(self._of)

    @cached_property
    def _image(self) -> np.ndarray:
        visible = self._region.repeat(CELL, 0).repeat(CELL, 1)[..., None]
        return self._pixels.permute(1, 2, 0).numpy() / 255 * visible

    @cached_property
    def _field(self) -> np.ndarray:
        assert self._find_field is not None  # `_of` asks only then
        return self._find_field(self._image)

    def _of(self, finding: str) -> tuple[Tensor, Tensor] | None:
        """The cells of the region that can show `finding`, and those that cannot: bool (S/8, S/8). None where
        the modality has no priors."""
        if self._find_field is None:
            return None
        prior = PRIORS.get(finding)
        inside, outside = prior(self._image, self._field) if prior else (self._field, ~self._field)
        return torch.from_numpy(inside & self._region), torch.from_numpy(outside & self._region)


def retina(image: np.ndarray) -> np.ndarray:
    """Cells on the retina, not on the black around it."""
    return _cells(image.max(-1)) > DARK


def tissue(image: np.ndarray) -> np.ndarray:
    """Cells on tissue, not on bare glass, nor on the black corners of a rotated image."""
    return (_cells(image.min(-1)) < 0.82) & (_cells(image.max(-1)) > DARK)


def bright_spots(image: np.ndarray, field: np.ndarray) -> Cells:
    """Small, bright, round spots, without the optic disc, the brightest large structure."""
    return _spots(_roundness(-image[..., 1]), field, field & ~_disc(image, field), 0.06)


def dark_spots(image: np.ndarray, field: np.ndarray) -> Cells:
    """Small, dark, round spots."""
    return _spots(_roundness(image[..., 1]), field, field, 0.08)


def nuclei(image: np.ndarray, field: np.ndarray) -> Cells:
    """Cells with much haematoxylin (Ruifrok & Johnston 2001), and cells with little."""
    return _between(_cells(rgb2hed(image.clip(0, 1))[..., 0]), field, 0.8, 0.5)


def glands(image: np.ndarray, field: np.ndarray) -> Cells:
    """Glands: epithelium, whose dense nuclei make it blue on average, with the mucus and the empty lumens
    that it encloses. Other stained tissue away from it is stroma. Where the image is not clearly of both
    kinds, as at a high magnification, the prior says nothing."""
    pixels = CELL // 2
    small = image.reshape(image.shape[0] // pixels, pixels, -1, pixels, 3).mean((1, 3))
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


PRIORS: dict[str, AppearancePrior] = {
    **dict.fromkeys(("hard_exudate", "soft_exudate", "drusen"), bright_spots),
    **dict.fromkeys(("haemorrhage", "microaneurysm", "red_lesion"), dark_spots),
    **dict.fromkeys(("nuclei", "tumor_nuclei"), nuclei),
    **dict.fromkeys(GLANDULAR, glands),
}


FILLING = frozenset({"nuclei", *GLANDULAR})  # findings that fill all the cells that can show them


def _cells(values: np.ndarray, pixels: int = CELL, pool: Callable = np.mean) -> np.ndarray:
    """The mean (or other `pool`) of each cell, `pixels` a side, of an image (S, S)."""
    side = values.shape[0] // pixels
    return pool(values.reshape(side, pixels, side, pixels), axis=(1, 3))


def _roundness(values: np.ndarray) -> np.ndarray:
    """How strongly each cell shows a small round dip: the smaller principal curvature, which is near 0 on
    lines and edges, at the best of three scales (Lindeberg 1998)."""
    small = values.reshape(values.shape[0] // 2, 2, -1, 2).mean((1, 3))
    sizes = [small.shape[0] / part for part in (160, 80, 40)]
    curved = [
        size**2 * hessian_matrix_eigvals(hessian_matrix(small, size, use_gaussian_derivatives=False))[1]
        for size in sizes
    ]
    return _cells(np.max(curved, 0), CELL // 2, np.max)


def _disc(image: np.ndarray, field: np.ndarray) -> np.ndarray:
    cells = field.shape[0]
    bright = gaussian_filter(_cells(image[..., :2].sum(-1)) * field, cells / 28)
    row, column = np.unravel_index(bright.argmax(), bright.shape)
    y, x = np.mgrid[:cells, :cells]
    return (y - row) ** 2 + (x - column) ** 2 <= (0.12 * cells) ** 2


def _spots(contrast: np.ndarray, field: np.ndarray, allowed: np.ndarray, share: float) -> Cells:
    """The `share` of the allowed cells with the strongest contrast, away from the edge of the field; and the
    cells that are off the field, not allowed, or below the median contrast."""
    allowed = allowed & minimum_filter(field, 5, mode="constant")
    if not allowed.any():
        return allowed, ~field
    strong, weak = np.quantile(contrast[allowed], (1 - share, 0.5))
    spots = allowed & (contrast >= strong)
    return spots, (~allowed | (contrast < weak)) & ~maximum_filter(spots, 3)


def _enclosed(
    holes: np.ndarray, by: np.ndarray, counted: np.ndarray, largest: float, share: float
) -> np.ndarray:
    """The connected `holes`, each at most the share `largest` of the image, whose surroundings consist of
    `by` to at least `share`; only `counted` pixels of the surroundings count."""
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


def _between(values: np.ndarray, field: np.ndarray, high: float, low: float) -> Cells:
    """The cells of the field above its quantile `high`, and those below its quantile `low` or off it."""
    if not field.any():
        return field, ~field
    top, bottom = np.quantile(values[field], (high, low))
    return field & (values > top), ~field | (values <= bottom)
