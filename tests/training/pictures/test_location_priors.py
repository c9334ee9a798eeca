"""Location priors of descriptions."""

import math

import numpy as np
import torch

from afloc.language.statements import Statement
from afloc.training.data.facts import Description, Fact, entails
from afloc.training.data.pairs import Pair, mirror
from afloc.training.pictures.collage import facts_of_collage, make_collages, single_parts
from afloc.training.pictures.location_priors import find_location_priors

LEFT = {"pleural_effusion": Fact(1.0, frozenset({"left"}))}
NOT_MIRRORED = np.zeros(4, bool)
CLEAR = {"pleural_effusion": Fact(0.0), "cardiomegaly": Fact(0.0)}


def described(finding, status="affirmed", side=None):
    return Description(f"{side} {finding} {status}", (Statement(finding, status, side),))


def pairs(*facts):
    return [Pair(None, "a", "chest_xray", (), each) for each in facts]


def shades(count):
    return torch.stack([torch.full((3, 64, 64), float(10 * each + 10)) for each in range(count)])


def test_the_patients_left_is_the_images_right_unless_it_is_mirrored():
    asked = (described("pleural_effusion"), described("pleural_effusion", "denied"))
    priors = find_location_priors(shades(1), single_parts(pairs(LEFT), 8), asked, "chest_xray", NOT_MIRRORED)
    assert priors.description.tolist() == [0]
    assert priors.inside[0, :, 4:].all() and not priors.inside[0, :, :4].any()
    assert torch.equal(priors.outside, ~priors.inside)
    mirrored = single_parts([mirror(pairs(LEFT)[0])], 8)
    turned = find_location_priors(shades(1), mirrored, asked, "chest_xray", ~NOT_MIRRORED)
    assert torch.equal(turned.inside, priors.inside.flip(-1))


def test_a_sentence_whose_side_was_not_read_has_no_place_on_a_mirrored_film():
    asked = [Description("fluid left of the heart", (Statement("pleural_effusion", "affirmed"),))]
    for turned, count in ((NOT_MIRRORED, 1), (~NOT_MIRRORED, 0)):
        priors = find_location_priors(shades(1), single_parts(pairs(LEFT), 8), asked, "chest_xray", turned)
        assert len(priors) == count


def test_of_two_pictures_in_one_each_description_has_its_part():
    facts = [{"mucus": Fact(1.0)}, {"mucus": Fact(1.0)}, {"mucus": Fact(0.0), "adipose": Fact(0.0)}, CLEAR]
    facts[3] = {"mucus": Fact(0.0), "adipose": Fact(1.0)}
    pixels, of = shades(4), pairs(*facts)
    seen, collages = make_collages(pixels, of, 2, torch.Generator().manual_seed(0))
    assert torch.equal(seen[2:], pixels[2:]) and [len(parts) for parts in collages] == [2, 2, 1, 1]
    asked = (described("mucus"), described("mucus", "denied"), described("adipose"))
    holds = [[entails(facts_of_collage(parts), each) for each in asked] for parts in collages]
    np.testing.assert_equal(holds, [[1, 0, math.nan], [1, 0, 1], [0, 1, 0], [0, 1, 1]])
    priors = find_location_priors(seen, collages, asked, "chest_xray", NOT_MIRRORED)
    asked_of = zip(priors.image.tolist(), priors.description.tolist(), strict=True)
    found = dict(zip(asked_of, priors.inside, strict=True))
    assert set(found) == {(0, 0), (0, 2), (1, 0), (1, 2)}
    for row in (0, 1):
        mine = seen[row, 0, ::8, ::8] == pixels[row, 0, 0, 0]
        assert torch.equal(found[row, 0], mine) and 0.2 < mine.float().mean() < 0.8
    assert torch.equal(found[1, 2], ~found[1, 0]) and not found[0, 2].any()  # the other piece has none
