"""Columns of the tables of a run, and figures with their intervals as `summary.json` has them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def where(table: pa.Table, column: str, value: str) -> pa.Table:
    """The rows with this value in a column."""
    return table.filter(pa.compute.equal(table[column], value))


def numbers(table: pa.Table, column: str) -> np.ndarray:
    """A column as float64, NaN where it is missing."""
    return np.array(table[column].cast(pa.float64()).to_pylist(), dtype=float)


def figure(mean: float, interval: Sequence[float] | np.ndarray | None) -> dict:
    """{"mean", "ci95"}, None for what cannot be had."""
    if interval is None or np.isnan(interval).any():
        return {"mean": plain(mean), "ci95": None}
    return {"mean": plain(mean), "ci95": [plain(end) for end in interval]}


def plain(value: float) -> float | None:
    """A number with six digits, None for NaN."""
    return None if np.isnan(value) else round(float(value), 6)


def nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is not NaN; NaN for nothing, without a warning."""
    known = ~np.isnan(values)
    count = known.sum(axis)
    total = np.where(known, values, 0).sum(axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def weighted_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, m) values with NaN and (k, n) weights to (k, m) means of what there is; NaN for nothing."""
    known = ~np.isnan(values)
    total = weights.astype(np.float64) @ np.where(known, values, 0)
    count = weights.astype(np.float64) @ known
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
