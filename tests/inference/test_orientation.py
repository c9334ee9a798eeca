"""How a film hangs changes no answer: it is encoded as films usually hang, and its map is turned back."""

from dataclasses import replace

import numpy as np
import pytest

from afloc.imaging.examples import load_example
from afloc.imaging.image import Orientation, image_from_array, make_image
from afloc.inference.orientation import ViewOrientation, complete_orientation
from afloc.language.modalities import MODALITIES

SIDEWAYS = Orientation(patient_right="right", view="frontal")


@pytest.mark.parametrize(
    "modality, said, wanted",
    [
        ("chest_xray", Orientation(), ("left", "frontal", None, "assumed")),
        ("chest_xray", Orientation("left"), ("left", "frontal", None, "file")),
        ("chest_xray", Orientation("right", "frontal"), ("right", "frontal", None, "file")),
        ("chest_xray", Orientation(view="frontal"), ("left", "frontal", None, "assumed")),
        ("chest_xray", Orientation(view="lateral"), (None, "lateral", None, "file")),
        ("fundus", Orientation(eye="left"), (None, None, "left", "file")),
        ("fundus", Orientation("right", "frontal"), (None, None, None, None)),
        ("histopathology", Orientation(), (None, None, None, None)),
    ],
)
def test_what_the_file_does_not_say_is_assumed(modality, said, wanted):
    completed = complete_orientation(said, MODALITIES[modality])
    assert completed.as_json() == dict(zip(("patient_right", "view", "eye", "source"), wanted, strict=True))
    assert completed.mirrored == (wanted[0] == "right")


def film(height, width):
    return image_from_array(np.random.default_rng(width).integers(0, 256, (height, width)).astype(np.uint8))


@pytest.mark.parametrize("image", [film(120, 90), film(77, 131), load_example("chest_film")])
def test_a_mirrored_film_is_answered_as_the_same_film_the_usual_way_round(small_model, image):
    turned = make_image(image.pixels[:, ::-1], image.window, orientation=SIDEWAYS)
    texts = ["small left pleural effusion", "cardiomegaly"]
    usual, view = (small_model.encode(each, "chest_xray") for each in (image, turned))
    assert usual.orientation == ViewOrientation("left", "frontal", source="assumed")
    assert view.orientation == ViewOrientation("right", "frontal", source="file")
    assert view.doubt == usual.doubt and np.array_equal(view.embedding, usual.embedding)
    for found, wanted in zip(view.locate_all(texts), usual.locate_all(texts), strict=True):
        assert (found.score, found.probability) == (wanted.score, wanted.probability)
        assert np.array_equal(found.grid, wanted.grid[:, ::-1])
        assert np.array_equal(found.heatmap, wanted.heatmap[:, ::-1])
        threshold = float(np.median(wanted.heatmap))
        boxes = {
            (image.width - box.x - box.width, box.y, box.width, box.height, box.score)
            for box in wanted.regions(threshold)
        }
        assert {(*box, box.score) for box in found.regions(threshold)} == boxes and boxes
        for word, same in zip(view.words(found), usual.words(wanted), strict=True):
            assert word.pull == same.pull and np.array_equal(word.grid, same.grid[:, ::-1])


def test_the_same_pixels_hung_both_ways_are_not_taken_for_each_other(small_model):
    image = film(120, 90)
    hung = image, replace(image, orientation=SIDEWAYS), image_from_array(image.pixels[:, ::-1])
    usual, mirrored, turned = (small_model.encode(each, "chest_xray").locate("effusion") for each in hung)
    assert np.array_equal(mirrored.grid, turned.grid[:, ::-1]) and mirrored.score == turned.score
    assert not np.array_equal(mirrored.grid, usual.grid[:, ::-1])


def test_what_has_no_sides_and_the_published_protocol_are_not_turned(small_model):
    image = film(120, 90)
    turned = replace(image, orientation=SIDEWAYS)
    for options in ({"modality": "fundus"}, {"modality": "chest_xray", "protocol": "paper"}):
        usual, other = (small_model.encode(each, **options).locate("left lung") for each in (image, turned))
        assert np.array_equal(usual.grid, other.grid, equal_nan=True)
