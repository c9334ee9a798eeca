"""Training pictures: decoded once and kept, seen a little differently at every step."""

import math
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from afloc.files import whole_file
from afloc.imaging.geometry import Letterbox
from afloc.imaging.image import read_image
from afloc.model.image_encoder import normalise
from afloc.training.distributed import first_alone


def kept_size(size: int) -> int:
    """The side of the kept pictures, of which an encoder sees cuts of `size`: 256 for 224."""
    return size * 8 // 7


def decode_images(paths: list[Path], path: Path, size: int, gray: bool) -> np.ndarray:
    """The images letterboxed to `size`: uint8 (N, size, size[, 3]), from the file `path` if it is there."""
    with first_alone():
        if not path.is_file():
            _decode(paths, path, size, gray)
    return np.load(path, mmap_mode="r")


def _decode(paths: list[Path], path: Path, size: int, gray: bool) -> None:
    shape = (len(paths), size, size) + (() if gray else (3,))
    with whole_file(path, alone=True) as written:
        pictures = open_memmap(written, "w+", np.uint8, shape)
        for index, source in enumerate(tqdm(paths, desc="decoding", unit="image")):
            image = read_image(source)
            letterbox = Letterbox.fit(image.height, image.width, size)
            pictures[index] = letterbox.image(image.gray() if gray else image.rgb())
        pictures.flush()


def as_they_are(pictures: np.ndarray, size: int) -> Tensor:
    """Decoded pictures as the encoder's input: float32 (B, 3, size, size), channels last."""
    x = normalise(pictures, "lite")
    if size != pictures.shape[1]:
        x = functional.interpolate(x, (size, size), mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last)


def as_input(pixels: Tensor) -> Tensor:
    """Pixels 0 … 255 as the encoder's input."""
    return ((pixels - 127) / 128).contiguous(memory_format=torch.channels_last)


def moved(pictures: np.ndarray, size: int, mirrored: np.ndarray, generator: torch.Generator) -> Tensor:
    """Pictures turned, shifted and scaled a little differently, and those `mirrored`, bool (B,), left for
    right: float32 (B, 3, size, size), 0 … 255."""
    pictures = normalise(pictures, "lite") * 128 + 127
    count = len(pictures)

    def draw(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    angle, scale = draw(-8, 8) * math.pi / 180, draw(0.82, 1.08)
    flip = 1 - 2 * torch.from_numpy(mirrored).float()
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    rows = [torch.stack([cosine * flip, -sine, draw(-0.07, 0.07)], 1)]
    rows.append(torch.stack([sine * flip, cosine, draw(-0.07, 0.07)], 1))
    grid = functional.affine_grid(torch.stack(rows, 1), [count, 3, size, size], align_corners=False)
    return functional.grid_sample(pictures, grid, align_corners=False)


def lit(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Pixels (B, 3, S, S), 0 … 255, each picture lit a little differently."""

    def draw(low: float, high: float) -> Tensor:
        return (torch.rand(len(pixels), generator=generator) * (high - low) + low).view(-1, 1, 1, 1)

    x = (pixels / 255).clamp(0, 1) ** draw(-0.3, 0.3).exp()
    return ((x - 0.5) * draw(0.8, 1.25) + 0.5 + draw(-0.1, 0.1)).clamp(0, 1) * 255
