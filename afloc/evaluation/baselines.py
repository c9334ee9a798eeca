"""Baseline maps that never look at the image. A model sees a finding only where it beats them.

`center`: highest in the middle of every image. `truth_mean`: the mean ground truth of the finding on other
patients, or on another set. `own_mean`: the model's own mean map for the description on the other patients;
this is the image-shuffle test, for it shows what is left of a map when the image is exchanged. All lie on the
grid of `map_grids`. The patient that is measured is always left out.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import Protocol

import numpy as np

from afloc.evaluation.map_grids import GRID_SIDE

BASELINES = ("own_mean", "truth_mean", "center")
_WIDTH = 0.5  # of the Gaussian, where the image reaches from -1 to 1


class MapGrids(Protocol):
    """Maps (GRID_SIDE, GRID_SIDE) by the number of their case."""

    def __getitem__(self, case: int) -> np.ndarray: ...


def center_prior() -> np.ndarray:
    """A Gaussian around the middle, a quarter of the image's side wide: float32 (GRID_SIDE, GRID_SIDE)."""
    position = (np.arange(GRID_SIDE) + 0.5) / GRID_SIDE * 2 - 1
    profile = np.exp(-((position / _WIDTH) ** 2) / 2)
    return np.outer(profile, profile).astype(np.float32)


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
