"""Random changes of training images."""

import numpy as np
import torch

from afloc.training.pictures.augmentation import random_affine


def test_mirrored_images_are_and_the_others_are_not():
    images = np.zeros((8, 64, 64), np.uint8)
    images[:, :, :16] = 255
    mirrored = np.arange(8) % 2 == 0
    seen = random_affine(images, 56, mirrored, torch.Generator().manual_seed(0))
    right = seen[..., 28:].mean((1, 2, 3)) > seen[..., :28].mean((1, 2, 3))
    assert right.tolist() == mirrored.tolist()
