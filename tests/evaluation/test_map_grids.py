import numpy as np
import pytest

from afloc.evaluation.datasets.ground_truth import GroundTruth
from afloc.evaluation.map_grids import from_map_grid, map_mask, mask_to_grid


def test_grids_lie_over_the_image():
    mask = np.zeros((120, 60), bool)
    mask[90:, 30:] = True
    grid = mask_to_grid(mask)
    assert grid[24:, 16:].min() == pytest.approx(1) and grid[:23].max() == 0
    native = from_map_grid(grid, 120, 60, "native")
    assert ((native > 0.5) == mask).mean() > 0.99
    paper = from_map_grid(grid, 120, 60, "paper")
    assert paper.shape == (224, 224) and np.isnan(paper[:14]).all()
    rows, columns = np.nonzero(paper > 0.5)
    assert rows.min() in range(166, 170) and columns.min() in range(110, 114)


def test_a_box_of_the_published_protocol_is_truncated():
    truth = GroundTruth("Effusion", ((10, 20, 31, 40),))
    mask = map_mask(truth, truth.draw(444, 333), "paper")
    rows, columns = np.nonzero(mask)
    left = (224 - 167) // 2
    assert (columns.min(), columns.max() + 1) == (left + 5, left + 5 + 15)
    assert (rows.min(), rows.max() + 1) == (10, 10 + 20)
