"""The appearance of findings, on drawn images."""

import numpy as np
import pytest
import torch
from skimage.draw import disk, line

from afloc.training.pictures.appearance_priors import AppearancePriors

SIZE, CELLS = 160, 20


def priors(picture, modality, region=None):
    pixels = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).float()
    return AppearancePriors(
        pixels, torch.ones(CELLS, CELLS, dtype=torch.bool) if region is None else region, modality
    )


def cells(where):
    """The cells that a drawing touches, bool (CELLS, CELLS)."""
    drawn = np.zeros((SIZE, SIZE), bool)
    drawn[where] = True
    return drawn.reshape(CELLS, 8, CELLS, 8).any((1, 3))


@pytest.fixture
def eye():
    """An orange retina on black with a disc, a vessel, a red spot and a yellow one."""
    drawn = {
        "retina": disk((80, 80), 78),
        "disc": disk((80, 125), 12),
        "vessel": line(20, 100, 140, 100),
        "dark": disk((60, 50), 3),
        "bright": disk((100, 60), 3),
    }
    colours = {
        "retina": (200, 110, 50),
        "disc": (250, 220, 150),
        "vessel": (130, 50, 30),
        "dark": (120, 40, 25),
        "bright": (245, 215, 120),
    }
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    for name, where in drawn.items():
        picture[where] = colours[name]
    return picture, drawn


@pytest.mark.parametrize("finding, spot", [("hard_exudate", "bright"), ("haemorrhage", "dark")])
def test_lesions_are_round_spots_and_neither_vessel_nor_disc(eye, finding, spot):
    picture, drawn = eye
    inside, outside = (each.numpy() for each in priors(picture, "fundus").of(finding))
    lesion = cells(drawn[spot])
    assert inside[lesion].any() and not outside[inside].any()
    assert not outside[lesion].all()
    assert inside[cells(drawn["vessel"])].mean() < 0.5
    assert outside[~cells(drawn["retina"])].all()
    if spot == "bright":
        assert not inside[cells(drawn["disc"])].any()


def test_whatever_it_is_it_lies_on_the_retina_or_on_tissue(eye):
    picture, drawn = eye
    inside, outside = priors(picture, "fundus").of("diabetic_retinopathy")
    assert not inside.numpy()[~cells(drawn["retina"])].any() and torch.equal(outside, ~inside)
    section = np.full((SIZE, SIZE, 3), 245, np.uint8)
    section[:, :80] = (200, 120, 170)
    inside, outside = priors(section, "histopathology").of("necrosis")
    assert inside[:, :10].all() and not inside[:, 10:].any() and torch.equal(outside, ~inside)


def test_nuclei_are_where_haematoxylin_is():
    picture = np.full((SIZE, SIZE, 3), (230, 150, 190), np.uint8)
    nuclei = np.s_[16:32, 40:56]
    picture[nuclei] = (80, 60, 140)
    inside, outside = priors(picture, "histopathology").of("nuclei")
    assert inside.numpy()[cells(nuclei)].all() and not outside.numpy()[cells(nuclei)].any()


def test_a_gland_is_its_epithelium_and_the_lumen_in_it_but_not_the_stroma_nor_a_tear_in_it():
    picture = np.full((SIZE, SIZE, 3), (225, 140, 190), np.uint8)
    picture[disk((60, 60), 40)] = (110, 70, 160)
    lumen, tear, stroma = disk((60, 60), 20), np.s_[120:136, 120:136], np.s_[112:152, 16:64]
    picture[lumen] = picture[tear] = 245
    inside, outside = (each.numpy() for each in priors(picture, "histopathology").of("colon_gland"))
    assert inside[cells(disk((60, 60), 32))].all() and not outside[cells(disk((60, 60), 32))].any()
    assert outside[cells(stroma)].all() and not inside[cells(tear)].any()


def test_of_a_part_of_a_picture_nothing_is_known_beyond_it(eye):
    picture, drawn = eye
    left = torch.zeros(CELLS, CELLS, dtype=torch.bool)
    left[:, :10] = True
    inside, outside = priors(picture, "fundus", left).of("haemorrhage")
    assert inside.numpy()[cells(drawn["dark"])].any() and not (inside | outside)[:, 10:].any()


def test_a_chest_film_has_no_appearance_priors():
    assert priors(np.zeros((SIZE, SIZE, 3), np.uint8), "chest_xray").of("pleural_effusion") is None
