import numpy as np
import pytest

from afloc.imaging.display import Display, paint, shade
from afloc.imaging.heatmap import colour_table
from afloc.imaging.image import image_from_array


def test_the_window_is_that_of_the_viewer():
    image = image_from_array(np.array([[0, 100], [150, 255]] * 8, np.uint8).repeat(8, axis=1))
    assert np.array_equal(shade(image, Display())[..., 0], image.pixels)
    shown = shade(image, Display(window=(50, 150)))
    assert [shown[0, 0, 0], shown[0, -1, 0], shown[1, 0, 0], shown[1, -1, 0]] == [0, 128, 255, 255]
    turned = shade(image, Display(window=(50, 150), invert=True))
    assert np.array_equal(turned, 255 - shown)


@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 3)])
def test_16_bits_come_down_to_8(shape):
    image = image_from_array(np.full(shape, 32768, np.uint16))
    assert np.all(shade(image, Display()) == 128)


def test_paint_begins_at_the_threshold_and_grows_with_the_map():
    shown = np.full((1, 4, 3), 100, np.uint8)
    level = np.array([[0.2, 0.5, 1.0, np.nan]], np.float32)
    painted = paint(shown, level, Display(opacity=0.9, threshold=0.5))
    assert np.array_equal(painted[0, [0, 3]], shown[0, [0, 3]])
    assert np.abs(painted[0, 2] - (0.1 * 100 + 0.9 * colour_table()[255])).max() <= 1
    assert np.array_equal(paint(shown, level, Display(opacity=0)), shown)
