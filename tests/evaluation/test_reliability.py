import numpy as np
import pyarrow as pa
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from afloc.evaluation.chunks import SCORES
from afloc.evaluation.reliability import BINS, calibration, reliability


def test_random_probabilities_against_scikit_learn():
    random = np.random.default_rng(0)
    for count in (3, 50, 400):
        probability = random.random(count)
        positive = random.random(count) < probability
        positive[:2] = True, False
        found = reliability(probability, positive, [str(each) for each in range(count)])
        assert found["brier"]["mean"] == pytest.approx(brier_score_loss(positive, probability), abs=1e-6)
        frequency, mean = calibration_curve(positive, probability, n_bins=BINS)
        assert [each["frequency"]["mean"] for each in found["curve"]] == pytest.approx(frequency, abs=1e-6)
        assert [each["probability"] for each in found["curve"]] == pytest.approx(mean, abs=1e-6)
        gaps = [each["n"] * abs(each["probability"] - each["frequency"]["mean"]) for each in found["curve"]]
        assert found["ece"]["mean"] == pytest.approx(sum(gaps) / count, abs=1e-5)
        assert (found["brier"]["ci95"] is None) == (count < 10)


def test_a_single_probability_for_all():
    positive = np.arange(20) % 4 == 0
    found = reliability(np.full(20, 0.25), positive, [str(each) for each in range(20)])
    assert found["ece"]["mean"] == 0 and found["brier"]["mean"] == found["brier_of_frequency"] == 0.1875
    assert [(each["from"], each["to"], each["n"]) for each in found["curve"]] == [(0.2, 0.3, 20)]
    sure = reliability(np.where(positive, 1.0, 0.0), positive, ["one"] * 20)
    assert sure["brier"]["mean"] == sure["ece"]["mean"] == 0 and sure["brier"]["ci95"] is None
    assert [each["frequency"] for each in sure["curve"]] == [
        {"mean": 0.0, "ci95": None},
        {"mean": 1.0, "ci95": None},
    ]


def test_by_modality_and_family():
    rows = [
        {"row": i, "patient": str(i), "source": "a", "modality": "chest_xray", "label": label}
        | {"positive": i % 2 == 0, "probability": probability}
        for i in range(4)
        for label, probability in (("Effusion", 0.5), ("Cardiomegaly", 0.1), ("Nodule", None), ("x", 0.9))
    ]
    found = calibration(pa.Table.from_pylist(rows, SCORES))
    assert list(found) == ["chest_xray"] and found["chest_xray"]["n"] == 8
    families = found["chest_xray"]["families"]
    assert {name: each["n"] for name, each in families.items()} == {"heart": 4, "pleura": 4}
    assert families["heart"]["brier"]["mean"] == pytest.approx((0.9**2 + 0.1**2) / 2)
    assert calibration(pa.Table.from_pylist([], SCORES)) == {}
