"""Maps that never look at the image. A model has learned to see only where it beats them.

`center`: highest in the middle of every image. `truth_mean`: where the finding's ground truth lies on other
patients, or on another set. `own_mean`: the model's own mean map for the description over the other patients
(the image-shuffle test: what is left of a map when the image is exchanged). All are in coordinates normalised
to the image and laid over it; the patient that is measured is always left out.
"""

from collections.abc import Hashable, Iterator
from typing import Protocol

import numpy as np

from afloc.evaluation.map_frames import FRAME

BLIND = ("own_mean", "truth_mean", "center")
_WIDTH = 0.5  # of the centre's Gaussian, where the image reaches from -1 to 1


class Frames(Protocol):
    """Maps in normalised coordinates, by the number of their case."""

    def __getitem__(self, case: int) -> np.ndarray: ...


def center_prior() -> np.ndarray:
    """A Gaussian around the middle of the image, half of its half side wide: float32 (FRAME, FRAME)."""
    position = (np.arange(FRAME) + 0.5) / FRAME * 2 - 1
    profile = np.exp(-((position / _WIDTH) ** 2) / 2)
    return np.outer(profile, profile).astype(np.float32)


def means_of_others(
    keys: list[Hashable], patients: list[str], frames: Frames
) -> Iterator[tuple[int, np.ndarray | None]]:
    """For each case the mean over the cases of the same key from other patients, None without any.

    `frames`: indexable, (FRAME, FRAME) each; read one at a time, twice. Yields (case, mean), the cases of a
    patient together.
    """
    totals: dict[Hashable, np.ndarray] = {}
    counts: dict[Hashable, int] = {}
    groups: dict[tuple[Hashable, str], list[int]] = {}
    for case, key in enumerate(keys):
        totals[key] = totals.get(key, 0) + frames[case].astype(np.float64)
        counts[key] = counts.get(key, 0) + 1
        groups.setdefault((key, patients[case]), []).append(case)
    for (key, _), cases in groups.items():
        own = sum(frames[case].astype(np.float64) for case in cases)
        others = counts[key] - len(cases)
        mean = (totals[key] - own) / others if others else None
        for case in cases:
            yield case, mean
