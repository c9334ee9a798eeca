"""Where a description must hold, known without a mark."""

import math

import numpy as np
import torch

from afloc.language.statements import Statement
from afloc.training.data.facts import Description, Fact, entails
from afloc.training.data.pairs import Pair, mirror
from afloc.training.pictures.collage import join_pictures, of_the_whole, whole
from afloc.training.pictures.location_priors import find_places

LEFT = {"pleural_effusion": Fact(1.0, frozenset({"left"}))}
AS_THEY_ARE = np.zeros(4, bool)
CLEAR = {"pleural_effusion": Fact(0.0), "cardiomegaly": Fact(0.0)}


def described(finding, status="affirmed", side=None):
    return Description(f"{side} {finding} {status}", (Statement(finding, status, side),))


def pairs(*facts):
    return [Pair(None, "a", "chest_xray", (), each) for each in facts]


def shades(count):
    return torch.stack([torch.full((3, 64, 64), float(10 * each + 10)) for each in range(count)])


def test_the_patients_left_is_the_images_right_unless_it_is_mirrored():
    asked = (described("pleural_effusion"), described("pleural_effusion", "denied"))
    places = find_places(shades(1), whole(pairs(LEFT), 8), asked, "chest_xray", AS_THEY_ARE)
    assert places.description.tolist() == [0]
    assert places.inside[0, :, 4:].all() and not places.inside[0, :, :4].any()
    assert torch.equal(places.outside, ~places.inside)
    mirrored = whole([mirror(pairs(LEFT)[0])], 8)
    turned = find_places(shades(1), mirrored, asked, "chest_xray", ~AS_THEY_ARE)
    assert torch.equal(turned.inside, places.inside.flip(-1))


def test_a_sentence_whose_side_was_not_read_has_no_place_on_a_mirrored_film():
    asked = [Description("fluid left of the heart", (Statement("pleural_effusion", "affirmed"),))]
    for turned, places in ((AS_THEY_ARE, 1), (~AS_THEY_ARE, 0)):
        assert len(find_places(shades(1), whole(pairs(LEFT), 8), asked, "chest_xray", turned)) == places


def test_of_two_pictures_in_one_each_description_has_its_part():
    facts = [{"mucus": Fact(1.0)}, {"mucus": Fact(1.0)}, {"mucus": Fact(0.0), "adipose": Fact(0.0)}, CLEAR]
    facts[3] = {"mucus": Fact(0.0), "adipose": Fact(1.0)}
    pixels, of = shades(4), pairs(*facts)
    seen, pieces = join_pictures(pixels, of, 2, torch.Generator().manual_seed(0))
    assert torch.equal(seen[2:], pixels[2:]) and [len(parts) for parts in pieces] == [2, 2, 1, 1]
    asked = (described("mucus"), described("mucus", "denied"), described("adipose"))
    holds = [[entails(of_the_whole(parts), each) for each in asked] for parts in pieces]
    np.testing.assert_equal(holds, [[1, 0, math.nan], [1, 0, 1], [0, 1, 0], [0, 1, 1]])
    places = find_places(seen, pieces, asked, "chest_xray", AS_THEY_ARE)
    asked_of = zip(places.image.tolist(), places.description.tolist(), strict=True)
    found = dict(zip(asked_of, places.inside, strict=True))
    assert set(found) == {(0, 0), (0, 2), (1, 0), (1, 2)}
    for row in (0, 1):
        mine = seen[row, 0, ::8, ::8] == pixels[row, 0, 0, 0]
        assert torch.equal(found[row, 0], mine) and 0.2 < mine.float().mean() < 0.8
    assert torch.equal(found[1, 2], ~found[1, 0]) and not found[0, 2].any()  # the other piece has none
