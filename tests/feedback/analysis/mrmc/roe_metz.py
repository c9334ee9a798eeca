"""Simulated reader studies after Roe and Metz (1997), Acad Radiol 4:298, in which the aid changes nothing.

A rating is the sum of normal parts for reader, case, arm by reader, arm by case, reader by case and the rest;
those of the cases add up to a variance of 1.
"""

from dataclasses import dataclass

import numpy as np

from afloc.feedback.analysis.mrmc import merits
from afloc.feedback.analysis.mrmc.obuchowski_rockette import Inference, difference


@dataclass(frozen=True)
class Structure:
    """The variances; `separation` of positive from negative cases, 1.5 for an area of about 0.86."""

    reader: float = 0.0055
    arm_reader: float = 0.0055
    case: float = 0.3
    arm_case: float = 0.3
    reader_case: float = 0.2
    separation: float = 1.5


LOW = Structure()  # Roe and Metz's structure of low case and low reader variance
READERS_DIFFER = Structure(reader=0.03, arm_reader=0.06)  # in how the aid helps them


def simulate(
    structure: Structure, readers: int, cases: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Ratings (2, readers, cases) and truth (cases,), every second case positive."""
    truth = np.arange(cases) % 2 == 1
    rest = 1 - structure.case - structure.arm_case - structure.reader_case

    def draw(variance: float, *shape: int) -> np.ndarray:
        return random.normal(0, np.sqrt(variance), shape)

    ratings = draw(structure.case, 1, 1, cases) + draw(structure.arm_case, 2, 1, cases)
    ratings = ratings + draw(structure.reader_case, 1, readers, cases) + draw(rest, 2, readers, cases)
    for side in (truth, ~truth):  # readers differ on both sides apart
        shift = draw(structure.reader, 1, readers, 1) + draw(structure.arm_reader, 2, readers, 1)
        ratings[:, :, side] += shift
    return ratings + structure.separation * truth, truth


def compare(ratings: np.ndarray, truth: np.ndarray) -> Inference:
    """The difference in area between the arms, readers and cases random."""
    arms, readers, cases = ratings.shape
    found = merits.areas(ratings.reshape(-1, cases), truth, np.arange(cases))
    return difference(found.values.reshape(arms, readers), found.covariance())


def coverage(structure: Structure, readers: int, cases: int, studies: int, seed: int) -> float:
    """How often the 95% interval of the difference holds 0, which it is."""
    random = np.random.default_rng(seed)
    found = (compare(*simulate(structure, readers, cases, random)) for _ in range(studies))
    return sum(each.low <= 0 <= each.high for each in found) / studies
