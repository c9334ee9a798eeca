"""Training images: decoded once and stored in one file, then augmented anew at every step."""

import math
from collections.abc import Sequence
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


def stored_size(size: int) -> int:
    """The side of the stored images from which crops of `size` are taken: 256 for 224."""
    return size * 8 // 7


def decode_images(paths: list[Path], path: Path, size: int, gray: bool) -> np.ndarray:
    """The images letterboxed to `size`: uint8 (N, size, size[, 3]). They are stored in the file `path`."""
    with first_alone():
        if not path.is_file():
            _decode(paths, path, size, gray)
    return np.load(path, mmap_mode="r")


def _decode(paths: list[Path], path: Path, size: int, gray: bool) -> None:
    shape = (len(paths), size, size) + (() if gray else (3,))
    with whole_file(path, alone=True) as written:
        images = open_memmap(written, "w+", np.uint8, shape)
        for index, source in enumerate(tqdm(paths, desc="decoding", unit="image")):
            images[index] = _letterboxed(source, size, gray)
        images.flush()


def _letterboxed(path: Path, size: int, gray: bool) -> np.ndarray:
    image = read_image(path)
    return Letterbox.fit(image.height, image.width, size).image(image.gray() if gray else image.rgb())


class ImagesOnDemand:
    """Stands in for what `decode_images` gives where few images are wanted: each is decoded when it is first
    asked for, and kept."""

    def __init__(self, paths: list[Path], size: int, gray: bool):
        self._paths, self._size, self._gray = paths, size, gray
        self._decoded: dict[int, np.ndarray] = {}

    def __getitem__(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        for row in rows:
            if row not in self._decoded:
                self._decoded[row] = _letterboxed(self._paths[row], self._size, self._gray)
        return np.stack([self._decoded[row] for row in rows])


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
