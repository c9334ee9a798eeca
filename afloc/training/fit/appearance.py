"""Fit the two appearance tests of `afloc.inference.appearance` to training images.

`python -m afloc.training.fit.appearance DATA` measures the training images (DATA/<modality>/train.csv) and
writes assets/appearance.json. It then prints the share of the evaluation images that would be doubted
although they are of the right kind: 0.6% of chest films, 0.3% of fundus photographs, no tissue section.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np

from afloc.imaging.image import read_image
from afloc.inference.appearance import (
    EIGEN_IMAGES,
    FILE,
    MOST_IMAGES,
    RIDGE,
    SHARE_BY_COLOURS,
    SHARE_BY_LAYOUT,
    distance,
    fits,
    measure,
    residual,
    share_limit,
    shrink,
)
from afloc.inference.picture import Picture
from afloc.language.modalities import MODALITIES


def fit_colours(measures: np.ndarray) -> dict:
    """Mean, covariance (with a ridge) and limit of (n, measures) training images."""
    covariance = np.cov(measures.T)
    covariance += RIDGE * np.diag(np.diag(covariance)) + 1e-6 * np.eye(len(covariance))
    known = {"mean": _short(measures.mean(0)), "covariance": _short(covariance)}
    return known | {"limit": share_limit([distance(each, known) for each in measures], SHARE_BY_COLOURS)}


def fit_layout(shrunk: np.ndarray) -> dict:
    """Mean, eigen-images and limit of (n, cells) training images."""
    mean = shrunk.mean(0)
    _, _, components = np.linalg.svd(shrunk - mean, full_matrices=False)
    known = {"mean": _short(mean), "eigen_images": _short(components[:EIGEN_IMAGES])}
    return known | {"limit": share_limit([residual(each, known) for each in shrunk], SHARE_BY_LAYOUT)}


def _short(values: np.ndarray) -> list:
    """As nested lists, to four digits."""
    return [float(f"{v:.4g}") for v in values] if values.ndim == 1 else [_short(row) for row in values]


def _read_part(data: Path, modality: str, part: str, most: int | None = None) -> list[np.ndarray]:
    """The measures and the shrunk images of a part ("train", "eval") of a modality."""
    with open(data / modality / f"{part}.csv", encoding="utf-8", newline="") as file:
        names = [row["image"] for row in csv.DictReader(file)]
    if most and len(names) > most:
        names = [names[i] for i in np.random.default_rng(0).permutation(len(names))[:most]]
    pictures = (Picture(read_image(data / modality / name)) for name in names)
    pairs = ((measure(picture), shrink(picture)) for picture in pictures)
    return [np.array(column) for column in zip(*pairs, strict=True)]


def main(data: Path) -> None:
    known = {}
    for modality in MODALITIES:
        measures, shrunk = _read_part(data, modality, "train", MOST_IMAGES)
        layout = fit_layout(shrunk) if MODALITIES[modality].has_layout else None
        known[modality] = {"colours": fit_colours(measures), "layout": layout}
    FILE.write_text(json.dumps(known) + "\n", encoding="utf-8")
    for modality in MODALITIES:
        measures, shrunk = _read_part(data, modality, "eval")
        doubted = [not fits(m, s, known[modality]) for m, s in zip(measures, shrunk, strict=True)]
        print(f"{modality}: {np.mean(doubted):.1%} of {len(doubted)} evaluation images would be doubted")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
