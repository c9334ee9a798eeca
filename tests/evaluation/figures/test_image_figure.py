"""The figure of one image shows the pixels that the page shows, and says what they are."""

import base64
import io
import re

import numpy as np
import PIL.Image
import pytest

from afloc.evaluation.agreement import Agreement
from afloc.evaluation.figures.image_figure import ImageFigure, plot_curve, plot_image
from afloc.evaluation.figures.style import draw
from afloc.imaging.image import image_from_array


def texts(svg):
    return " ".join(re.findall(r">([^<>\n]+)</text>", svg))


@pytest.fixture
def shown(small_model):
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120), dtype=np.uint8)
    image = image_from_array(pixels)
    truth, readers = np.zeros((2, 90, 120), bool)
    truth[20:50, 30:80] = True
    readers[25:55, 30:80] = True
    view = small_model.encode(image)
    answers = [
        Agreement("Effusion", style, view.locate(text), truth, (readers,))
        for style, text in (("simple", "pleural effusion is present"), ("precise", "fluid at the base"))
    ]
    return ImageFigure(image, tuple(answers), "small 1.2", "abc123", threshold=0.1)


def pictures(svg):
    """The pictures in an SVG, as they are stored."""
    found = re.findall(r"data:image/png;base64,([\w+/=\s]+)", svg)
    return [np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB")) for each in found]


def test_the_picture_and_what_is_said_of_it(shown):
    svg = draw(lambda: plot_image(shown), "svg").decode()
    kept = [each for each in pictures(svg) if each.shape == (90, 120, 3)]
    assert len(kept) == 3 and np.array_equal(kept[0][..., 0], shown.image.pixels)
    for picture, answer in zip(kept[1:], shown.answers, strict=True):
        painted = answer.level("stretched") >= 0.55
        assert np.array_equal((picture != kept[0]).any(-1), painted & (picture != kept[0]).any(-1))
        assert np.array_equal(picture, shown.painted(answer))
    text = texts(svg)
    readers = shown.answers[0].against_readers
    extent = f"{shown.answers[0].truth.mean():.1%} of the image"
    for said in ("small 1.2", "abc123", "Map, precise description", "“fluid at the base”", "−0.5", extent):
        assert said in text
    assert f"IoU {readers.iou:.3f}" in text and "Research use only." in text


def test_without_ground_truth_there_is_no_agreement(shown):
    answer = Agreement("Effusion", "simple", shown.answers[0].finding, np.zeros((90, 120), bool))
    svg = draw(lambda: plot_image(ImageFigure(shown.image, (answer,), "small 1.2", "abc123")), "svg").decode()
    text = texts(svg)
    assert "Agreement" not in text and "IoU" not in text and "Map" in text


def test_the_curve_alone(shown):
    figure = plot_curve(shown)
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    at = shown.answers[1].curves["stretched"]
    assert np.array_equal(lines["Dice, precise"].get_ydata(), at.dice)
    assert lines["Readers"].get_ydata()[0] == shown.answers[0].against_readers.iou
