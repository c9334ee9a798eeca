"""Training images, decoded once to the size that is wanted and stored in shards.

A shard is a file of at most SHARD images. The processes of a run decode different shards; a run that was
killed decodes only those that are missing. Of the shards no image stays in memory: what is asked for is
copied from the file.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from torch import distributed
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from afloc.files import whole_file
from afloc.imaging.geometry import Letterbox
from afloc.imaging.image import read_image
from afloc.training.data.pairs import Pair
from afloc.training.distributed import rank_and_world_size

SHARD = 512  # images


def stored_size(size: int) -> int:
    """The side of the stored images from which crops of `size` are taken: 256 for 224."""
    return size * 8 // 7


class ImagePaths(Sequence[Path]):
    """The image files of pairs, each looked up when it is asked for."""

    def __init__(self, pairs: Sequence[Pair]):
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        return self.pairs[row].image


class StoredImages:
    """The images of the files in `folder`, uint8 (S, S[, 3]) each, by their number."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __getitem__(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """The images of `rows`: uint8 (B, S, S[, 3])."""
        return np.stack([np.array(self._shard(int(row))[int(row) % SHARD]) for row in rows])

    def _shard(self, row: int) -> np.ndarray:
        return np.load(shard_path(self.folder, row // SHARD), mmap_mode="r")


def shard_path(folder: Path, number: int) -> Path:
    """The file of a shard."""
    return folder / f"{number:05d}.npy"


def decode_images(
    paths: Sequence[Path], folder: Path, size: int, gray: bool, workers: int = 0
) -> StoredImages:
    """The images letterboxed to `size`. They are stored below `folder`, in a folder for just these images at
    this size; `workers` processes decode them."""
    digest = hashlib.sha256(f"{size} {gray}".encode())
    for path in paths:
        digest.update(f"\n{path}".encode())
    shards = folder / digest.hexdigest()[:12]
    shards.mkdir(parents=True, exist_ok=True)
    rank, processes = rank_and_world_size()
    wanted = range(0, len(paths), SHARD)
    missing = [start for start in wanted if not shard_path(shards, start // SHARD).is_file()]
    if processes > 1:
        distributed.barrier()  # all have seen the same shards missing
    mine = missing[rank::processes]
    for start in tqdm(mine, desc="decoding", unit="shard", disable=not mine):
        _decode(paths[start : start + SHARD], shard_path(shards, start // SHARD), size, gray, workers)
    if processes > 1:
        distributed.barrier()
    return StoredImages(shards)


def _decode(paths: Sequence[Path], path: Path, size: int, gray: bool, workers: int) -> None:
    images = DataLoader(
        Letterboxed(paths, size, gray), batch_size=None, num_workers=workers, collate_fn=as_it_is
    )
    with whole_file(path, alone=True) as written:
        shape = (len(paths), size, size) + (() if gray else (3,))
        stored = open_memmap(written, "w+", np.uint8, shape)
        for number, image in enumerate(images):
            stored[number] = image
        stored.flush()


def as_it_is(item: Any) -> Any:
    """For a DataLoader, which would make tensors of what it reads."""
    return item


class Letterboxed(Dataset):
    """Image files, each decoded when it is asked for and letterboxed to `size`."""

    def __init__(self, paths: Sequence[Path], size: int, gray: bool):
        self.paths, self.size, self.gray = paths, size, gray

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> np.ndarray:
        image = read_image(self.paths[number])
        fitted = Letterbox.fit(image.height, image.width, self.size)
        return fitted.image(image.gray() if self.gray else image.rgb())


class ImagesOnDemand:
    """Stands in for what `decode_images` gives where few images are wanted: each is decoded when it is first
    asked for, and kept."""

    def __init__(self, paths: Sequence[Path], size: int, gray: bool):
        self._images = Letterboxed(paths, size, gray)
        self._decoded: dict[int, np.ndarray] = {}

    def __getitem__(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        for row in rows:
            if row not in self._decoded:
                self._decoded[row] = self._images[int(row)]
        return np.stack([self._decoded[row] for row in rows])
