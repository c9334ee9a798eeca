"""Text in the corners of a picture."""

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from afloc.imaging.burned_in import shows_text
from afloc.imaging.examples import EXAMPLES, load_example


def film(side=600, text="", at=(6, 4), size=16, ink=255, ground=10, mode="L"):
    """A soft bright shape on a margin, with noise, and what is printed on the margin."""
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    body = 170 * np.exp(-8 * (rows**2 + columns**2)) + np.random.default_rng(0).normal(0, 4, (side, side))
    pixels = ground + (body if ground < 128 else -body)
    picture = Pillow.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).convert(mode)
    font = ImageFont.load_default(size * side / 600)
    ImageDraw.Draw(picture).text(
        [side / 600 * each for each in at], text, ink if mode == "L" else (ink,) * 3, font
    )
    return np.asarray(picture)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("side", [600, 2400])
@pytest.mark.parametrize("at", [(6, 4), (380, 4), (6, 570), (380, 570)])
def test_a_line_of_text_is_found_in_each_corner(mode, side, at):
    assert shows_text(film(side, "DOE^JANE 1961-03-12", at, mode=mode))


@pytest.mark.parametrize("size", [11, 16, 28])
def test_text_is_found_at_each_size_and_in_both_shades(size):
    assert shows_text(film(text="MRN 00482913", size=size))
    assert shows_text(film(text="MRN 00482913", size=size, ink=0, ground=245))


@pytest.mark.parametrize("text", ["", "R", "L", "PA"])
def test_a_side_marker_is_no_text(text):
    assert not shows_text(film(text=text, size=28))


@pytest.mark.parametrize("name", [each.name for each in EXAMPLES])
def test_of_the_examples_only_the_drawn_film_is_labelled(name):
    image = load_example(name)
    pixels = image.rgb() if image.pixels.ndim == 3 else image.gray()
    assert shows_text(pixels) == (name == "chest_film")  # "SYNTHETIC"


def test_a_picture_of_the_least_size():
    assert not shows_text(np.zeros((16, 16), np.uint8))
