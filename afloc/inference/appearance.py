"""Out-of-distribution detection: does a picture look like those of its modality? Two cheap tests, fitted on
training images only.

One measures colours, brightness and where they lie (`measure`, `distance`); the other, where a modality has
a layout, asks how much of the shrunk picture its eigen-images cannot draw (`shrink`, `residual`; Turk and
Pentland, 1991). Either alone raises the doubt.

`afloc.training.fit.appearance` fits them and writes assets/appearance.json.
Photographs, drawings, print, textures, CT and MR slices and a film on its side were all doubted; a lateral
film was not at hand.
"""

import json
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from afloc.imaging.image import Image
from afloc.inference.picture import COARSE_SIDE, SIDE, Picture
from afloc.model.calibration import TrainingDistribution
from afloc.resources import ASSETS

FILE = ASSETS / "appearance.json"
SHARE_BY_COLOURS, SHARE_BY_LAYOUT = 0.997, 0.995  # of the training images that raise no doubt
_BLOCKS = 4
EIGEN_IMAGES = 16
MOST_IMAGES = 2500  # training images of a modality
RIDGE = 0.05  # of each measure's variance, so that measures that hardly vary do not decide alone


def measure(picture: Picture) -> np.ndarray:
    """27 numbers of a picture shrunk to 64 x 64, float64.

    Means of 4 x 4 blocks of the brightness; mean and spread of red, green and blue; likeness of the left and
    the mirrored right half; mean step between neighbours at two scales; share of black and of white.
    """
    pixels = np.broadcast_to(picture.thumbnails[0].reshape(SIDE, SIDE, -1), (SIDE, SIDE, 3)) / 255
    luma = pixels.mean(2)
    step = SIDE // _BLOCKS
    blocks = luma.reshape(_BLOCKS, step, _BLOCKS, step).mean((1, 3))
    half = luma.reshape(SIDE // 2, 2, SIDE // 2, 2).mean((1, 3))
    centred = luma - luma.mean()
    symmetry = (centred * centred[:, ::-1]).mean() / (centred.var() + 1e-4)
    return np.array(
        [
            *blocks.ravel(),
            *pixels.mean((0, 1)),
            *pixels.std((0, 1)),
            symmetry,
            _roughness(luma),
            _roughness(half),
            (luma < 0.05).mean(),
            (luma > 0.95).mean(),
        ]
    )


def _roughness(luma: np.ndarray) -> float:
    steps = np.abs(np.diff(luma, axis=0)).mean() + np.abs(np.diff(luma, axis=1)).mean()
    return float(np.log(steps + 1e-3))


def shrink(picture: Picture) -> np.ndarray:
    """The brightness of 16 x 16 cells, float64 (256,), mean 0 and spread next to 1."""
    coarse = picture.thumbnails[1].reshape(COARSE_SIDE, COARSE_SIDE, -1)
    cells = coarse.astype(np.float64).mean(2).ravel() / 255
    return (cells - cells.mean()) / (cells.std() + 0.02)


def in_distribution(image: Image, modality: str) -> bool:
    """Whether an image lies within the range of the training images of its modality; True where that range
    was never measured."""
    return picture_in_distribution(Picture(image), modality)


def picture_in_distribution(picture: Picture, modality: str) -> bool:
    """As `in_distribution`."""
    distribution = _distributions().get(modality)
    return distribution is None or fits(measure(picture), shrink(picture), distribution)


def fits(measures: np.ndarray, shrunk: np.ndarray, distribution: dict) -> bool:
    """Whether both tests pass."""
    colours, layout = distribution["colours"], distribution["layout"]
    return distance(measures, colours) <= colours["limit"] and (
        layout is None or residual(shrunk, layout) <= layout["limit"]
    )


def features_in_distribution(vector: np.ndarray, distribution: TrainingDistribution | None) -> bool:
    """Whether an image's global vector lies where those of training images do; True where that is not
    known."""
    return distribution is None or float(feature_distance(vector, distribution)) <= distribution.limit


def feature_distance(vectors: np.ndarray, distribution: TrainingDistribution) -> np.ndarray:
    """How far global vectors (…, D) of any length lie from the mean of the training images', each made a unit
    vector first: the mean of the D squared deviations, in units of the stored ones (…), float64."""
    vectors = np.asarray(vectors, np.float64)
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (((units - distribution.mean) / distribution.deviation) ** 2).mean(-1)


def distance(measures: np.ndarray, distribution: dict) -> float:
    """Mahalanobis distance of `measures` from the mean of a modality, per measure, squared."""
    away = measures - np.array(distribution["mean"])
    return float(away @ np.linalg.solve(np.array(distribution["covariance"]), away)) / len(away)


def residual(shrunk: np.ndarray, distribution: dict) -> float:
    """The mean square of a shrunk picture minus its projection on the eigen-images of a modality."""
    away = shrunk - np.array(distribution["mean"])
    eigen = np.array(distribution["eigen_images"])
    return float(np.mean((away - away @ eigen.T @ eigen) ** 2))


def share_limit(values: ArrayLike, share: float) -> float:
    """A limit, to four digits, that at least `share` of the values stay within."""
    limit = np.quantile(np.asarray(values), share, method="inverted_cdf")
    return float(f"{1.001 * limit:.4g}")  # rounding takes less than a thousandth away


@cache
def _distributions() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))
