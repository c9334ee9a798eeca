"""The side of the patient on which a map lies."""

import numpy as np
import pytest

from afloc.inference.finding import Side
from afloc.inference.sides import balance, compare_sides, seen_side
from afloc.model.calibration import SideMargin

MARGIN = SideMargin(margin=0.2, right=0.9, n=10)


def painted(left: float, right: float, columns: int = 9) -> np.ndarray:
    """A map of which the patient's left and right half hold these values; the middle column is full."""
    grid = np.zeros((4, columns), np.float32)
    grid[:, : columns // 2], grid[:, -(columns // 2) :], grid[:, columns // 2] = right, left, 1
    return grid


def test_the_balance_is_that_of_the_squares_and_the_middle_column_counts_for_neither():
    assert balance(painted(left=0.6, right=0.2)) == pytest.approx((0.36 - 0.04) / (0.36 + 0.04))
    assert balance(painted(0.2, 0.6)) == -balance(painted(0.6, 0.2))
    assert balance(np.zeros((3, 4))) == 0


@pytest.mark.parametrize(
    "left, right, seen",
    [(0.9, 0.1, "left"), (0.1, 0.9, "right"), (0.5, 0.5, None), (0.55, 0.5, None), (0, 0, None)],
)
def test_a_side_is_seen_only_where_the_map_is_uneven_enough(left, right, seen):
    assert seen_side(painted(left, right), MARGIN) == seen


def test_both_agrees_with_nothing_else():
    assert compare_sides("left", "left") == Side("left", "left", True)
    assert compare_sides("left", "right") == Side("left", "right", False)
    assert compare_sides("both", "right") == Side("both", "right", False)
    assert compare_sides("left", None) == Side("left", None, None)
