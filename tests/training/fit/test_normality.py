"""When an image holds for normal."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from afloc.model.calibration import Calibration, OperatingPoint
from afloc.training.data.facts import Fact
from afloc.training.data.pairs import Pair
from afloc.training.fit.healthy import findings_against, is_healthy
from afloc.training.fit.normality import HEALTHY_SHARE, fit_normality

CALIBRATION = Calibration(presence={"other": OperatingPoint(2.0, 0.0, 0.5)})


def row(*affirmed: str, **facts: float) -> Pair:
    found = {finding: Fact(present) for finding, present in facts.items()} | {
        each: Fact(1.0) for each in affirmed
    }
    return Pair(Path("x.png"), "a", "chest_xray", (), found, frozenset(affirmed))


def split(pairs: list[Pair], strongest: np.ndarray) -> SimpleNamespace:
    """The strongest finding of each image has this logit; all others are far below."""

    def bare_logits(findings, calibration):
        logits = np.full((len(pairs), len(findings)), -9.0)
        logits[:, sorted(findings).index("pneumonia")] = strongest
        return logits

    return SimpleNamespace(
        inputs=SimpleNamespace(modality="chest_xray"), pairs=pairs, bare_logits=bare_logits
    )


def test_old_bone_devices_and_old_lime_do_not_count():
    against = findings_against("chest_xray")
    assert {"pneumonia", "cardiomegaly", "fracture", "nodule"} <= against
    assert not against & {"pacemaker", "scoliosis", "aortic_calcification", "normal_chest", "left_lung"}


@pytest.mark.parametrize(
    "pair, healthy",
    [
        (row("normal_chest", pneumonia=0.0), True),
        (row("normal_chest", pneumonia=math.nan), False),
        (row("pneumonia"), False),
        (row(pneumonia=0.0), False),  # says nothing of the rest
        (row(), False),
    ],
)
def test_a_healthy_image_is_called_normal(pair, healthy):
    assert is_healthy(pair) is healthy


def test_the_threshold_lets_enough_of_the_healthy_hold_and_counts_both():
    healthy, ill = np.linspace(-2, 2, 100), np.linspace(-1, 6, 50)
    pairs = [row("normal_chest")] * 100 + [row("pneumonia")] * 50
    normality = fit_normality(split(pairs, np.concatenate([healthy, ill])), CALIBRATION)
    below = 2 * healthy < normality.threshold  # the slope is 2, and a threshold of 0.5 is a logit of 0
    assert below.mean() == pytest.approx(HEALTHY_SHARE, abs=0.011)
    counts = normality.performance
    assert (counts.n_present, counts.n_absent, counts.rejections) == (50, 100, below.sum())
    assert counts.hits == (2 * ill >= normality.threshold).sum()
    assert "pneumonia" in normality.findings and "pacemaker" not in normality.findings


def test_too_few_images_leave_it_unjudged():
    assert (
        fit_normality(split([row("normal_chest")] * 29 + [row("pneumonia")] * 90, np.zeros(119)), CALIBRATION)
        is None
    )
