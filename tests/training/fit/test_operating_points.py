"""Operating points, against their definitions."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from afloc.model.calibration import OperatingPoint
from afloc.training.fit.operating_points import fit_platt, lowest_threshold, operating_point, with_threshold

SPECIFICITY = 0.94


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
    point = operating_point(logits[:, None], targets[:, None], np.full(400, "a"), SPECIFICITY)
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
    point = operating_point(logits, targets, sources, SPECIFICITY)
    probabilities = 1 / (1 + np.exp(-(point.slope * logits + point.intercept)))
    below = [(probabilities[sources == each][:, 1:3] < point.threshold).mean() for each in ("a", "b", "few")]
    assert below[0] > below[1] == pytest.approx(SPECIFICITY, abs=0.01) and below[2] < 0.1


@pytest.mark.parametrize("spread", [0, 1e-6, 1e-4, 1e-2, 1])
@pytest.mark.parametrize("seed", range(3))
def test_what_the_operating_point_claims_is_what_it_reaches_however_alike_the_answers_are(spread, seed):
    rng = np.random.default_rng(seed)
    targets = np.tile([1.0, 0.0], (50, 1))
    logits = rng.normal() + spread * (rng.normal(size=(50, 2)) + targets)
    point = operating_point(logits, targets, np.full(50, "a"), SPECIFICITY)
    present = np.array([[point.judge(logit)[1] for logit in row] for row in logits])
    assert point.sensitivity == pytest.approx(present[targets == 1].mean(), abs=1e-3)
    assert point.specificity == pytest.approx(1 - present[targets == 0].mean(), abs=1e-3)
    assert point.specificity >= SPECIFICITY


def test_the_counts_are_those_of_the_verdicts():
    logits = np.array([[3.0], [1.0], [-1.0], [-4.0], [2.0], [0.0]])
    targets = np.array([[1.0], [1.0], [0.0], [0.0], [0.0], [np.nan]])
    point = with_threshold(OperatingPoint(1.0, 0.0, 1.0), 0.5, logits, targets)
    assert (point.threshold, point.sensitivity, point.specificity) == (0.5, 1.0, 0.667)


def test_the_threshold_of_a_finding_holds_in_each_source():
    rng = np.random.default_rng(3)
    logits, targets = rng.normal(size=(80, 1)), np.zeros((80, 1))
    sources = np.repeat(["a", "b"], 40)
    logits[sources == "b"] += 2
    shared = OperatingPoint(1.0, 0.0, 0.1)
    threshold = lowest_threshold(shared, logits, targets, sources, SPECIFICITY)
    flagged = 1 / (1 + np.exp(-logits[:, 0])) >= threshold
    assert flagged[sources == "a"].mean() < flagged[sources == "b"].mean() <= 1 - SPECIFICITY
