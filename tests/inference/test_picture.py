"""An image is windowed once and shrunk once, however many look at it while it is opened."""

import numpy as np
import pytest

from afloc.imaging import geometry
from afloc.imaging.image import Image, image_from_array


@pytest.mark.parametrize("shape", [(150, 120), (150, 120, 3)])
def test_opening_windows_once_and_passes_over_the_pixels_twice(small_model, monkeypatch, shape):
    image = image_from_array(np.random.default_rng(0).integers(0, 4096, shape).astype(np.uint16))
    windowed, passes = [], []
    window, resize = Image._shown, geometry._resize_axis

    def count_window(self):
        windowed.append(self.pixels.dtype == np.uint16)
        return window(self)

    def count_resize(planes, weights):
        passes.append(planes.shape[:2] == shape[:2])
        return resize(planes, weights)

    monkeypatch.setattr(Image, "_shown", count_window)
    monkeypatch.setattr(geometry, "_resize_axis", count_resize)
    view = small_model.encode(image)
    assert view.doubt is None or view.doubt.sentence.endswith(".")
    assert sum(windowed) == 1 and sum(passes) == 2  # for the encoder, and for what kind of image it is
    assert "shown" not in vars(view._picture)  # as large as the image, so not kept


def test_pixels_that_are_shown_as_they_are_are_not_copied():
    image = image_from_array(np.random.default_rng(0).integers(0, 256, (40, 30), np.uint8))
    assert np.shares_memory(image.gray(), image.pixels)
