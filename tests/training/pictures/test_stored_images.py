"""Decoded images in shards."""

import numpy as np
import PIL.Image
import pytest

from afloc.training.pictures import stored_images
from afloc.training.pictures.stored_images import ImagesOnDemand, decode_images


@pytest.fixture
def paths(tmp_path):
    found = [tmp_path / f"{n}.png" for n in range(5)]
    for n, path in enumerate(found):
        PIL.Image.fromarray(np.full((30, 20), 10 * n, np.uint8)).save(path)
    return found


@pytest.mark.parametrize("workers", [0, 2])
def test_every_image_comes_back_by_its_number(paths, tmp_path, monkeypatch, workers):
    monkeypatch.setattr(stored_images, "SHARD", 2)
    stored = decode_images(paths, tmp_path / "images", 32, gray=True, workers=workers)
    assert len(list(stored.folder.glob("*.npy"))) == 3
    rows = np.array([4, 0, 3])
    np.testing.assert_array_equal(stored[rows], ImagesOnDemand(paths, 32, gray=True)[rows])
    assert stored[rows][:, 16, 16].tolist() == [40, 0, 30]


def test_only_missing_shards_are_decoded_and_other_images_have_their_own(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(stored_images, "SHARD", 2)
    first = decode_images(paths, tmp_path / "images", 32, gray=True)
    for path in paths[:4]:
        path.unlink()
    (first.folder / "00002.npy").unlink()
    again = decode_images(paths, tmp_path / "images", 32, gray=True)
    assert again[[4]][0, 16, 16] == 40
    assert decode_images(paths[4:], tmp_path / "images", 32, gray=True).folder != first.folder
