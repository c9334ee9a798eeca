"""Fit the appearance tests of `afloc.inference.appearance` to training images.

`python -m afloc.training.fit.appearance DATA` measures the training images (DATA/<modality>/train.csv) and
writes assets/appearance.json. What comes of it, `python -m tests.inference.doubt_table DATA` shows.
"""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from afloc.imaging.image import read_image
from afloc.inference.appearance import FILE, Appearance, Colours, Layout, measure, shrink
from afloc.inference.picture import Picture
from afloc.language.modalities import MODALITIES
from afloc.training.fit.limits import share_limit, weights_of

# Of the training images of each source, the share that a test finds usual.
COLOURS_SHARE, LAYOUT_SHARE, ASPECT_SHARE = 0.99, 0.98, 0.999
EIGEN_IMAGES = 16
RIDGE = 0.05  # of each measure's variance, so that measures that hardly vary do not decide alone


def fit_appearance(pictures: Iterable[Picture], sources: Sequence[str], has_layout: bool) -> Appearance:
    """How the training images of a modality look; `sources` names the source of each."""
    seen = [(measure(each.thumbnails[0]), shrink(each.thumbnails[1]), each.aspect) for each in pictures]
    measures, shrunk, aspects = (np.array(column) for column in zip(*seen, strict=True))
    return Appearance(
        fit_colours(measures, sources),
        fit_layout(shrunk, sources) if has_layout else None,
        share_limit(aspects, ASPECT_SHARE, sources),
    )


def fit_colours(measures: np.ndarray, sources: Sequence[str]) -> Colours:
    """Mean, covariance (with a ridge) and limit of (n, 27) measures of training images."""
    weights = weights_of(sources)
    covariance = np.cov(measures.T, aweights=weights, ddof=0)
    covariance += RIDGE * np.diag(np.diag(covariance)) + 1e-6 * np.eye(len(covariance))
    known = Colours(_short(weights @ measures), _short(covariance), limit=1.0)
    return replace(known, limit=share_limit(known.distance(measures), COLOURS_SHARE, sources))


def fit_layout(shrunk: np.ndarray, sources: Sequence[str]) -> Layout:
    """Mean, eigen-images and limit of (n, 256) shrunk training images."""
    weights = weights_of(sources)
    _, vectors = np.linalg.eigh(np.cov(shrunk.T, aweights=weights, ddof=0))
    known = Layout(_short(weights @ shrunk), _short(vectors.T[::-1][:EIGEN_IMAGES]), limit=1.0)
    return replace(known, limit=share_limit(known.residual(shrunk), LAYOUT_SHARE, sources))


def _short(values: np.ndarray) -> tuple:
    """As nested tuples, to four digits."""
    return tuple(float(f"{v:.4g}") if np.ndim(v) == 0 else _short(v) for v in values)


def main(data: Path) -> None:
    known = {}
    for modality, kind in MODALITIES.items():
        with open(data / modality / "train.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        pictures = (Picture(read_image(data / modality / row["image"])) for row in rows)
        sources = [row["source"].split(" ")[0] for row in rows]
        known[modality] = asdict(fit_appearance(pictures, sources, kind.has_layout))
    FILE.write_text(json.dumps(known) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
