"""How far readers agree: kappas, alpha, ICC, and the overlap of what they drew.

Cohen's and Fleiss' kappa are statsmodels', Krippendorff's alpha the krippendorff package's, areas shapely's.
ICC is ours: the packages that have it bring a plotting stack along. A figure that has no meaning (one reader,
no case, one answer throughout) is NaN.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import krippendorff
import numpy as np
import shapely

Regions = Sequence[Mapping[str, Any]]
NAN = float("nan")
_WEIGHTS = {False: None, True: "fc"}


def cohen_kappa(first: Sequence[int], second: Sequence[int], levels: int, weighted: bool = False) -> float:
    """Cohen's kappa of two readers' answers 1 … `levels` on the same cases.

    `weighted`: disagreement counts by the square of its distance (Fleiss and Cohen, 1973).
    """
    from statsmodels.stats.inter_rater import cohens_kappa

    table = _cross(first, second, levels, weighted)
    return float(cohens_kappa(table, wt=_WEIGHTS[weighted], return_results=False)) if len(table) > 1 else NAN


def cohen_interval(
    first: Sequence[int], second: Sequence[int], levels: int, weighted: bool = False
) -> tuple[float, float]:
    """The 95% interval of `cohen_kappa`: the asymptotic one of Fleiss, Cohen and Everitt (1969)."""
    from statsmodels.stats.inter_rater import cohens_kappa

    table = _cross(first, second, levels, weighted)
    if len(table) < 2:
        return NAN, NAN
    with np.errstate(all="ignore"):
        found = cohens_kappa(table, wt=_WEIGHTS[weighted])
    return float(found.kappa_low), float(found.kappa_upp)


def fleiss_kappa(ratings: np.ndarray, levels: int) -> float:
    """Fleiss' kappa (1971) of (cases, readers) answers 1 … `levels`; cases with a missing (NaN) one are left
    out."""
    from statsmodels.stats.inter_rater import fleiss_kappa as fleiss

    complete = _complete(ratings)
    if complete.shape[0] == 0 or complete.shape[1] < 2 or len(np.unique(complete)) < 2:
        return NAN
    counts = np.stack([(complete == level).sum(1) for level in range(1, levels + 1)], axis=1)
    return float(fleiss(counts))


def krippendorff_alpha(ratings: np.ndarray, level: str = "ordinal") -> float:
    """Krippendorff's alpha of (cases, readers) numbers, NaN for missing; `level`: nominal, ordinal or
    interval."""
    ratings = np.asarray(ratings, float)
    paired = ratings[(~np.isnan(ratings)).sum(1) >= 2]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        return NAN
    return float(krippendorff.alpha(reliability_data=paired.T, level_of_measurement=level))


def intraclass(ratings: np.ndarray) -> dict[str, float]:
    """The six intraclass correlations of Shrout and Fleiss (1979) of (cases, readers) numbers.

    Keys "1,1" … "3,k": one-way, two-way random, two-way mixed; of single readers and of the mean of all k.
    Cases with a missing (NaN) number are left out. ICC(2,1) is the one for agreement between single readers.
    """
    complete = _complete(ratings)
    n, k = complete.shape
    if n < 2 or k < 2:
        return dict.fromkeys(("1,1", "2,1", "3,1", "1,k", "2,k", "3,k"), NAN)
    total = complete.mean()
    cases, readers = complete.mean(1), complete.mean(0)
    between = k * ((cases - total) ** 2).sum() / (n - 1)
    within = ((complete - cases[:, None]) ** 2).sum() / (n * (k - 1))
    judges = n * ((readers - total) ** 2).sum() / (k - 1)
    residual = ((complete - cases[:, None] - readers + total) ** 2).sum() / ((n - 1) * (k - 1))
    return {
        "1,1": _ratio(between - within, between + (k - 1) * within),
        "2,1": _ratio(between - residual, between + (k - 1) * residual + k * (judges - residual) / n),
        "3,1": _ratio(between - residual, between + (k - 1) * residual),
        "1,k": _ratio(between - within, between),
        "2,k": _ratio(between - residual, between + (judges - residual) / n),
        "3,k": _ratio(between - residual, between),
    }


def shape(regions: Regions | None) -> shapely.Geometry:
    """The area that boxes and outlines cover together."""
    parts = []
    for region in regions or ():
        if "box" in region:
            x, y, width, height = region["box"]
            parts.append(shapely.box(x, y, x + width, y + height))
        else:
            parts.append(shapely.make_valid(shapely.Polygon(region["outline"])))
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of each pair of two arrays of shapes, 0 … 1.

    NaN where both are empty, or one is None.
    """
    areas = shapely.area(first), shapely.area(second)
    (left, right), drawn = (shapely.bounds(first), shapely.bounds(second)), (areas[0] > 0) & (areas[1] > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Upright boxes, which most shapes are, need no geometry.
        sides = np.minimum(left[:, 2:], right[:, 2:]) - np.maximum(left[:, :2], right[:, :2])
        both = np.where(drawn, np.prod(np.clip(sides, 0, None), axis=1), 0)
        boxes = _is_box(areas[0], left) & _is_box(areas[1], right)
        others = drawn & ~boxes
        both[others] = shapely.area(shapely.intersection(first[others], second[others]))
        either = areas[0] + areas[1] - both
        return np.where(either > 0, both / either, NAN)


def _is_box(area: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    return np.isclose(area, np.prod(bounds[:, 2:] - bounds[:, :2], axis=1), rtol=1e-12)


def _cross(first: Sequence[int], second: Sequence[int], levels: int, keep_all: bool) -> np.ndarray:
    """How often each pair of answers was given; without `keep_all` only the levels that were used.

    Empty where it holds no case, or only one level.
    """
    table = np.zeros((levels, levels), int)
    np.add.at(table, (np.asarray(first, int) - 1, np.asarray(second, int) - 1), 1)
    used = np.flatnonzero(table.sum(0) + table.sum(1))
    if len(used) < 2:
        return table[:0, :0]
    return table if keep_all else table[np.ix_(used, used)]


def _complete(ratings: np.ndarray) -> np.ndarray:
    ratings = np.asarray(ratings, float)
    return ratings[~np.isnan(ratings).any(1)]


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below and math.isfinite(below) else NAN
