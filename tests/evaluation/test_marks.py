import numpy as np

from afloc.evaluation.marks import MOST_MARKS, find_marks, marked_regions
from afloc.evaluation.metrics import truth_regions


def slow_peaks(grid):
    """Cells above all eight neighbours."""
    around = np.pad(grid, 1, constant_values=-np.inf)
    return {
        (row, column)
        for row, column in np.ndindex(grid.shape)
        if all(
            grid[row, column] > around[row + down, column + right]
            for down in range(3)
            for right in range(3)
            if (down, right) != (1, 1)
        )
    }


def test_random_maps():
    random = np.random.default_rng(0)
    for _ in range(20):
        grid = random.random(tuple(random.integers(3, 9, 2)))
        marks = find_marks(grid)
        assert set(zip(marks.rows.tolist(), marks.columns.tolist(), strict=True)) == slow_peaks(grid)
        assert marks.ratings.tolist() == sorted(grid[marks.rows, marks.columns], reverse=True)


def test_level_tops_flat_maps_and_nan():
    grid = np.zeros((5, 7))
    grid[1, 1:4] = 0.5  # one top of three cells
    grid[4, 6] = 0.9
    marks = find_marks(grid)
    assert list(zip(marks.rows, marks.columns, strict=True)) == [(4, 6), (1, 2)]
    for flat in (np.ones((4, 4)), np.full((4, 4), np.nan)):
        assert len(find_marks(flat).ratings) == 0
    grid[4, 6] = np.nan
    assert find_marks(grid).ratings.tolist() == [0.5]
    assert len(find_marks(np.random.default_rng(0).random((50, 50))).ratings) == MOST_MARKS


def test_a_mark_lies_in_the_region_below_the_middle_of_its_cell():
    mask = np.zeros((40, 60), bool)
    mask[:10, :10] = mask[30:, 50:] = True
    grid = np.zeros((4, 6))
    grid[0, 0], grid[3, 5], grid[1, 3] = 0.5, 0.9, 0.7
    found = marked_regions(find_marks(grid), grid.shape, truth_regions(mask))
    assert found.tolist() == [2, 0, 1]
