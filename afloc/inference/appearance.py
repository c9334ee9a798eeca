"""Out-of-distribution detection: does a picture look like those of its modality? Cheap tests, fitted on
training images only.

One measures colours, brightness and where they lie (`measure`, `Colours`). Another, where a modality has a
layout, asks how much of the shrunk picture its eigen-images cannot draw (`shrink`, `Layout`; Turk and
Pentland, 1991); turned or inverted, a picture that hangs wrongly is drawn much better. The third needs the
model: how far the mean of the shallow local features, the picture's texture, lies from those of training
images (`feature_distance`; `TrainingDistribution`). `afloc.inference.doubt` makes one answer of them.

`afloc.training.fit.appearance` fits the first two and writes assets/appearance.json.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from afloc.errors import ModelError
from afloc.inference.picture import COARSE_SIDE, SIDE
from afloc.model.calibration import TrainingDistribution
from afloc.model.image_encoder import ImageFeatures
from afloc.resources import ASSETS
from afloc.schema import CLOSED, check

FILE = ASSETS / "appearance.json"
_BLOCKS = 4
MEASURES, CELLS = 27, COARSE_SIDE**2
BRIGHTNESS, CONTRAST = slice(16, 19), slice(19, 22)  # of the measures: mean and spread of the three channels

_Measures = Annotated[tuple[float, ...], Field(min_length=MEASURES, max_length=MEASURES)]
_Cells = Annotated[tuple[float, ...], Field(min_length=CELLS, max_length=CELLS)]
_Limit = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Colours:
    """The measures of training images: their mean, their covariance, and how far from the mean, as `distance`
    counts, is still usual."""

    __pydantic_config__ = CLOSED

    mean: _Measures
    covariance: Annotated[tuple[_Measures, ...], Field(min_length=MEASURES, max_length=MEASURES)]
    limit: _Limit

    def distance(self, measures: np.ndarray) -> np.ndarray:
        """Mahalanobis distance of measures (..., 27) from the mean, squared, per measure: (...)."""
        away = measures - np.array(self.mean)
        return np.einsum("...i,ij,...j", away, self._precision, away) / MEASURES

    def deviations(self, measures: np.ndarray) -> np.ndarray:
        """How far each measure lies from the mean, in standard deviations."""
        return (measures - np.array(self.mean)) / np.sqrt(np.diag(self.covariance))

    @cached_property
    def _precision(self) -> np.ndarray:
        return np.linalg.inv(np.array(self.covariance))


@dataclass(frozen=True)
class Layout:
    """The shrunk training images: their mean, their eigen-images, and how much of a picture these may leave
    undrawn, as `residual` counts."""

    __pydantic_config__ = CLOSED

    mean: _Cells
    eigen_images: tuple[_Cells, ...]
    limit: _Limit

    def residual(self, shrunk: np.ndarray) -> np.ndarray:
        """The mean square of shrunk pictures (..., 256) minus their projections on the eigen-images."""
        away = shrunk - np.array(self.mean)
        return ((away - away @ self._eigen.T @ self._eigen) ** 2).mean(-1)

    @cached_property
    def _eigen(self) -> np.ndarray:
        return np.array(self.eigen_images)


@dataclass(frozen=True)
class Appearance:
    """How the training images of a modality look. `layout`: None where they show things at any place.
    `aspect`: the longest shape that is usual, long side over short side."""

    __pydantic_config__ = CLOSED

    colours: Colours
    layout: Layout | None
    aspect: Annotated[float, Field(ge=1)]


def known_appearance(modality: str) -> Appearance | None:
    """How images of a modality look; None where that was never measured."""
    return _read(FILE).get(modality)


@cache
def _read(file: Path) -> Mapping[str, Appearance]:
    values = json.loads(file.read_text(encoding="utf-8"))
    return check(dict[str, Appearance], values, file.name, ModelError)


def measure(thumbnail: np.ndarray) -> np.ndarray:
    """27 numbers of a picture shrunk to 64 x 64, uint8 (64, 64) or (64, 64, 3), as float64.

    Means of 4 x 4 blocks of the brightness; mean and spread of red, green and blue; likeness of the left and
    the mirrored right half; mean step between neighbours at two scales; share of black and of white.
    """
    pixels = np.broadcast_to(thumbnail.reshape(SIDE, SIDE, -1), (SIDE, SIDE, 3)) / 255
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


def shrink(thumbnail: np.ndarray) -> np.ndarray:
    """The brightness of the 16 x 16 cells of a thumbnail, float64 (256,), mean 0 and spread next to 1.

    Of the inverted picture it is the negative.
    """
    cells = thumbnail.reshape(CELLS, -1).astype(np.float64).mean(1) / 255
    return (cells - cells.mean()) / (cells.std() + 0.02)


def turn(shrunk: np.ndarray, quarters: int) -> np.ndarray:
    """A shrunk picture turned counterclockwise by quarters of a circle."""
    return np.rot90(shrunk.reshape(COARSE_SIDE, COARSE_SIDE), quarters).ravel()


def hangs_as_usual(shrunk: np.ndarray, layout: Layout) -> bool:
    """Whether a shrunk picture fits the layout, and better so than turned or inverted."""
    residual = layout.residual(shrunk)
    others = np.stack([-shrunk, *(turn(shrunk, quarters) for quarters in (1, 2, 3))])
    return bool(residual <= min(layout.limit, layout.residual(others).min()))


def texture_vectors(features: ImageFeatures) -> np.ndarray:
    """The mean of the shallow local features of each of B images, (B, D)."""
    return features.shallow.mean((2, 3)).float().cpu().numpy()


def feature_distance(vectors: np.ndarray, distribution: TrainingDistribution) -> np.ndarray:
    """How far vectors (…, D) of any length lie from the mean of the training images', each made a unit vector
    first: the mean of the D squared deviations, in units of the stored ones (…), float64."""
    vectors = np.asarray(vectors, np.float64)
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return (((units - distribution.mean) / distribution.deviation) ** 2).mean(-1)
