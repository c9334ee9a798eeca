"""Which pictures are doubted."""

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from skimage import data

from afloc.imaging.examples import EXAMPLES
from afloc.imaging.image import image_from_array, read_image
from afloc.inference.appearance import distance, features_in_distribution, in_distribution, residual
from afloc.inference.modality import recognise_modality
from afloc.model.calibration import TrainingDistribution
from afloc.training.fit.appearance import fit_colours, fit_layout
from afloc.training.fit.calibration import KNOWN_SHARE, describe_known


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_the_examples_are_not_doubted(example):
    assert in_distribution(example.load(), example.modality)


@pytest.mark.parametrize(
    "name",
    [
        *("chelsea", "astronaut", "coffee", "rocket", "camera", "moon", "clock", "coins", "cell", "brick"),
        *("page", "text"),
    ],
)
def test_photographs_and_print_are(name):
    image = image_from_array(getattr(data, name)())
    assert not in_distribution(image, recognise_modality(image))


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_slices_are(name):
    assert not in_distribution(read_image(get_testdata_file(name, download=False)), "chest_xray")


def test_a_film_on_its_side_is():
    pixels = EXAMPLES[0].load().gray()
    assert in_distribution(image_from_array(pixels), "chest_xray")
    assert not in_distribution(image_from_array(np.rot90(pixels).copy()), "chest_xray")


def test_fits_take_in_what_they_were_measured_on():
    random = np.random.default_rng(0)
    measures = random.normal(size=(1000, 5)) * [1, 2, 3, 4, 5]
    known = fit_colours(measures)
    away = np.array([distance(each, known) for each in measures])
    assert np.mean(away > known["limit"]) == pytest.approx(0.003, abs=0.001)
    assert distance(np.array([0, 0, 0, 0, 50.0]), known) > known["limit"]
    plane = random.normal(size=(1000, 16)) @ random.normal(size=(16, 40))  # what 16 eigen-images can draw
    known = fit_layout(plane + 0.01 * random.normal(size=plane.shape))
    assert residual(plane[0], known) < known["limit"] < residual(plane[0] + 1, known)


def test_features_are_judged_only_where_the_model_says_what_it_knows():
    vector = np.array([3.0, 4.0])
    known = TrainingDistribution((0.6, 0.8), (0.1, 0.1), limit=2.0)
    assert features_in_distribution(vector, None) and features_in_distribution(vector, known)
    assert not features_in_distribution(-vector, known)


@pytest.mark.parametrize("spread", [0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-1])
@pytest.mark.parametrize("count", [7, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_vectors_fit_what_they_were_measured_on_however_alike_they_are(spread, count, seed):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=32) + spread * random.normal(size=(count, 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    known = describe_known(vectors)
    assert np.mean([features_in_distribution(each, known) for each in vectors]) >= KNOWN_SHARE
    if spread < 1e-3:  # what another processor makes of the same picture
        again = vectors + 1e-5 * random.normal(size=vectors.shape)
        assert np.mean([features_in_distribution(each, known) for each in again]) >= KNOWN_SHARE
    others = random.normal(size=(100, 32))
    assert not any(features_in_distribution(each, known) for each in others)


def test_pictures_fit_what_they_were_measured_on_when_all_are_alike():
    """Where every distance is the same, a limit rounded below it would shut out all of them."""
    for seed in range(10):
        alike = np.tile(np.random.default_rng(seed).random(27), (20, 1))
        known = fit_colours(alike)
        assert distance(alike[0], known) <= known["limit"]
