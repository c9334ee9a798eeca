import numpy as np

from afloc.evaluation.baselines import center_prior, means_of_others
from afloc.evaluation.map_grids import GRID_SIDE


def test_a_baseline_never_holds_the_patient_it_is_held_against():
    grids = np.random.default_rng(0).random((6, GRID_SIDE, GRID_SIDE)).astype(np.float32)
    keys, patients = ["a", "a", "a", "a", "b", "b"], ["1", "1", "2", "3", "4", "4"]
    found = dict(means_of_others(keys, patients, grids))
    np.testing.assert_allclose(found[0], (grids[2] + grids[3]) / 2, rtol=1e-6)
    np.testing.assert_allclose(found[2], (grids[0] + grids[1] + grids[3]) / 3, rtol=1e-6)
    assert found[4] is None and found[5] is None


def test_the_center_is_highest_in_the_middle():
    assert center_prior().argmax() == 15 * GRID_SIDE + 15
