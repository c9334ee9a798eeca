"""On which side of the patient a finding is seen: read from the map of the bare finding, for the map of a
text that names a side follows its text."""

import numpy as np

from afloc.inference.finding import Side
from afloc.model.calibration import SideMargin

BOTH = "both"


def balance(grid: np.ndarray) -> float:
    """How much further a map (rows, columns) lies to the patient's left than to the right, -1 … 1: the
    difference of the sums of its squares, as a share of both. The patient's right is on the map's left side,
    as on an ordinary film. 0 for an empty map."""
    squares = np.square(grid, dtype=np.float64)
    half = squares.shape[1] // 2
    right, left = squares[:, :half].sum(), squares[:, squares.shape[1] - half :].sum()
    both = right + left
    return float((left - right) / both) if both else 0.0


def seen_side(grid: np.ndarray, margin: SideMargin) -> str | None:
    """ "left" or "right" of the patient; None where the map is too even."""
    found = balance(grid)
    if abs(found) < margin.margin:
        return None
    return "left" if found > 0 else "right"


def compare_sides(named: str, seen: str | None) -> Side:
    """The side that was named beside the one that is seen. "Both" agrees with nothing else."""
    return Side(named, seen, None if seen is None else seen == named)
