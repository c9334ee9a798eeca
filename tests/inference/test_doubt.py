"""Which pictures stop the answers, and which only get a sentence."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from afloc.imaging.examples import EXAMPLES
from afloc.imaging.image import Image, image_from_array, read_image
from afloc.inference.doubt import Doubt, doubt_of, texture_distance
from afloc.inference.modality import recognise_modality
from afloc.inference.picture import Picture
from afloc.model.calibration import TrainingDistribution
from afloc.model.image_encoder import ImageFeatures
from tests.inference.strangers import altered, strangers, turned

DATA = Path(os.environ.get("AFLOC_TEST_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
FILMS = DATA / "chest_xray"
FEATURES = ImageFeatures(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 2, 2), torch.tensor([[3.0, 4.0]]))
NEAR = TrainingDistribution((0.7071, 0.7071), (0.1, 0.1), limit=1.0, level="shallow")
FILM = EXAMPLES[0].load()


def look(
    image: Image, modality: str | None = None, known: TrainingDistribution | None = None
) -> Doubt | None:
    return doubt_of(Picture(image), FEATURES, modality or recognise_modality(image), known)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_the_examples_are_answered_and_the_brown_stain_of_one_is_named(example):
    found = look(example.load(), example.modality)
    if example.name == "immunohistochemistry":  # training sections are pink and violet
        assert found.degree == "unusual" and "another stain" in found.sentence
    else:
        assert found is None


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket", "astronaut"])
def test_photographs_are_stopped(name):
    found = look(image_from_array(getattr(data, name)()))
    assert found.degree == "stopped" and "does not look like any" in found.sentence


def test_of_other_kinds_of_pictures_most_raise_a_doubt_without_a_look_at_the_features():
    found = [
        look(image) for kind in ("CT", "ultrasound", "screenshots", "drawings") for image in strangers()[kind]
    ]
    assert np.mean([each is not None for each in found]) > 0.8


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_film_that_hangs_wrongly_is_stopped(quarters):
    found = look(turned(FILM)[f"turned by {90 * quarters}"], "chest_xray")
    assert found.degree == "stopped" and ("upside down" if quarters == 2 else "on its side") in found.sentence


def test_an_inverted_film_is_answered_with_a_sentence():
    found = look(altered(FILM)["inverted"], "chest_xray")
    assert found.degree == "unusual" and "its grays look inverted" in found.sentence


@pytest.mark.parametrize(
    ("change", "words"),
    [("16 pixels a side", "16 x 16 pixels"), ("squashed to 400 x 40", "10.0 times its short side")],
)
def test_an_odd_shape_is_named(change, words):
    assert words in look(altered(FILM)[change], "chest_xray").sentence


def test_a_lateral_film_is_stopped_whatever_it_looks_like():
    found = doubt_of(Picture(FILM), FEATURES, "chest_xray", None, lateral=True)
    assert found.degree == "stopped" and "lateral" in found.sentence


def test_features_alone_make_an_image_unusual_and_far_away_stop_it():
    assert texture_distance(FEATURES, NEAR) < 0.01 and look(FILM, known=NEAR) is None
    for deviation, degree in ((0.5, "unusual"), (0.1, "stopped")):  # limit 1; 2 and 50 away
        known = TrainingDistribution((0.0, 0.0), (deviation,) * 2, limit=1.0, level="shallow")
        assert look(FILM, known=known).degree == degree


def test_a_distribution_of_an_earlier_version_is_one_of_global_vectors():
    known = TrainingDistribution((0.6, 0.8), (0.1, 0.1), limit=1.0)
    assert known.level == "global" and texture_distance(FEATURES, known) == pytest.approx(0, abs=1e-9)


def test_where_nothing_was_measured_nothing_is_doubted():
    from afloc.language.modalities import MODALITIES

    noise = image_from_array(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    assert "mammography" not in MODALITIES and look(noise, "mammography") is None


@pytest.mark.skipif(
    not FILMS.is_dir(), reason="the evaluation films are not here; AFLOC_TEST_DATA names their folder"
)
def test_of_ordinary_films_at_most_a_few_raise_a_doubt_and_next_to_none_is_stopped():
    with open(FILMS / "eval.csv", encoding="utf-8", newline="") as file:
        names = [row["image"] for row in csv.DictReader(file)][::8]
    found = [look(read_image(FILMS / name), "chest_xray") for name in names]
    degrees = [each.degree for each in found if each]
    assert len(degrees) <= 0.04 * len(names) and degrees.count("stopped") <= 0.01 * len(names)
