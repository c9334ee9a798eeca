"""Figures over readers and cases with an interval: reading time, and ROC.

Both readers and cases are a sample, so both are drawn anew, with replacement, each time (the multi-reader
multi-case bootstrap). Drawing is done with weights, so that a figure over thousands of resamples is a few
matrix products. For inference by the analytical method, export to iMRMC.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 1000
SEED = 20240102


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95% percentile interval; NaN where it cannot be had."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Draws:
    """How often each reader, (resamples, readers), and each case, (resamples, cases), was drawn."""

    readers: np.ndarray
    cases: np.ndarray


@lru_cache(4)
def draw(readers: int, cases: int, resamples: int = RESAMPLES, seed: int = SEED) -> Draws:
    """The same draws each time, so that figures and their differences belong together."""
    random = np.random.default_rng(seed)
    return Draws(_counts(random, readers, resamples), _counts(random, cases, resamples))


def weighted_means(values: np.ndarray, draws: Draws) -> np.ndarray:
    """The mean of (readers, cases) numbers in each resample, (resamples,); NaN entries count nowhere."""
    there = ~np.isnan(values)
    sums = ((draws.cases @ np.nan_to_num(values).T) * draws.readers).sum(1)
    counts = ((draws.cases @ there.T.astype(float)) * draws.readers).sum(1)
    return _divide(sums, counts)


def mean(values: np.ndarray, draws: Draws) -> Estimate:
    """The mean of (readers, cases) numbers."""
    return estimate(_nanmean(values), weighted_means(values, draws))


def row_means(values: np.ndarray, draws: Draws) -> list[Estimate]:
    """The mean of each row of (rows, cases) numbers over the cases drawn; NaN entries count nowhere."""
    drawn = draws.cases.astype(np.float32)  # exact for the counts, and half the work
    sums, counts = (drawn @ part.T.astype(np.float32) for part in (np.nan_to_num(values), ~np.isnan(values)))
    means = _divide(sums, counts)
    return [estimate(_nanmean(row), mean) for row, mean in zip(values, means.T, strict=True)]


def relative_difference(first: np.ndarray, second: np.ndarray, draws: Draws) -> Estimate:
    """Mean of `second` over mean of `first`, minus 1, both (readers, cases): -0.2 is 20% less."""
    value = _divide(_nanmean(second), _nanmean(first)) - 1
    return estimate(value, _divide(weighted_means(second, draws), weighted_means(first, draws)) - 1)


def auc(ratings: np.ndarray, truth: np.ndarray, draws: Draws | None = None) -> np.ndarray:
    """Area under the empirical ROC curve, averaged over readers, for each resample (without: the sample).

    `ratings`: (readers, cases), NaN for missing; `truth`: bool (cases,). Returns (resamples,) or (1,).
    """
    return average_readers(reader_aucs(ratings, truth, draws), draws)


def average_readers(areas: np.ndarray, draws: Draws | None = None) -> np.ndarray:
    """The mean of (resamples, readers) areas over the readers drawn, (resamples,); NaN counts nowhere."""
    drawn = np.where(np.isnan(areas), 0, draws.readers if draws else 1)
    return _divide((np.nan_to_num(areas) * drawn).sum(1), drawn.sum(1))


def reader_aucs(ratings: np.ndarray, truth: np.ndarray, draws: Draws | None = None) -> np.ndarray:
    """The area of each reader, (resamples, readers), over the cases drawn.

    It is the chance that a positive case is rated above a negative one, ties counting half (Bamber, 1975).
    """
    weights = draws.cases if draws else np.ones((1, ratings.shape[1]))
    levels = np.unique(ratings[~np.isnan(ratings)])
    chosen = ratings.T[:, :, None] == levels  # (cases, readers, levels)
    positive, negative = (
        np.tensordot(weights[:, side], chosen[side].astype(float), 1) for side in (truth, ~truth)
    )
    below = np.cumsum(negative, axis=2) - negative / 2
    return _divide((positive * below).sum(2), positive.sum(2) * negative.sum(2))


def roc_curve(ratings: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate by threshold, from (0, 0) to (1, 1), of all readers' ratings pooled.

    A rate is NaN where there is no case of its side.
    """
    known = ~np.isnan(ratings)
    values, positive = ratings[known], np.broadcast_to(truth, ratings.shape)[known]
    thresholds = [np.inf, *np.unique(values)[::-1]]
    false, true = (
        np.array([_divide((values[side] >= t).sum(), side.sum()) for t in thresholds])
        for side in (~positive, positive)
    )
    return false, true


def estimate(value: float, resampled: np.ndarray) -> Estimate:
    """A figure with the 2.5th and 97.5th percentile of its resampled values."""
    resampled = resampled[~np.isnan(resampled)]
    low, high = np.percentile(resampled, (2.5, 97.5)) if len(resampled) else (np.nan, np.nan)
    return Estimate(float(value), float(low), float(high))


def _counts(random: np.random.Generator, size: int, resamples: int) -> np.ndarray:
    picks = random.integers(0, max(size, 1), (resamples, size)) + np.arange(resamples)[:, None] * size
    return np.bincount(picks.ravel(), minlength=resamples * size).reshape(resamples, size).astype(float)


def _nanmean(values: np.ndarray) -> float:
    there = ~np.isnan(values)
    return _divide(values[there].sum(), there.sum())


def _divide(above: ArrayLike, below: ArrayLike) -> Any:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(below) != 0, np.divide(above, below), np.nan)[()]
