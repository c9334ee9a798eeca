"""How far readers agree: kappas, alpha, ICC, and the overlap of what they drew.

Fleiss' kappa is statsmodels', Krippendorff's alpha the krippendorff package's, areas shapely's. Cohen's kappa
is ours, for all pairs of readers at once; the tests hold it against statsmodels and scikit-learn. So is ICC:
the packages that have it bring a plotting stack along. A figure that has no meaning (one reader, no case, one
answer throughout) is NaN.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import krippendorff
import numpy as np
import shapely

from afloc.feedback.store.regions import shape
from afloc.imaging.regions import Box, Region

NAN = float("nan")
_NORMAL_95 = 1.959963984540054


def cross_tables(ratings: np.ndarray, levels: int) -> np.ndarray:
    """How often each pair of answers was given by each pair of readers, (readers, readers, levels, levels).

    `ratings`: (cases, readers), 1 … `levels`, NaN for missing; a case counts for the pairs that both read it.
    """
    cases, readers = ratings.shape
    chosen = ratings.T[:, None, :] == np.arange(1, levels + 1)[:, None]
    flat = chosen.reshape(readers * levels, cases).astype(float)
    return (flat @ flat.T).reshape(readers, levels, readers, levels).transpose(0, 2, 1, 3)


def cohen_kappas(tables: np.ndarray, weighted: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cohen's kappa and its 95% interval (kappa, low, high) of each table of (…, levels, levels) counts.

    `weighted`: disagreement counts by the square of its distance (Fleiss and Cohen, 1973). The interval is
    the asymptotic one of Fleiss, Cohen and Everitt (1969).
    """
    with np.errstate(all="ignore"):
        levels, count = tables.shape[-1], tables.sum((-2, -1))
        steps = np.subtract.outer(np.arange(levels), np.arange(levels))
        weights = 1 - (steps / (levels - 1)) ** 2 if weighted else (steps == 0).astype(float)
        shares = tables / count[..., None, None]
        rows, columns = shares.sum(-1), shares.sum(-2)
        observed, expected = (weights * shares).sum((-2, -1)), np.sum(rows @ weights * columns, -1)
        kappa = np.where(expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan)
        means = (columns @ weights)[..., :, None] + (rows @ weights)[..., None, :]
        apart = weights * (1 - expected)[..., None, None] - means * (1 - observed)[..., None, None]
        variance = (shares * apart**2).sum((-2, -1)) - (observed * expected - 2 * expected + observed) ** 2
        half = _NORMAL_95 * np.sqrt(np.clip(variance, 0, None) / count) / (1 - expected) ** 2
        return kappa, kappa - half, kappa + half


def cohen_kappa(first: Sequence[int], second: Sequence[int], levels: int, weighted: bool = False) -> float:
    """As `cohen_kappas`, of two readers' answers 1 … `levels` on the same cases."""
    return cohen_interval(first, second, levels, weighted)[0]


def cohen_interval(
    first: Sequence[int], second: Sequence[int], levels: int, weighted: bool = False
) -> tuple[float, float, float]:
    """(kappa, low, high) of two readers' answers."""
    ratings = np.array([first, second], float).T
    kappa, low, high = map(float, cohen_kappas(cross_tables(ratings, levels)[0, 1], weighted))
    return kappa, low, high


def fleiss_kappa(ratings: np.ndarray, levels: int) -> float:
    """Fleiss' kappa (1971) of (cases, readers) answers 1 … `levels`; cases with a missing (NaN) one are left
    out."""
    from statsmodels.stats.inter_rater import fleiss_kappa as fleiss

    complete = _complete(ratings)
    if complete.shape[0] == 0 or complete.shape[1] < 2 or len(np.unique(complete)) < 2:
        return NAN
    counts = np.stack([(complete == level).sum(1) for level in range(1, levels + 1)], axis=1)
    return float(fleiss(counts))


def krippendorff_alpha(ratings: np.ndarray, level: Literal["nominal", "ordinal"] = "ordinal") -> float:
    """Krippendorff's alpha of (cases, readers) numbers, NaN for missing; `level`: nominal, ordinal or
    interval."""
    ratings = np.asarray(ratings, float)
    paired = ratings[(~np.isnan(ratings)).sum(1) >= 2]
    domain = np.unique(paired[~np.isnan(paired)])
    if len(domain) < 2:
        return NAN
    counts = (paired[:, :, None] == domain).sum(1)
    return float(krippendorff.alpha(value_counts=counts, value_domain=domain, level_of_measurement=level))


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


@dataclass(frozen=True, eq=False)
class Drawn:
    """What was drawn on each of n cases.

    `areas` (n,), NaN where nothing is known; `bounds` (n, 4), NaN where nothing was drawn; `shapes` (n,),
    None for upright boxes, which are as good as their bounds, and for nothing.
    """

    areas: np.ndarray
    bounds: np.ndarray
    shapes: np.ndarray

    def at(self, indices: np.ndarray) -> np.ndarray:
        """The shapes of some cases, boxes made."""
        shapes = self.shapes[indices].copy()
        boxes = shapes == None  # noqa: E711 (of each)
        shapes[boxes] = shapely.box(*self.bounds[indices][boxes].T)
        return shapes


def drawn(regions: Sequence[Sequence[Region] | None], boxes: np.ndarray | None = None) -> Drawn:
    """The regions of each case, None where nothing is known of it.

    `boxes` (n, 4): x, y, width and height where they are known to be one box, whatever `regions` has there;
    NaN elsewhere.
    """
    boxes = np.full((len(regions), 4), NAN) if boxes is None else boxes.copy()
    areas, bounds = np.full(len(regions), NAN), np.full((len(regions), 4), NAN)
    shapes = np.full(len(regions), None, object)
    for index, each in enumerate(regions):
        if not each:
            areas[index] = NAN if each is None else 0
        elif len(each) == 1 and isinstance(each[0], Box):
            boxes[index] = tuple(each[0])
        else:
            shapes[index] = shape(each)
            areas[index], bounds[index] = shapes[index].area, shapes[index].bounds
    one = ~np.isnan(boxes[:, 0])
    corners, sides = boxes[one, :2], boxes[one, 2:]
    areas[one], bounds[one] = sides.prod(1), np.hstack([corners, corners + sides])
    return Drawn(areas, bounds, shapes)


def overlap(first: Drawn, second: Drawn) -> np.ndarray:
    """Intersection over union on each case, 0 … 1; NaN where both are empty, or one is not known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        high = np.minimum(first.bounds[:, 2:], second.bounds[:, 2:])
        sides = np.maximum(high - np.maximum(first.bounds[:, :2], second.bounds[:, :2]), 0)
        some = (first.areas > 0) & (second.areas > 0)
        both = np.where(some, sides[:, 0] * sides[:, 1], 0)
        others = some & ((first.shapes != None) | (second.shapes != None))  # noqa: E711 (of each)
        if others.any():
            both[others] = shapely.area(shapely.intersection(first.at(others), second.at(others)))
        either = first.areas + second.areas - both
        return np.where(either > 0, both / either, NAN)


def _complete(ratings: np.ndarray) -> np.ndarray:
    ratings = np.asarray(ratings, float)
    return ratings[~np.isnan(ratings).any(1)]


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below and math.isfinite(below) else NAN
