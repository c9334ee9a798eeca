"""95% bootstrap intervals: patients are drawn with replacement 1,000 times.

They are bias-corrected and accelerated (BCa; Efron, 1987), which holds for skewed figures and few patients
better than plain percentiles. There is none for fewer than ten patients: what is drawn from so few says too
little of others. The draws are seeded, so that the same cases give the same interval.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

SAMPLES = 1000
SEED = 0
FEWEST_CLUSTERS = 10  # patients, or what else is drawn as one, below which there is no interval
MOST_GROUPS = 200  # of patients that are left out, one group at a time, for the acceleration
_ROUNDING = 1e-9
_BLOCK = 4_000_000  # weights held at a time


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray], patients: Sequence[str] | np.ndarray
) -> np.ndarray:
    """95% intervals (m, 2) of the m figures of a statistic; NaN for fewer than FEWEST_CLUSTERS patients.

    `statistic` takes weights (k, n), how often each of n cases counts in each of k samples, and gives (k, m);
    NaN where a sample holds nothing to compute it from. `patients` (n,): the cases of one are drawn together.
    """
    names, index = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    whole = statistic(np.ones((1, len(index)), np.float32))[0]
    if len(names) < FEWEST_CLUSTERS:
        return np.full((len(whole), 2), np.nan)
    group = group_clusters(len(names))
    left_out = (group != np.arange(group.max() + 1)[:, None]).astype(np.float32)
    block = max(1, _BLOCK // len(index))
    drawn, without = (
        np.concatenate(
            [statistic(each[start : start + block, index]) for start in range(0, len(each), block)]
        )
        for each in (draw(len(names)), left_out)
    )
    return bca(whole, drawn, without)


def bca(values: np.ndarray, drawn: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """The intervals (m, 2) of figures (m,) from their resampled values (k, m) and those without each cluster,
    or group of clusters, (g, m). NaN counts nowhere; a figure without any resampled value has none. Values
    that differ by rounding alone are the same: how sums are rounded depends on what is computed beside."""
    known = (~np.isnan(drawn)).sum(0)
    with np.errstate(all="ignore"):
        same = np.abs(drawn - values) <= _ROUNDING * np.maximum(1, np.abs(values))
        lower = ((drawn < values).sum(0, where=~same) + same.sum(0) / 2) / known
        bias = ndtri(np.clip(lower, 0.5 / known, 1 - 0.5 / known))
        apart = left_out - np.where(np.isnan(left_out), 0, left_out).sum(0) / (~np.isnan(left_out)).sum(0)
        apart = -np.where(np.isnan(apart), 0, apart)
        acceleration = np.nan_to_num((apart**3).sum(0) / (6 * (apart**2).sum(0) ** 1.5))
        ends = bias + ndtri([[0.025], [0.975]])
        shares = ndtr(bias + ends / (1 - acceleration * ends))
        places = shares * (known - 1)
        first = np.clip(np.nan_to_num(np.floor(places)), 0, np.maximum(known - 2, 0)).astype(int)
        ordered = np.sort(drawn, axis=0)  # NaN last
        low, high = (
            np.take_along_axis(ordered, np.minimum(i, len(drawn) - 1), 0) for i in (first, first + 1)
        )
        found = low + (high - low) * np.clip(places - first, 0, 1)
    return np.where(known > 1, found, np.nan).T


def group_clusters(count: int) -> np.ndarray:
    """The group of each of `count` clusters, for the jackknife: each its own, or MOST_GROUPS by chance."""
    if count <= MOST_GROUPS:
        return np.arange(count)
    return np.random.default_rng(SEED).permutation(count) % MOST_GROUPS


@lru_cache(4)
def draw(clusters: int) -> np.ndarray:
    """How often each cluster is drawn in each sample, (SAMPLES, clusters); the same each time."""
    random = np.random.default_rng(SEED)
    return random.multinomial(clusters, np.full(clusters, 1 / clusters), size=SAMPLES).astype(np.float32)
