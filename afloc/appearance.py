"""Does a picture look like those of its modality? Judged by colours, brightness and where they lie.

`python -m afloc.appearance DATA` measures the training images (DATA/<modality>/train.csv) and writes
assets/appearance.json, then says on how many of the evaluation images the doubt would be false: 0.8% of chest
films, 0.3% of fundus images, none of the tissue sections. Photographs of people, animals and things are
doubted; smooth gray pictures (the moon, a clock) are not: those take the model's own features
(`features_fit`).
"""

import csv
import json
import sys
from functools import cache
from pathlib import Path

import numpy as np

from afloc.findings import MODALITIES
from afloc.geometry import area_resize
from afloc.images import Image, read_image

FILE = Path(__file__).resolve().parent.parent / "assets" / "appearance.json"
SHARE = 0.995  # of the training images that raise no doubt
_SIDE, _BLOCKS = 64, 4
_MOST = 1500  # training images of a modality
_RIDGE = 0.05  # of each measure's variance, so that measures that hardly vary do not decide alone


def measure(image: Image) -> np.ndarray:
    """27 numbers of a picture shrunk to 64 x 64, float64.

    Means of 4 x 4 blocks of the brightness; mean and spread of red, green and blue; likeness of the left and
    the mirrored right half; mean step between neighbours at two scales; share of black and of white.
    """
    gray = image.pixels.ndim == 2  # then one channel is resized, not three alike
    small = area_resize(image.gray() if gray else image.rgb(), _SIDE, _SIDE)
    pixels = np.broadcast_to(small.reshape(_SIDE, _SIDE, -1), (_SIDE, _SIDE, 3)) / 255
    luma = pixels.mean(2)
    step = _SIDE // _BLOCKS
    blocks = luma.reshape(_BLOCKS, step, _BLOCKS, step).mean((1, 3))
    half = luma.reshape(_SIDE // 2, 2, _SIDE // 2, 2).mean((1, 3))
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


def looks_like(image: Image, modality: str) -> bool:
    """Whether the picture lies within the range of the training images of its modality."""
    known = _known()[modality]
    return distance(measure(image), known) <= known["limit"]


def features_fit(vector: np.ndarray, known: dict | None) -> bool:
    """Whether an image's global vector lies where those of training images do; True where that is not stored.

    `known`, from the model's calibration: `{"mean", "deviation", "limit"}`, the first two as long as the unit
    `vector`; the mean squared deviation may reach `limit`.
    """
    if known is None:
        return True
    away = (vector / np.linalg.norm(vector) - np.array(known["mean"])) / np.array(known["deviation"])
    return float(np.mean(away**2)) <= known["limit"]


def distance(measures: np.ndarray, known: dict) -> float:
    """Mahalanobis distance of `measures` from the mean of a modality, per measure, squared."""
    away = measures - np.array(known["mean"])
    return float(away @ np.linalg.solve(np.array(known["covariance"]), away)) / len(away)


def fit(measures: np.ndarray) -> dict:
    """Mean, covariance (with a ridge) and limit of (n, measures) training images."""
    covariance = np.cov(measures.T)
    covariance += _RIDGE * np.diag(np.diag(covariance)) + 1e-6 * np.eye(len(covariance))
    known = {
        "mean": [float(f"{value:.4g}") for value in measures.mean(0)],
        "covariance": [[float(f"{value:.4g}") for value in row] for row in covariance],
    }
    away = [distance(each, known) for each in measures]
    return known | {"limit": round(float(np.quantile(away, SHARE)), 3)}


@cache
def _known() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))


def _measure_part(data: Path, modality: str, part: str, most: int | None = None) -> np.ndarray:
    with open(data / modality / f"{part}.csv", encoding="utf-8", newline="") as file:
        names = [row["image"] for row in csv.DictReader(file)]
    if most and len(names) > most:
        names = [names[i] for i in np.random.default_rng(0).permutation(len(names))[:most]]
    return np.array([measure(read_image(data / modality / name)) for name in names])


def main(data: Path) -> None:
    known = {modality: fit(_measure_part(data, modality, "train", _MOST)) for modality in MODALITIES}
    FILE.write_text(json.dumps(known) + "\n", encoding="utf-8")
    for modality in MODALITIES:
        away = [distance(each, known[modality]) for each in _measure_part(data, modality, "eval")]
        doubted = np.mean(np.array(away) > known[modality]["limit"])
        print(f"{modality}: {doubted:.1%} of {len(away)} evaluation images would be doubted")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
