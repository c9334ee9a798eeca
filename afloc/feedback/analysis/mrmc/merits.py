"""Figures of merit of each reader, and what they are without one patient: all that the analyses need.

A figure of merit is an area under the empirical ROC curve or a mean. LROC is the area where a positive case
that was located wrongly is rated below all others; sensitivity and specificity are means of 0 and 1; reading
time is a mean of logarithms. Rows are readings of one reader with one test, NaN where there is none.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Merits:
    """`values` (rows,): the figure of each row; `left_out` (clusters, rows): the same without each cluster.

    A cluster is what was drawn as one from the population, mostly a patient with all their cases; those that
    bear on no figure are left out. NaN where a figure cannot be had.
    """

    values: np.ndarray
    left_out: np.ndarray

    def covariance(self) -> np.ndarray:
        """The jackknife estimate (rows, rows) of how the figures vary with the sample of clusters."""
        count, rows = self.left_out.shape
        if count < 2:
            return np.full((rows, rows), np.nan)
        apart = self.left_out - self.left_out.mean(0)
        return (count - 1) / count * apart.T @ apart

    def of(self, rows: np.ndarray) -> "Merits":
        """Those of some rows."""
        return Merits(self.values[rows], self.left_out[:, rows])


def means(values: np.ndarray, clusters: np.ndarray) -> Merits:
    """The mean of each row of `values` (rows, cases). `clusters` (cases,): the number of each case's own."""
    there = ~np.isnan(values)
    sums, counts = (_by_cluster(each, clusters) for each in (np.where(there, values, 0), there))
    above, below, involved = sums.sum(0), counts.sum(0), counts.any(1)
    return Merits(_divide(above, below), _divide(above - sums, below - counts)[involved])


def areas(ratings: np.ndarray, truth: np.ndarray, clusters: np.ndarray) -> Merits:
    """The empirical area of each row of `ratings` (rows, cases): how often a positive case is rated above a
    negative one, ties counting half (Bamber, 1975). `truth` (cases,): bool; `clusters` as in `means`."""
    positive, negative = _pairs_within(truth, clusters)
    names = clusters[positive]
    count = int(clusters.max(initial=-1)) + 1
    values, left_out = np.full(len(ratings), np.nan), np.full((count, len(ratings)), np.nan)
    for row, mine in enumerate(ratings):
        known = ~np.isnan(mine)
        wins, sides = np.zeros(len(mine)), truth[known]
        wins[known] = _wins(mine[known], sides)
        counts = [_by_cluster((known & side)[None], clusters)[:, 0] for side in (truth, ~truth)]
        within = mine[positive] - mine[negative]
        within = np.where(mine[positive] == mine[negative], 0, within)  # also where both are infinite
        shared = np.where(np.isnan(within), 0, (within > 0) + 0.5 * (within == 0))
        lost = _by_cluster(wins[None], clusters)[:, 0] - np.bincount(names, shared, count)
        total, sizes = wins[known][sides].sum(), [each.sum() for each in counts]
        values[row] = _divide(total, sizes[0] * sizes[1])
        left_out[:, row] = _divide(total - lost, (sizes[0] - counts[0]) * (sizes[1] - counts[1]))
    involved = _by_cluster(~np.isnan(ratings), clusters).any(1)
    return Merits(values, left_out[involved])


def number(names: np.ndarray) -> np.ndarray:
    """The clusters of cases as numbers from 0, by their names."""
    return np.unique(names, return_inverse=True)[1] if len(names) else np.zeros(0, int)


def _ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each, from 1; the same for those that are tied: the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (count.cumsum() - (count - 1) / 2)[place]


def _wins(ratings: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Of each case, against how many of the other side it is on the right side, ties counting half."""
    ranks, wins = _ranks(ratings), np.empty(len(ratings))
    wins[truth] = ranks[truth] - _ranks(ratings[truth])
    wins[~truth] = truth.sum() - (ranks[~truth] - _ranks(ratings[~truth]))
    return wins


def _pairs_within(truth: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The positive and the negative case of every such pair within a cluster."""
    counts = [np.bincount(clusters[side], minlength=clusters.max(initial=-1) + 1) for side in (truth, ~truth)]
    mixed = np.flatnonzero((counts[0] > 0) & (counts[1] > 0))
    pairs = [
        (i, j)
        for cluster in mixed
        for i in np.flatnonzero((clusters == cluster) & truth)
        for j in np.flatnonzero((clusters == cluster) & ~truth)
    ]
    first, second = np.array(pairs, int).reshape(-1, 2).T
    return first, second


def _by_cluster(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """The sums (clusters, rows) of values (rows, cases)."""
    count = int(clusters.max(initial=-1)) + 1
    return np.array([np.bincount(clusters, row, count) for row in values]).reshape(len(values), count).T


def _divide(above, below):
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(below) > 0, np.divide(above, below), np.nan)[()]
