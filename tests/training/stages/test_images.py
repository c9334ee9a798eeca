"""Augmented images, and the targets of collages."""

import numpy as np
import torch

from afloc.language.statements import Statement
from afloc.training.data.facts import Description, Fact
from afloc.training.data.pairs import Pair
from afloc.training.data.sampler import Batch, Sampler
from afloc.training.pictures.augmentation import random_affine
from afloc.training.pictures.collage import make_collages
from afloc.training.stages.images import targets_of_collages

MUCUS = {"mucus": Fact(1.0)}, {"mucus": Fact(0.0)}


def test_mirrored_pictures_are_and_the_others_are_not():
    images = np.zeros((8, 64, 64), np.uint8)
    images[:, :, :16] = 255
    mirrored = np.arange(8) % 2 == 0
    seen = random_affine(images, 56, mirrored, torch.Generator().manual_seed(0))
    right = seen[..., 28:].mean((1, 2, 3)) > seen[..., :28].mean((1, 2, 3))
    assert right.tolist() == mirrored.tolist()


def test_of_a_picture_of_two_what_holds_of_one_holds_unless_its_side_is_in_doubt():
    pairs = tuple(Pair("a.png", "drawn", "histopathology", (), facts) for facts in MUCUS)
    said = (Statement("mucus", "affirmed"),)
    asked = Description("mucus", said), Description("mucus on the left", said)
    targets, weights = np.float32([[1, 1], [0, 0]]), np.ones((2, 2), np.float32)
    pixels, sampler = torch.zeros(2, 3, 64, 64), Sampler(list(pairs), 0, templates=0, reports=0)
    for mirrored, doubtful in (([False, False], 1), ([False, True], np.nan)):
        batch = Batch(np.arange(2), np.array(mirrored), pairs, asked, targets, weights)
        _, collages = make_collages(pixels, pairs, 1, torch.Generator().manual_seed(0))
        found, counts = targets_of_collages(batch, collages, sampler)
        np.testing.assert_equal(found.numpy(), [[1, doubtful], [0, 0]])
        assert counts.tolist() == [[1, 1], [1, 1]]
