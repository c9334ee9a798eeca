"""Training images as the encoder sees them: augmented anew at every step, or plain."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from afloc.model.image_encoder import normalise


def plain_input(images: np.ndarray, size: int) -> Tensor:
    """Stored images without augmentation, as the encoder's input: float32 (B, 3, size, size), channels
    last."""
    x = normalise(images, "lite")
    if size != images.shape[1]:
        x = functional.interpolate(x, (size, size), mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last)


def scale_pixels(pixels: Tensor) -> Tensor:
    """Augmented pixels, 0 … 255, as the encoder's input, channels last."""
    return ((pixels - 127) / 128).contiguous(memory_format=torch.channels_last)


def random_affine(images: np.ndarray, size: int, mirrored: np.ndarray, generator: torch.Generator) -> Tensor:
    """Stored images, each rotated, shifted and scaled at random, and mirrored where `mirrored`, bool (B,),
    says so: float32 (B, 3, size, size), 0 … 255."""
    pixels = normalise(images, "lite") * 128 + 127
    count = len(pixels)

    def draw(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    angle, scale = draw(-8, 8) * math.pi / 180, draw(0.82, 1.08)
    flip = 1 - 2 * torch.from_numpy(mirrored).float()
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    rows = [torch.stack([cosine * flip, -sine, draw(-0.07, 0.07)], 1)]
    rows.append(torch.stack([sine * flip, cosine, draw(-0.07, 0.07)], 1))
    grid = functional.affine_grid(torch.stack(rows, 1), [count, 3, size, size], align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False)


def random_lighting(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Pixels (B, 3, S, S), 0 … 255, with a random gamma, contrast and brightness for each image."""

    def draw(low: float, high: float) -> Tensor:
        return (torch.rand(len(pixels), generator=generator) * (high - low) + low).view(-1, 1, 1, 1)

    x = (pixels / 255).clamp(0, 1) ** draw(-0.3, 0.3).exp()
    return ((x - 0.5) * draw(0.8, 1.25) + 0.5 + draw(-0.1, 0.1)).clamp(0, 1) * 255
