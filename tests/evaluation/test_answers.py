"""Tables of what is answered, on made-up answers; and a small set, asked."""

import json

import numpy as np
import pytest

from afloc.evaluation.answers import (
    DenialAnswer,
    EmptyAnswer,
    NormalAnswer,
    SideAnswer,
    WordingAnswer,
    denials,
    empty_target,
    normality,
    true_side,
    wording_spread,
    wrong_side,
)
from tests.cli.test_main import run
from tests.evaluation.sets import write_set


def test_sides():
    found = wrong_side(
        [
            SideAnswer("effusion", "a", "left", "left", True, False),
            SideAnswer("effusion", "a", "left", "right", False, True),
            SideAnswer("effusion", "a", "right", None, None, None),
            SideAnswer("mass", "b", "right", "right", True, False),
        ]
    )
    assert (found["n"], found["decided"], found["share_decided"]) == (4, 3, 0.75)
    assert found["right"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["held_on_wrong_side"] == found["denied_on_right_side"] == 0.25
    assert found["findings"]["mass"]["right"] == 1 and found["findings"]["effusion"]["decided"] == 2
    nothing = wrong_side([])
    assert nothing["n"] == 0 and nothing["right"] is None and nothing["findings"] == {}


def test_images_without_a_finding():
    found = empty_target(
        [
            EmptyAnswer("effusion", "a", True, 0.2),
            EmptyAnswer("effusion", "b", False, 0.0),
            EmptyAnswer("mass", "b", None, 0.1),
        ]
    )
    assert found["n"] == 3 and found["flagged"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["painted"] == 0.1
    assert found["sources"]["b"]["flagged"] == 0 and found["findings"]["effusion"]["flagged"] == 0.5


def test_denials_beside_the_sensitivity():
    found = denials(
        [
            DenialAnswer("effusion", "a", ill=False, absent=True, alike=True),
            DenialAnswer("effusion", "a", ill=False, absent=False, alike=False),
            DenialAnswer("effusion", "a", ill=True, absent=False, alike=True),
        ]
    )
    assert (found["n"], found["unlike"]) == (3, 1)
    effusion = found["findings"]["effusion"]
    assert (effusion["absence_holds"], effusion["sensitivity"]) == (0.5, 1.0)


def test_normal_images():
    rows = [NormalAnswer("a", False, True), NormalAnswer("a", True, False), NormalAnswer("b", True, None)]
    found = normality(rows)
    assert (found["n_healthy"], found["holds_healthy"], found["n_ill"], found["holds_ill"]) == (
        1,
        1.0,
        2,
        0.0,
    )
    assert found["sources"]["b"]["holds_healthy"] is None


def test_wordings():
    found = wording_spread(
        [
            WordingAnswer("effusion", "a", {"{}": 0.5, "no {}": 0.7}, {"{}": True, "no {}": False}),
            WordingAnswer("mass", "a", {"{}": 0.1, "no {}": None}, {"{}": False, "no {}": False}),
        ]
    )
    assert found["widest"] == pytest.approx(0.2)
    assert found["wordings"]["{}"] == {"n": 2, "probability": 0.3, "unjudged": 0.0, "pointing": 0.5}
    assert found["wordings"]["no {}"]["unjudged"] == 0.5
    assert wording_spread([])["widest"] is None


def test_the_side_of_a_ground_truth_is_the_patients():
    mask = np.zeros((4, 10), bool)
    mask[:, :3] = True
    assert true_side(mask, "left") == "right" and true_side(mask, "right") == "left"
    assert true_side(mask, None) is None and true_side(mask | mask[:, ::-1], "left") is None


def test_a_set_is_asked(tmp_path, small_folder, capsys):
    table = write_set(tmp_path / "set", images=6)
    options = ("--answers", "--model", small_folder, "--modality", "chest_xray", "--out", tmp_path / "out")
    assert run("evaluate", table, *options) == 0
    found = json.loads((tmp_path / "out" / "answers.json").read_text())
    assert found["denials"]["n"] > 0 and found["denials"]["unlike"] == 0
    assert found["normality"]["n_healthy"] == 2 and found["wording_spread"]["n"] > 0
    assert "Denials:" in capsys.readouterr().out
    assert run("evaluate", table, "--answers", "--protocol", "paper") == 2
    assert "--answers takes one model" in capsys.readouterr().err
