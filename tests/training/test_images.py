"""What is asked of pictures that are not as they were taken."""

import numpy as np
import torch

from afloc.training.images import ask_again
from afloc.training.pairs import Batch, Description, Fact, Pair, Sampler, mirror
from afloc.training.pieces import whole
from afloc.training.statements import Statement

LEFT = {"pleural_effusion": Fact(1.0, frozenset({"left"}))}


def sided(text, side):
    return Description(text, (Statement("pleural_effusion", "affirmed", side),))


def test_a_mirrored_film_is_asked_for_the_other_side():
    pairs = [Pair("film.png", "drawn", "chest_xray", (), LEFT, frozenset(LEFT))] * 2
    asked = (sided("left effusion", "left"), sided("right effusion", "right"), sided("left effusion", None))
    targets = np.array([[1, 0, 1]] * 2, dtype=np.float32)
    batch = Batch(np.arange(2), asked, targets, np.ones_like(targets))
    turned = [pairs[0], mirror(pairs[1])]
    sampler = Sampler(pairs, 0, templates=0, reports=0)
    found, _ = ask_again(batch, whole(turned, 8), turned, torch.tensor([False, True]), sampler)
    np.testing.assert_equal(found.numpy(), [[1, 0, 1], [0, 1, np.nan]])
