"""Tables of what is answered, on made-up answers."""

import json

import pytest

from afloc.evaluation.answer_tables import (
    answers_beside,
    denials,
    empty_target,
    format_answers,
    normality,
    summarise_answers,
    wording_spread,
    write_answers,
    wrong_side,
)
from afloc.evaluation.answers import (
    Answers,
    DenialAnswer,
    EmptyAnswer,
    NormalAnswer,
    SideAnswer,
    WordingAnswer,
)


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
            WordingAnswer(
                "effusion", "a", {"{}": 0.5, "no {}": 0.7}, {"{}": True, "possible {}": False, "no {}": False}
            ),
            WordingAnswer("mass", "a", {"{}": 0.1, "no {}": None}, {"{}": False, "no {}": True}),
        ]
    )
    assert found["widest"] == pytest.approx(0.2)
    assert found["spread"] == pytest.approx(0.1) and found["hit_by_some"] == 0.5
    plain = found["wordings"]["{}"]
    assert plain.pop("ci95") == {"probability": None, "unjudged": None, "pointing": None}
    assert plain == {"n": 2, "probability": 0.3, "unjudged": 0.0, "pointing": 0.5}
    assert found["wordings"]["no {}"]["unjudged"] == 0.5
    assert wording_spread([])["widest"] is None


def test_intervals_are_over_patients():
    """Of twenty cases, all decided, fifteen are right; of two patients there is no interval."""
    sides = [
        SideAnswer("effusion", "a", "left", "left" if i % 4 else "right", True, False, str(i))
        for i in range(20)
    ]
    found = wrong_side(sides)
    low, high = found["ci95"]["right"]
    assert 0.45 < low < found["right"] == 0.75 < high < 0.95
    assert found["ci95"]["held_on_wrong_side"] == [0, 0]
    assert wrong_side(sides[:2])["ci95"]["right"] is None
    assert "0.75 (" in format_answers(summarise_answers(Answers(sides=sides)))


def test_answers_join_a_run_of_the_same_model_and_set(tmp_path):
    about = {"model": {"name": "a", "fingerprint": "1"}, "set": "films"}
    tables = summarise_answers(Answers())
    (tmp_path / "summary.json").write_text(json.dumps(about | {"n_cases": 3}))
    write_answers(tmp_path, about, tables)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["n_cases"] == 3 and summary["answers"] == tables
    assert answers_beside(tmp_path, about) == {"answers": tables}
    other = about | {"set": "other films"}
    assert answers_beside(tmp_path, other) == {} and answers_beside(tmp_path / "nowhere", about) == {}
