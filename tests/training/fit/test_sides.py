"""From which maps the side may be read."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from afloc.model.calibration import Calibration, OperatingPoint
from afloc.training.fit.sides import DECIDED, fit_sides

CALIBRATION = Calibration(presence={"other": OperatingPoint(1.0, 0.0, 0.5)}, unreliable_maps=("nodule",))


class Split:
    """Held-back reports that name one side, each with the balance of its map towards the patient's left."""

    inputs = SimpleNamespace(modality="chest_xray")

    def __init__(self, reports: dict[str, list[tuple[str, float]]], logit: float = 1.0):
        self.reports, self.logit = reports, logit

    def bare_logits(self, findings, calibration):
        return np.full((100, len(findings)), self.logit)

    def one_sided(self, finding):
        return ((index, side) for index, (side, _) in enumerate(self.reports.get(finding, [])))

    def map(self, index, finding, calibration):
        _, balance = self.reports[finding][index]
        return np.sqrt(np.array([[1 - balance, 1 + balance]]))  # the patient's right on the left side


def right(count: int) -> list[tuple[str, float]]:
    return [("left", 0.3 + 0.01 * number) for number in range(count)]


def wrong(count: int) -> list[tuple[str, float]]:
    return [(side, -balance) for side, balance in right(count)]


def test_only_findings_whose_side_is_right_are_judged():
    margins = fit_sides(
        Split({"pleural_effusion": right(20), "fracture": wrong(10), "nodule": right(20)}), CALIBRATION
    )
    assert "pleural_effusion" in margins and margins["pleural_effusion"].n > 10
    assert margins["pleural_effusion"].right > 0.8
    assert "fracture" not in margins, "wrong on its own reports"
    assert "nodule" not in margins, "its maps do not find the place"
    assert "pneumothorax" in margins and margins["pneumothorax"].n == 0, "as its family"
    assert "scar" not in margins, "neither it nor its family has reports"


def test_the_margin_leaves_the_evenest_maps_undecided():
    balances = np.linspace(0.01, 0.8, 40)
    margins = fit_sides(Split({"pleural_effusion": [("right", -each) for each in balances]}), CALIBRATION)
    margin = margins["pleural_effusion"].margin
    assert np.mean(balances >= margin) == pytest.approx(DECIDED, abs=0.03)


def test_without_enough_flagged_reports_no_side_is_judged():
    assert fit_sides(Split({"pleural_effusion": right(11)}), CALIBRATION) is None
    assert fit_sides(Split({"pleural_effusion": right(40)}, logit=-1.0), CALIBRATION) is None
    assert fit_sides(Split({"pleural_effusion": right(40)}), replace(CALIBRATION, presence=None)) is None
