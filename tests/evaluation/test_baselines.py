from dataclasses import replace

import numpy as np

from afloc.evaluation.baselines import AnatomyPriors, center_prior, means_of_others
from afloc.evaluation.map_grids import GRID_SIDE
from afloc.imaging.chest_phantom import draw_chest_film
from afloc.imaging.geometry import area_resize
from afloc.imaging.image import Orientation, image_from_array


def test_a_baseline_never_holds_the_patient_it_is_held_against():
    grids = np.random.default_rng(0).random((6, GRID_SIDE, GRID_SIDE)).astype(np.float32)
    keys, patients = ["a", "a", "a", "a", "b", "b"], ["1", "1", "2", "3", "4", "4"]
    found = dict(means_of_others(keys, patients, grids))
    np.testing.assert_allclose(found[0], (grids[2] + grids[3]) / 2, rtol=1e-6)
    np.testing.assert_allclose(found[2], (grids[0] + grids[1] + grids[3]) / 3, rtol=1e-6)
    assert found[4] is None and found[5] is None


def test_the_center_is_highest_in_the_middle():
    assert center_prior().argmax() == 15 * GRID_SIDE + 15


def test_anatomy_knows_the_frame_of_a_film_and_the_finding_alone():
    film = area_resize(draw_chest_film(), 256, 256)
    image = image_from_array(film)
    found = AnatomyPriors(image, "chest_xray").map("left pleural effusion")
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert row > 20 and column > 20, "on the patient's left, at the bottom of the lung"
    hanging = replace(image, pixels=film[:, ::-1].copy(), orientation=Orientation(patient_right="right"))
    mirrored = AnatomyPriors(hanging, "chest_xray").map("left pleural effusion")
    np.testing.assert_allclose(mirrored, found[:, ::-1], atol=1e-6)
    lateral = replace(image, orientation=Orientation(view="lateral"))
    for without_frame in (lateral, image_from_array(255 - film)):
        assert (AnatomyPriors(without_frame, "chest_xray").map("pneumothorax") == 1).all()
    assert np.isnan(AnatomyPriors(image, "chest_xray").map("a hazy grey area")).all()
    assert np.isnan(AnatomyPriors(image, "fundus").map("optic disc")).all()
