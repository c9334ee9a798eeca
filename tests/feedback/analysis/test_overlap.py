import numpy as np
import pytest

from afloc.evaluation import metrics
from afloc.feedback.analysis.overlap import drawn, overlap
from afloc.imaging.regions import Box, Outline


def test_nothing_has_no_overlap():
    assert np.isnan(overlap(drawn([[], None]), drawn([[], []]))).all()


def test_overlap_is_that_of_the_pixels():
    random = np.random.default_rng(2)

    def boxes():
        return [
            Box(*(int(v) for v in (*random.integers(0, 30, 2), *random.integers(1, 20, 2)))) for _ in "ab"
        ]

    def mask(regions):
        pixels = np.zeros((50, 50), bool)
        for x, y, width, height in regions:
            pixels[y : y + height, x : x + width] = True
        return pixels

    pairs = [(boxes(), boxes()) for _ in range(50)]
    found = overlap(*(drawn(side) for side in zip(*pairs, strict=True)))
    expected = [metrics.iou(mask(first).astype(float), mask(second), 0.5) for first, second in pairs]
    assert found == pytest.approx(expected, abs=1e-9)


def test_overlap_of_outlines():
    square = [Box(0, 0, 10, 10)]
    triangle = [Outline(((0, 0), (10, 0), (0, 10)))]
    bow = [Outline(((0, 0), (10, 10), (10, 0), (0, 10)))]  # crosses itself: two triangles of 25
    found = overlap(drawn([square] * 3), drawn([triangle, bow, []]))
    assert found == pytest.approx([0.5, 0.5, 0], abs=1e-9)
