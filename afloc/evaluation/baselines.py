"""Baseline maps that never look at the image. A model sees a finding only where it beats them.

`center`: highest in the middle of every image. `truth_mean`: the mean ground truth of the finding on other
patients, or on another set. `own_mean`: the model's own mean map for the description on the other patients;
this is the image-shuffle test, for it shows what is left of a map when the image is exchanged. `anatomy`:
where textbooks place the finding in the frame of the image's lungs; it looks at the frame alone, never for
the finding, and no model has a part in it. All lie on the grid of `map_grids`. The patient that is measured
is always left out.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import Protocol

import numpy as np

from afloc.evaluation.map_grids import GRID_SIDE
from afloc.imaging.image import Image
from afloc.inference.anatomy import Anatomy
from afloc.inference.orientation import complete_orientation
from afloc.inference.picture import Picture
from afloc.language.modalities import MODALITIES
from afloc.language.reading import read
from afloc.text import clean_text

BASELINES = ("own_mean", "truth_mean", "anatomy", "center")
_WIDTH = 0.5  # of the Gaussian, where the image reaches from -1 to 1


class MapGrids(Protocol):
    """Maps (GRID_SIDE, GRID_SIDE) by the number of their case."""

    def __getitem__(self, case: int) -> np.ndarray: ...


def center_prior() -> np.ndarray:
    """A Gaussian around the middle, a quarter of the image's side wide: float32 (GRID_SIDE, GRID_SIDE)."""
    position = (np.arange(GRID_SIDE) + 0.5) / GRID_SIDE * 2 - 1
    profile = np.exp(-((position / _WIDTH) ** 2) / 2)
    return np.outer(profile, profile).astype(np.float32)


class AnatomyPriors:
    """The maps of textbook anatomy for the findings in one image."""

    def __init__(self, image: Image, modality: str):
        picture = Picture(image)
        self._modality = modality
        self._mirrored = complete_orientation(image.orientation, MODALITIES[modality]).mirrored
        self._anatomy = Anatomy(
            picture.mirrored() if self._mirrored else picture,
            modality,
            usual=image.orientation.view != "lateral",
        )

    def map(self, description: str) -> np.ndarray:
        """How plausible each place is, float32 (GRID_SIDE, GRID_SIDE). The same everywhere where the image
        has no frame to be trusted; all NaN where no place is known of what is described."""
        statements = read(clean_text(description), self._modality).statements
        if not self._anatomy.knows(statements):
            return np.full((GRID_SIDE, GRID_SIDE), np.nan, np.float32)
        places = (np.arange(GRID_SIDE) + 0.5) / GRID_SIDE
        found = self._anatomy.plausibility(statements, places, places)
        if found is None:
            return np.ones((GRID_SIDE, GRID_SIDE), np.float32)
        return (found[:, ::-1] if self._mirrored else found).astype(np.float32)


def means_of_others(
    keys: Sequence[Hashable], patients: list[str], grids: MapGrids
) -> Iterator[tuple[int, np.ndarray | None]]:
    """For each case the mean map of the cases with the same key from other patients, None without any.

    `grids` are read one at a time, each twice. Yields (case, mean), the cases of a patient together.
    """
    totals: dict[Hashable, np.ndarray] = {}
    counts: dict[Hashable, int] = {}
    groups: dict[tuple[Hashable, str], list[int]] = {}
    for case, key in enumerate(keys):
        totals[key] = totals.get(key, 0) + grids[case].astype(np.float64)
        counts[key] = counts.get(key, 0) + 1
        groups.setdefault((key, patients[case]), []).append(case)
    for (key, _), cases in groups.items():
        own = sum(grids[case].astype(np.float64) for case in cases)
        others = counts[key] - len(cases)
        mean = (totals[key] - own) / others if others else None
        for case in cases:
            yield case, mean
