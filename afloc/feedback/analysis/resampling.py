"""The mean of a figure over cases, with its bootstrap interval, and the curve of pooled ratings."""

from dataclasses import dataclass

import numpy as np

from afloc.evaluation.bootstrap import FEWEST_CLUSTERS, bca, draw, group_clusters


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95% interval; NaN where it cannot be had."""

    value: float
    low: float
    high: float


def row_means(values: np.ndarray, clusters: np.ndarray) -> list[Estimate]:
    """The mean of each row of (rows, cases) numbers, NaN for missing, over the cases that have one.

    The interval is the BCa bootstrap over clusters (cases,); none for fewer than FEWEST_CLUSTERS of them.
    """
    count = int(clusters.max(initial=-1)) + 1
    there = ~np.isnan(values)
    sums, counts = (
        np.array([np.bincount(clusters, row, count) for row in part]).reshape(len(values), count)
        for part in (np.where(there, values, 0), there.astype(float))
    )
    means = _divide(sums.sum(1), counts.sum(1))
    intervals = np.full((len(values), 2), np.nan)
    enough = (counts > 0).sum(1) >= FEWEST_CLUSTERS
    if enough.any():
        drawn, group = draw(count), group_clusters(count)
        sums, counts = sums[enough], counts[enough]
        resampled = _divide(drawn @ sums.T.astype(np.float32), drawn @ counts.T.astype(np.float32))
        apart = (group == np.arange(group.max() + 1)[:, None]).astype(np.float32)
        left_out = _divide(sums.sum(1) - apart @ sums.T, counts.sum(1) - apart @ counts.T)
        found = bca(means[enough], resampled, left_out)
        flat = np.ptp(resampled, axis=0) < 1e-5  # rounding alone
        intervals[enough] = np.where(flat[:, None], means[enough, None], found)
    return [Estimate(*map(float, row)) for row in np.column_stack([means, intervals])]


def roc_curve(ratings: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate by threshold, from (0, 0) to (1, 1), of all readers' ratings pooled.

    A rate is NaN where there is no case of its side.
    """
    known = ~np.isnan(ratings)
    values, positive = ratings[known], np.broadcast_to(truth, ratings.shape)[known]
    thresholds = np.array([np.inf, *np.unique(values)[::-1]])
    false, true = (
        _divide(side.sum() - np.searchsorted(np.sort(values[side]), thresholds), side.sum())
        for side in (~positive, positive)
    )
    return false, true


def _divide(above, below):
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(below) != 0, np.divide(above, below), np.nan)[()]
