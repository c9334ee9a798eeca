"""What the appearance tests measure, and their fits."""

import json

import numpy as np
import pytest

from afloc.errors import ModelError
from afloc.inference import appearance
from afloc.inference.appearance import (
    CELLS,
    FILE,
    MEASURES,
    Colours,
    feature_distance,
    known_appearance,
    shrink,
    turn,
)
from afloc.training.fit.appearance import COLOURS_SHARE, fit_colours, fit_layout
from afloc.training.fit.calibration import KNOWN_SHARE, describe_known


def test_colours_are_judged_by_how_training_images_spread():
    random = np.random.default_rng(0)
    measures = random.normal(size=(1000, MEASURES)) * np.arange(1, MEASURES + 1)
    known = fit_colours(measures, ["a"] * 1000)
    assert np.mean(known.distance(measures) > known.limit) == pytest.approx(1 - COLOURS_SHARE, abs=0.002)
    away = np.zeros(MEASURES)
    away[-1], away[0] = 8 * MEASURES, 0
    assert known.distance(away) > known.limit
    assert known.deviations(away)[-1] == pytest.approx(8, rel=0.1)
    inverse = np.linalg.inv(np.array(known.covariance))
    assert known.distance(away) == pytest.approx(
        (away - known.mean) @ inverse @ (away - known.mean) / MEASURES
    )


def test_a_layout_draws_what_it_was_fitted_to():
    random = np.random.default_rng(0)
    plane = random.normal(size=(1000, 16)) @ random.normal(size=(16, CELLS))  # what 16 eigen-images can draw
    known = fit_layout(plane + 0.01 * random.normal(size=plane.shape), ["a"] * 1000)
    assert known.residual(plane[0]) < known.limit < known.residual(plane[0] + random.normal(size=CELLS))


def test_pictures_fit_what_they_were_measured_on_when_all_are_alike():
    """Where every distance is the same, a limit rounded below it would shut out all of them."""
    for seed in range(10):
        alike = np.tile(np.random.default_rng(seed).random(MEASURES), (20, 1))
        known = fit_colours(alike, ["a"] * 20)
        assert (known.distance(alike) <= known.limit).all()


def test_the_inverted_thumbnail_shrinks_to_the_negative_and_turns_as_the_picture_does():
    thumbnail = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    np.testing.assert_allclose(shrink(255 - thumbnail), -shrink(thumbnail), atol=1e-12)
    np.testing.assert_allclose(shrink(np.rot90(thumbnail)), turn(shrink(thumbnail), 1))


@pytest.mark.parametrize("spread", [0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-1])
@pytest.mark.parametrize("count", [7, 1000])
def test_vectors_fit_what_they_were_measured_on_however_alike_they_are(spread, count):
    random = np.random.default_rng(0)
    vectors = random.normal(size=32) + spread * random.normal(size=(count, 32))
    vectors = (7 * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    known = describe_known(vectors, ["a"] * count)
    assert np.mean(feature_distance(vectors, known) <= known.limit) >= KNOWN_SHARE
    if spread < 1e-3:  # what another processor makes of the same picture
        again = vectors + 1e-5 * random.normal(size=vectors.shape)
        assert np.mean(feature_distance(again, known) <= known.limit) >= KNOWN_SHARE
    assert (feature_distance(random.normal(size=(100, 32)), known) > known.limit).all()


def test_a_model_whose_features_are_zero_knows_its_own():
    known = describe_known(np.zeros((20, 8)), ["a"] * 20)
    assert feature_distance(np.zeros(8), known) <= known.limit


def test_a_modality_that_was_never_measured_has_no_appearance():
    assert known_appearance("chest_xray") and known_appearance("mammography") is None


def test_a_file_of_appearances_is_checked(tmp_path):
    values = json.loads(FILE.read_text(encoding="utf-8"))
    values["chest_xray"]["colours"]["limit"] = 0
    path = tmp_path / "appearance.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(
        ModelError, match="^appearance.json: chest_xray.colours.limit must be a number above 0.$"
    ):
        appearance._read(path)
    assert isinstance(known_appearance("fundus").colours, Colours)
