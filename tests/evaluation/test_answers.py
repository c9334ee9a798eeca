"""Which side a ground truth lies on; and a small set, asked."""

import json

import numpy as np

from afloc.evaluation.answers import true_side
from tests.cli.test_main import run
from tests.evaluation.sets import write_set


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
