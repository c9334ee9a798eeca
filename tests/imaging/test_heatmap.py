import numpy as np
import pytest
from skimage.color import rgb2lab

from afloc.imaging.heatmap import colour_table, enlarge, find_regions, min_max, render_overlay
from afloc.imaging.image import image_from_array


def test_enlarge_aligns_centres():
    np.testing.assert_allclose(enlarge(np.array([[0, 1]]), 1, 4), [[0, 0.25, 0.75, 1]])
    enlarged = enlarge(np.random.default_rng(0).random((5, 7)), 50, 70)
    assert enlarged.shape == (50, 70) and enlarged.dtype == np.float32
    assert enlarge(np.full((5, 7), 0.3), 33, 21) == pytest.approx(0.3)


def test_regions_are_the_connected_parts_strongest_first():
    heatmap = np.zeros((40, 60), np.float32)
    heatmap[5:15, 10:30] = 0.6
    heatmap[30:35, 50:58] = 0.9
    heatmap[20, 5] = 0.49
    heatmap[35:, :5] = np.nan
    strong, weak = find_regions(heatmap, 0.5)
    assert (strong.x, strong.y, strong.width, strong.height) == (50, 30, 8, 5)
    assert (weak.x, weak.y, weak.width, weak.height) == (10, 5, 20, 10)
    assert (strong.score, weak.score) == pytest.approx((0.9, 0.6))
    assert find_regions(heatmap, 0.95) == ()


def test_min_max_leaves_nan_out():
    scaled = min_max(np.array([[0.2, 0.4], [np.nan, 0.3]]))
    np.testing.assert_allclose(scaled, [[-1, 1], [np.nan, 0]], atol=1e-6)
    assert (min_max(np.full((3, 3), 0.4)) == 0).all()


def test_colours_rise_evenly_in_lightness():
    lightness = rgb2lab(colour_table()[None] / 255)[0, :, 0]
    steps = np.diff(lightness)
    assert (steps > 0).all()
    assert lightness[::16] == pytest.approx(np.linspace(lightness[0], lightness[240], 16), abs=1)


def test_overlay_paints_only_evidence_and_only_what_is_present():
    image = image_from_array(np.full((60, 80), 100, np.uint8))
    heatmap = np.zeros((60, 80), np.float32)
    heatmap[20:40, 20:40] = 1
    heatmap[:5] = np.nan
    overlay = render_overlay(image, heatmap, opacity=0.5)
    assert overlay.shape == (60, 80, 3) and overlay.dtype == np.uint8
    assert (overlay[heatmap != 1] == 100).all()
    assert overlay[30, 30] == pytest.approx((colour_table()[255] + 100.0) / 2, abs=1)
    assert (render_overlay(image, heatmap, present=False) == 100).all()
    assert render_overlay(image, heatmap[::10, ::10]).shape == (60, 80, 3)
