"""Where a description must hold, known without a mark."""

import math

import numpy as np
import torch

from afloc.training.pairs import Description, Fact, Pair, entails, mirror
from afloc.training.pieces import join_films, join_pictures, of_the_whole, on_side, whole
from afloc.training.places import find_places
from afloc.training.statements import Statement

SIDED = {"pleural_effusion"}
LEFT = {"pleural_effusion": Fact(1.0, frozenset({"left"}))}
SOMEWHERE = {"pleural_effusion": Fact(1.0), "cardiomegaly": Fact(1.0)}
CLEAR = {"pleural_effusion": Fact(0.0), "cardiomegaly": Fact(0.0)}


def described(finding, status="affirmed", side=None):
    return Description(f"{side} {finding} {status}", (Statement(finding, status, side),))


def pairs(*facts):
    return [Pair(None, "a", "chest_xray", (), each) for each in facts]


def shades(count):
    return torch.stack([torch.full((3, 64, 64), float(10 * each + 10)) for each in range(count)])


def test_the_patients_left_is_the_images_right_unless_it_is_mirrored():
    asked = (described("pleural_effusion"), described("pleural_effusion", "denied"))
    places = find_places(shades(1), whole(pairs(LEFT), 8), asked, "chest_xray")
    assert places.description.tolist() == [0]
    assert places.inside[0, :, 4:].all() and not places.inside[0, :, :4].any()
    assert torch.equal(places.outside, ~places.inside)
    turned = find_places(shades(1), whole([mirror(pairs(LEFT)[0])], 8), asked, "chest_xray")
    assert torch.equal(turned.inside, places.inside.flip(-1))


def test_of_two_pictures_in_one_each_description_has_its_part():
    facts = [{"mucus": Fact(1.0)}, {"mucus": Fact(1.0)}, {"mucus": Fact(0.0), "adipose": Fact(0.0)}, CLEAR]
    facts[3] = {"mucus": Fact(0.0), "adipose": Fact(1.0)}
    pixels, of = shades(4), pairs(*facts)
    seen, pieces = join_pictures(pixels, of, 2, torch.Generator().manual_seed(0))
    assert torch.equal(seen[2:], pixels[2:]) and [len(parts) for parts in pieces] == [2, 2, 1, 1]
    asked = (described("mucus"), described("mucus", "denied"), described("adipose"))
    holds = [[entails(of_the_whole(parts), each) for each in asked] for parts in pieces]
    np.testing.assert_equal(holds, [[1, 0, math.nan], [1, 0, 1], [0, 1, 0], [0, 1, 1]])
    places = find_places(seen, pieces, asked, "chest_xray")
    asked_of = zip(places.image.tolist(), places.description.tolist(), strict=True)
    found = dict(zip(asked_of, places.inside, strict=True))
    assert set(found) == {(0, 0), (0, 2), (1, 0), (1, 2)}
    for row in (0, 1):
        mine = seen[row, 0, ::8, ::8] == pixels[row, 0, 0, 0]
        assert torch.equal(found[row, 0], mine) and 0.2 < mine.float().mean() < 0.8
    assert torch.equal(found[1, 2], ~found[1, 0]) and not found[0, 2].any()  # the other piece has none


def test_a_side_of_a_film_knows_only_what_its_report_places():
    assert on_side(LEFT, "left", SIDED)["pleural_effusion"].present == 1
    assert on_side(LEFT, "right", SIDED)["pleural_effusion"].present == 0
    assert all(math.isnan(fact.present) for fact in on_side(SOMEWHERE, "left", SIDED).values())
    assert on_side(CLEAR, "left", SIDED) == CLEAR


def test_two_sides_of_the_chest_make_a_film():
    """A left effusion beside a clear side, or what is somewhere beside a clear side: there it is not."""
    for facts, known in ((LEFT, True), (SOMEWHERE, False)):
        for seed in range(8):
            seen, pieces = join_films(
                shades(2), pairs(facts, CLEAR), SIDED, 1, torch.Generator().manual_seed(seed)
            )
            right, left = pieces[0]
            assert torch.equal(seen[0, 0, ::8, ::8] == 10, right.region if right.row == 0 else left.region)
            (holds,) = (entails(of_the_whole(pieces[0]), described("pleural_effusion")),)
            places = find_places(seen[:1], pieces[:1], [described("pleural_effusion")], "chest_xray")
            if known:
                assert holds == (left.row == 0)
            else:
                assert math.isnan(holds) and not places.inside.any()
                clear = left if left.row == 1 else right
                assert torch.equal(places.outside[0], clear.region)
