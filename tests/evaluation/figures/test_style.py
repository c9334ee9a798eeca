"""What a journal asks of every figure."""

import io
import re

import PIL.Image
import pytest
from matplotlib.figure import Figure

from afloc.evaluation.figures.style import PAGE, SMALL, break_lines, draw, shorten, text_width


def plot():
    figure = Figure(figsize=(PAGE, 2))
    axes = figure.add_axes((0.1, 0.2, 0.8, 0.7))
    axes.plot([0, 1], [0, 1], label="costs $5 & more than $3_x$ <b>")
    axes.legend()
    axes.set_xlabel("Pleuraerguß 胸腔积液")
    return figure


def test_text_is_text_and_never_small():
    written = draw(plot, "svg").decode()
    assert "costs $5 &amp; more than $3_x$ &lt;b&gt;" in written  # to the letter, no formula
    sizes = [float(size) for size in re.findall(r"([\d.]+)px", written)]
    assert sizes and min(sizes) >= SMALL
    assert b"/FontFile2" in draw(plot, "pdf")  # a font, not outlines


def test_a_png_has_300_dots_an_inch():
    picture = PIL.Image.open(io.BytesIO(draw(plot, "png")))
    assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert picture.width == int(PAGE * 300)


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_the_same_figure_gives_the_same_bytes(kind):
    assert draw(plot, kind) == draw(plot, kind)


def test_nothing_is_drawn_of_nothing():
    assert draw(lambda: None, "svg") is None


def test_lines_keep_within_their_width():
    text = "a description of a finding in very many words " * 5 + "x" * 400
    lines = break_lines(text, 2.0)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(text_width(line, SMALL) <= 2.0 for line in lines)
    assert text_width(shorten(text, 1.0), SMALL) <= 1.0 and shorten("short", 1.0) == "short"
