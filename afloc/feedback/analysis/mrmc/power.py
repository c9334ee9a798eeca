"""The power of a study to be, for a difference between two arms, after Hillis, Obuchowski and Berbaum (2011).

Acad Radiol 18:129, and Hillis and Schartz (2018), J Med Imaging 5:045503. What varies is taken from a pilot
study (`obuchowski_rockette.components`), or conjectured (`conjecture`).
"""

import math
from dataclasses import dataclass

from scipy.special import chdtri, chndtr, fdtri, ncfdtr

from afloc.feedback.analysis.mrmc.obuchowski_rockette import Components

MOST_CASES = 20_000


@dataclass(frozen=True)
class Variability:
    """Variances and covariances of a figure of merit in a study of `cases` cases; see `Components`."""

    cases: int
    var_tr: float
    error: float
    cov1: float
    cov2: float
    cov3: float


def of_pilot(found: Components, cases: int) -> Variability:
    """What a pilot study of `cases` cases showed."""
    return Variability(cases, found.var_tr, found.error, found.cov1, found.cov2, found.cov3)


def conjecture(
    area: float,
    cases: int,
    positive: float = 0.5,
    reader_range: float = 0.05,
    correlations: tuple[float, float, float] = (0.43, 0.43, 0.30),
) -> Variability:
    """A guess where there is no pilot study.

    `area`: the mean area under the ROC curve. `positive`: the share of positive cases. `reader_range`: by
    how much the readers whom the aid helps least and most differ, in area; taken for four standard
    deviations. `correlations`: of errors (r1: same reader, other arm; r2: other reader, same arm; r3: both
    differ), by default those of the study of Van Dyke et al. (1993). The variance of an area is that of
    Hanley and McNeil (1982).
    """
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    above, below = max(cases * positive, 1.0), max(cases * (1 - positive), 1.0)
    spread = area * (1 - area) + (above - 1) * (one - area**2) + (below - 1) * (two - area**2)
    error = spread / (above * below)
    cov1, cov2, cov3 = (each * error for each in correlations)
    return Variability(cases, (reader_range / 4) ** 2 / 2, error, cov1, cov2, cov3)


def power(
    found: Variability,
    readers: int,
    cases: int,
    difference: float,
    fixed_readers: bool = False,
    fixed_cases: bool = False,
) -> float:
    """The chance that a study of so many readers and cases, each with both arms, finds a true difference at
    the 5% level; NaN for one reader who is to stand for others."""
    scale, var_tr = found.cases / cases, max(found.var_tr, 0.0)
    own, shared = found.error - found.cov1, max(found.cov2 - found.cov3, 0.0)
    if fixed_readers:
        error = scale * (own + (readers - 1) * shared)
        return float(1 - chndtr(chdtri(1, 0.05), 1, difference**2 * readers / 2 / error))
    if readers < 2:
        return math.nan
    inner = var_tr + scale * (own - shared)
    error = inner if fixed_cases else var_tr + scale * (own + (readers - 1) * shared)
    df = (error / inner) ** 2 * (readers - 1)
    return float(1 - ncfdtr(1, df, difference**2 * readers / 2 / error, fdtri(1, df, 0.95)))


def cases_needed(
    found: Variability, readers: int, difference: float, wanted: float = 0.8, **fixed: bool
) -> int | None:
    """The fewest cases with which so many readers reach a power; None where MOST_CASES are not enough."""
    low, high = 1, MOST_CASES
    if not power(found, readers, high, difference, **fixed) >= wanted:
        return None
    while low < high:
        middle = (low + high) // 2
        if power(found, readers, middle, difference, **fixed) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low
