import socket

import numpy as np
import pytest

from afloc.imaging import chest_phantom as phantom
from afloc.imaging.draw_examples import DRAWN
from afloc.imaging.examples import EXAMPLES, load_example


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_load_without_a_network(example, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    image = example.load()
    assert min(image.height, image.width) >= 256
    assert image.gray().std() > 10
    assert example.modality in ("chest_xray", "fundus", "histopathology")
    assert example.description
    for _, x, y, width, height in example.boxes:
        assert 0 <= x < x + width <= image.width and 0 <= y < y + height <= image.height


def test_every_modality_has_an_example():
    assert {example.modality for example in EXAMPLES} == {"chest_xray", "fundus", "histopathology"}


@pytest.mark.parametrize("name", DRAWN)
def test_the_drawn_pictures_are_those_in_assets(name):
    """`python -m afloc.imaging.draw_examples` writes them."""
    kept, drawn = load_example(name), DRAWN[name]()
    shown = kept.gray() if drawn.ndim == 2 else kept.rgb()
    assert shown.shape == drawn.shape
    # Another processor may round otherwise.
    assert np.abs(shown.astype(float) - drawn).max() <= 1 and (shown == drawn).mean() > 0.999


def test_the_box_holds_the_planted_effusion():
    film, healthy = phantom.draw_chest_film(), phantom.draw_chest_film(effusion=False)
    assert (film == phantom.draw_chest_film()).all()
    ((_, x, y, width, height),) = EXAMPLES[0].boxes
    assert x > film.shape[1] / 2  # the patient's left
    rows, columns = np.nonzero(film > healthy + 12.0)
    edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert edges == pytest.approx((x, y, x + width, y + height), abs=12)


def test_the_box_holds_the_drawn_exudates_and_no_more():
    eye, drawn = (next(each for each in EXAMPLES if each.name == name) for name in ("retina", "exudates"))
    ((_, x, y, width, height),) = drawn.boxes
    changed = np.abs(drawn.load().rgb().astype(int) - eye.load().rgb()).max(axis=2) > 12
    rows, columns = np.nonzero(changed)
    edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert edges == pytest.approx((x, y, x + width, y + height), abs=12)
    assert 0.001 < changed.mean() < 0.01
