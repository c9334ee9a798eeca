"""Which pictures are doubted."""

import numpy as np
import pytest
from skimage import data

from afloc.appearance import distance, features_fit, fit, looks_like
from afloc.examples import EXAMPLES
from afloc.images import image_from_array
from afloc.modality import recognise_modality


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_the_examples_are_not_doubted(example):
    assert looks_like(example.load(), example.modality)


@pytest.mark.parametrize("name", ["chelsea", "astronaut", "coffee", "camera", "page"])
def test_photographs_and_print_are(name):
    image = image_from_array(getattr(data, name)())
    assert not looks_like(image, recognise_modality(image))


def test_fit_takes_in_what_it_was_measured_on():
    measures = np.random.default_rng(0).normal(size=(1000, 5)) * [1, 2, 3, 4, 5]
    known = fit(measures)
    away = np.array([distance(each, known) for each in measures])
    assert np.mean(away > known["limit"]) == pytest.approx(0.005, abs=0.001)
    assert distance(np.array([0, 0, 0, 0, 50.0]), known) > known["limit"]


def test_features_are_judged_only_where_the_model_says_what_it_knows():
    vector = np.array([3.0, 4.0])
    known = {"mean": [0.6, 0.8], "deviation": [0.1, 0.1], "limit": 2.0}
    assert features_fit(vector, None) and features_fit(vector, known)
    assert not features_fit(-vector, known)
