"""The marks of a map: its peaks, each a place and a rating, as free-response analysis (FROC) counts them."""

from dataclasses import dataclass

import numpy as np
from skimage.measure import label
from skimage.morphology import local_maxima

from afloc.evaluation.metrics import TruthRegions

MOST_MARKS = 32  # the highest are kept


@dataclass(frozen=True)
class Marks:
    """`ratings` (n,): the map's value at each peak, falling; `rows`, `columns` (n,): the cells."""

    ratings: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def find_marks(grid: np.ndarray) -> Marks:
    """The peaks of a map (rows, columns): cells above all cells around them. A level top counts once, at its
    cell nearest to its middle. A flat map has none. NaN lies below all numbers."""
    known = np.where(np.isnan(grid), -np.inf, grid)
    tops = label(local_maxima(known, connectivity=2), connectivity=2)
    places = np.argwhere(tops)
    numbers = tops[tuple(places.T)] - 1
    sums = np.stack([np.bincount(numbers, place) for place in places.T], axis=1)
    middles = sums / np.bincount(numbers)[:, None]
    away = np.hypot(*(places - middles[numbers]).T)
    order = np.lexsort((away, numbers))
    first = order[np.unique(numbers[order], return_index=True)[1]]
    rows, columns = places[first].T
    ratings = known[rows, columns]
    best = np.argsort(-ratings, kind="stable")[:MOST_MARKS]
    return Marks(ratings[best], rows[best], columns[best])


def marked_regions(marks: Marks, shape: tuple[int, ...], regions: TruthRegions) -> np.ndarray:
    """The number of the region of the ground truth that each mark lies in, 0 for none. `shape`: of the grid
    that the marks are peaks of; the ground truth covers the same image at any size."""
    height, width = regions.labels.shape
    rows = ((marks.rows + 0.5) * height / shape[0]).astype(int)
    columns = ((marks.columns + 0.5) * width / shape[1]).astype(int)
    return regions.labels[rows, columns]
