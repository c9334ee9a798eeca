"""The calibration, against its definition and on a small model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from afloc.errors import DataError
from afloc.inference.appearance import feature_distance
from afloc.inference.native_protocol import judge_presence, native_map
from afloc.training.fit.calibration import (
    SPECIFICITY,
    calibrate,
    encode_split,
    fit_platt,
    operating_point,
    textures,
)
from tests.training.small import image_stage


def test_platt_scaling_equals_an_independent_logistic_regression_of_his_targets():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=400)
    targets = (rng.random(400) < 1 / (1 + np.exp(-(1.7 * logits - 0.8)))).astype(float)
    present, absent = targets.sum(), (1 - targets).sum()
    drawn_in = np.where(targets == 1, (present + 1) / (present + 2), 1 / (absent + 2))
    twice, classes = np.tile(logits, 2)[:, None], np.repeat([1, 0], 400)
    theirs = LogisticRegression(C=np.inf, tol=1e-10)
    theirs.fit(twice, classes, np.concatenate([drawn_in, 1 - drawn_in]))
    np.testing.assert_allclose(
        fit_platt(logits, targets), [theirs.coef_[0, 0], theirs.intercept_[0]], atol=1e-4
    )


def test_platt_scaling_of_answers_without_a_mistake_is_finite():
    slope, intercept = fit_platt(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert 0 < slope < 5 and intercept == pytest.approx(0, abs=1e-6)


def test_what_is_asked_is_rarer_than_what_was_fitted_on():
    rng = np.random.default_rng(1)
    targets = np.repeat([1.0, 0.0], 200)
    logits = rng.normal(size=400) + targets
    point = operating_point(logits[:, None], targets[:, None], np.full(400, "a"))
    probabilities = 1 / (1 + np.exp(-(point.slope * logits + point.intercept)))
    assert probabilities.mean() < 0.25
    assert (probabilities[targets == 0] < point.threshold).mean() == pytest.approx(SPECIFICITY, abs=0.02)


def test_the_operating_point_holds_in_every_source_that_has_enough_images():
    rng = np.random.default_rng(2)
    targets = np.tile([1.0, 0.0, 0.0, np.nan], (300, 1))
    logits = rng.normal(size=(300, 4)) + (targets == 1)
    sources = np.repeat(["a", "b", "few"], [150, 140, 10])
    logits[sources == "b"] += 1
    logits[sources == "few"] += 9
    point = operating_point(logits, targets, sources)
    probabilities = 1 / (1 + np.exp(-(point.slope * logits + point.intercept)))
    below = [(probabilities[sources == each][:, 1:3] < point.threshold).mean() for each in ("a", "b", "few")]
    assert below[0] > below[1] == pytest.approx(SPECIFICITY, abs=0.01) and below[2] < 0.1


@pytest.mark.parametrize("spread", [0, 1e-6, 1e-4, 1e-2, 1])
@pytest.mark.parametrize("seed", range(3))
def test_what_the_operating_point_claims_is_what_it_reaches_however_alike_the_answers_are(spread, seed):
    rng = np.random.default_rng(seed)
    targets = np.tile([1.0, 0.0], (50, 1))
    logits = rng.normal() + spread * (rng.normal(size=(50, 2)) + targets)
    point = operating_point(logits, targets, np.full(50, "a"))
    scores = 1 / (1 + np.exp(-logits))
    present = np.array([[judge_presence(score, point)[1] for score in row] for row in scores])
    assert point.sensitivity == pytest.approx(present[targets == 1].mean(), abs=1e-3)
    assert point.specificity == pytest.approx(1 - present[targets == 0].mean(), abs=1e-3)
    assert point.specificity >= SPECIFICITY


def test_a_model_that_sees_no_difference_is_calibrated_too(tmp_path):
    stage = image_stage(tmp_path)
    encoder = stage.encoder
    for projection in (encoder.global_projection, encoder.deep_projection, encoder.shallow_projection):
        nn.init.zeros_(projection.weight)
    inputs = stage.fit_inputs()
    calibration, images = calibrate(inputs), encode_split(inputs)
    known = calibration.training_distribution
    assert (feature_distance(textures(images), known) <= known.limit).all()
    assert calibration.presence["other"].specificity == 1  # nobody is told of a finding it cannot see
    text = stage.texts(["There is a pleural effusion."])
    with torch.inference_mode():
        image = encoder(next(inputs.encoder_inputs(np.array([0]))))
        heatmap = native_map(image, text, calibration)
    assert heatmap.max() < 0.01


@pytest.mark.parametrize("label", ["Effusion", "No Finding"])
def test_a_calibration_split_of_one_kind_of_image_is_one_sentence(tmp_path, label):
    inputs = image_stage(tmp_path).fit_inputs()
    present = float(label == "Effusion")
    one_kind = [
        pair
        for pair in inputs.pairs
        if not pair.in_calibration_split or pair.facts["pleural_effusion"].present == present
    ]
    with pytest.raises(DataError, match=r"^The table train\.csv is not enough for the calibration: .*\.$"):
        calibrate(replace(inputs, pairs=one_kind))
