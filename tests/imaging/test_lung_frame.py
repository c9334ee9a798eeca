"""The frame of a film, against a phantom whose lungs are known, and on what is no film."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from afloc.imaging.chest_phantom import draw_chest_film
from afloc.imaging.geometry import area_resize
from afloc.imaging.lung_frame import THUMBNAIL, LungFrame, find_lung_frame

FILM = area_resize(draw_chest_film(), 256, 256)
LUNGS = (0.5, 0.106, 0.896, 0.1, 0.83)  # midline, edges, top, mean bottom of the phantom's lungs


def frame_of(pixels: np.ndarray) -> LungFrame | None:
    return find_lung_frame(area_resize(pixels, THUMBNAIL, THUMBNAIL))


def numbers(frame: LungFrame) -> np.ndarray:
    return np.array([frame.midline, frame.right, frame.left, frame.top, frame.bottom])


def test_the_lungs_of_a_phantom_are_framed():
    found = frame_of(FILM)
    assert np.abs(numbers(found) - LUNGS).max() < 0.08 and abs(found.midline - 0.5) < 0.02


@pytest.mark.parametrize("down, across", [(0, 20), (12, -16)])
def test_the_frame_moves_with_the_film(down, across):
    moved = ndimage.shift(FILM, (down, across), order=1, mode="nearest")
    away = numbers(frame_of(moved)) - numbers(frame_of(FILM))
    assert np.abs(away - np.array([across, across, across, down, down]) / 256).max() < 0.03


def test_a_mirrored_film_has_the_mirrored_midline():
    moved = ndimage.shift(FILM, (0, 18), order=1, mode="nearest")
    assert frame_of(moved[:, ::-1]).midline == pytest.approx(1 - frame_of(moved).midline, abs=0.03)


def test_exposure_does_not_matter():
    dark = (FILM.astype(float) * 0.4).astype(np.uint8)
    uneven = np.clip(FILM * np.linspace(0.6, 1.1, 256)[:, None], 0, 255).astype(np.uint8)
    for film in (dark, uneven):
        assert np.abs(numbers(frame_of(film)) - numbers(frame_of(FILM))).max() < 0.03


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((64, 64), np.uint8),
        np.full((64, 64), 200, np.uint8),
        np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8),
        data.camera(),
    ],
    ids=["black", "gray", "noise", "photograph"],
)
def test_what_shows_no_lungs_has_no_frame(pixels):
    assert frame_of(pixels) is None


def test_places_of_the_film_in_the_frame():
    frame = LungFrame(midline=0.5, right=0.1, left=0.8, top=0.2, bottom=0.7, fit=1.0)
    assert frame.across([0.1, 0.3, 0.5, 0.8, 0.95]) == pytest.approx([-1, -0.5, 0, 1, 1.5])
    assert frame.down([0.2, 0.45, 0.7]) == pytest.approx([0, 0.5, 1])
