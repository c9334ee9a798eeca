"""Where a description must hold, known without a mark."""

import numpy as np
import torch

from afloc.training.pairs import Description, Pair, Sampler, facts_of
from afloc.training.places import join_pictures, stained_places, told_places
from afloc.training.statements import Statement


def described(finding, status="affirmed"):
    return Description(f"{finding} {status}", (Statement(finding, status),))


def told(mirrored):
    facts = facts_of((Statement("pleural_effusion", "affirmed", "left"),), "chest_xray")
    sampler = Sampler([Pair(None, "a", "chest_xray", (), facts)] * 3, 0, templates=0, reports=0)
    for step in range(20):
        places = told_places(
            sampler.pairs, sampler.draw(2, step), 4, torch.full((2,), mirrored, dtype=torch.bool)
        )
        if len(places):
            return places.inside[0], places.outside[0]
    raise AssertionError("no batch names the effusion")


def test_the_patients_left_is_the_images_right_unless_it_is_mirrored():
    inside, outside = told(mirrored=False)
    assert inside[:, 2:].all() and not inside[:, :2].any()
    assert outside[:, :2].all() and not outside[:, 2:].any()
    assert torch.equal(told(mirrored=True)[0], inside.flip(-1))


def test_of_two_pictures_in_one_each_description_has_its_part():
    descriptions = (described("mucus"), described("mucus", "denied"), described("adipose"))
    pixels = torch.stack([torch.full((3, 64, 64), float(value)) for value in (10, 20, 30, 40)])
    nan = torch.nan
    targets = torch.tensor([[1, 0, 0], [1, 0, nan], [0, 1, 0], [0, 1, 1]])
    weights = torch.full((4, 3), 2.0)
    seen, joined, heavier, places = join_pictures(
        pixels, targets, weights, descriptions, 2, torch.Generator().manual_seed(0)
    )
    assert torch.equal(seen[2:], pixels[2:]) and torch.equal(joined[2:], targets[2:])
    np.testing.assert_equal(joined[0].numpy(), [1, 0, 0])  # mucus and what has none: the denial falls
    np.testing.assert_equal(joined[1].numpy(), [1, 0, 1])
    assert heavier[0].tolist() == [2, 1, 1]
    assert places.image.tolist() == [0, 1] and places.description.tolist() == [0, 0]
    for row, inside, outside in zip(places.image, places.inside, places.outside, strict=True):
        mine = seen[row, 0, ::8, ::8] == pixels[row, 0, 0, 0]
        assert torch.equal(inside, mine) and torch.equal(outside, ~mine)
        assert 0.2 < mine.float().mean() < 0.8


def test_nuclei_are_where_haematoxylin_is():
    pink, blue = torch.tensor([230.0, 150, 190]), torch.tensor([80.0, 60, 140])
    pixels = pink[None, :, None, None].expand(1, 3, 64, 64).clone()
    pixels[0, :, 16:32, 40:56] = blue[:, None, None]
    descriptions = (described("nuclei"), described("mucus"), described("nuclei", "denied"))
    places = stained_places(pixels, torch.ones(1, 3), descriptions)
    assert places.description.tolist() == [0]
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[2:4, 5:7] = True
    assert (places.inside[0] & expected).sum() == expected.sum()
    assert not (places.outside[0] & expected).any()
