"""What holds of a description: denials, sides, several statements, normal images, one probability."""

import json
from dataclasses import replace

import numpy as np
import pytest

from afloc import load_model
from afloc.imaging.examples import EXAMPLES
from afloc.inference.answers import all_hold, statement_holds
from afloc.inference.finding import Side
from afloc.language.findings import load_findings
from afloc.model.calibration import BINS, Normality, SideMargin, VerdictCounts

POOR = VerdictCounts(20, 20, 1, 19, (1,) * BINS, (1,) * BINS)


@pytest.fixture(scope="module")
def model():
    return load_model(device="cpu")


@pytest.fixture
def recalibrated(model, monkeypatch):
    """Gives the embedded model a changed calibration, for one test: the drawn effusion is flagged."""

    def change(**fields):
        calibration = model.calibration("chest_xray")
        low = replace(calibration.operating_point("pleural_effusion", "pleura"), threshold=0.02)
        changed = replace(calibration, **{"finding_points": {"pleural_effusion": low}} | fields)
        monkeypatch.setattr(model, "calibration", lambda modality: changed)
        return model.encode(EXAMPLES[0].load(), "chest_xray")

    return change


@pytest.mark.parametrize(
    "status, present, side, holds",
    [
        ("affirmed", True, None, True),
        ("affirmed", False, None, False),
        ("denied", True, None, False),
        ("denied", False, None, True),
        ("affirmed", True, Side("left", "left", True), True),
        ("affirmed", True, Side("left", "right", False), False),
        ("affirmed", True, Side("left"), None),
        ("affirmed", False, Side("left"), False),
        ("affirmed", True, Side("both", "left", False), False),
        ("denied", True, Side("left", "right", False), True),
        ("denied", True, Side("left", "left", True), False),
        ("denied", True, Side("left"), None),
        ("denied", False, Side("left"), True),
        ("denied", True, Side("both", "left", False), False),
        ("denied", True, Side("both"), False),
    ],
)
def test_a_statement_holds(status, present, side, holds):
    assert statement_holds(status, present, side) is holds


def test_several_statements_hold_together():
    assert all_hold([True, None]) is True and all_hold([True, False, None]) is False
    assert all_hold([None]) is None and all_hold([]) is None


def test_a_finding_has_one_probability_to_the_digit(model, long):
    view = model.encode(EXAMPLES[0].load(), "chest_xray")
    entries = [entry for entry in load_findings("chest_xray").values() if not entry.normal]
    scanned = dict(zip([entry.id for entry in entries], view.classify(), strict=True))
    texts = {
        entry.id: [
            entry.name,
            entry.simple,
            *entry.synonyms[:1],
            f"possible {entry.name}",
            f"is there {entry.name}?",
            f"no {entry.name}",
        ]
        for entry in entries[:: 1 if long else 6]
    }
    for finding, asked in texts.items():
        together = model.encode(EXAMPLES[0].load(), "chest_xray").locate_all(asked)
        for answer in (*together, *map(view.locate, asked)):
            assert answer.asked.finding == finding, answer.text
            assert answer.probability == scanned[finding].probability, answer.text
            assert answer.present == scanned[finding].present
            assert answer.holds == (answer.present != (answer.asked.status == "denied")), answer.text


def test_a_denial_is_never_doubly_negative(recalibrated):
    view = recalibrated()
    found = {text: view.locate(text) for text in ("no cardiomegaly", "no pleural effusion")}
    assert {each.holds for each in found.values()} == {True, False}, "one is there, one is not"
    for each in found.values():
        said = f"{each.verdict}, {each.probability:.2f}."
        name = each.asked.name.capitalize()
        assert each.sentences[0] == f"You asked for its absence. {name}: {said}"


@pytest.mark.parametrize("text", ["heart", "banana", "hazy grey area behind the heart"])
def test_what_is_no_finding_is_not_judged(model, text):
    answer = model.encode(EXAMPLES[0].load(), "chest_xray").locate(text)
    assert answer.probability is answer.present is answer.holds is answer.operating_point is None
    assert answer.verdict == "not judged" and 0 <= answer.score <= 1 and answer.heatmap.max() > 0


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_side_is_that_of_the_patient_and_of_the_bare_finding(model, recalibrated, mirrored):
    margins = {"pleural_effusion": SideMargin(0.05, 0.9, 20)}
    view = recalibrated(side_margins=margins)
    film = view.image
    if mirrored:
        turned = replace(film, pixels=np.ascontiguousarray(film.pixels[:, ::-1]))
        view = model.encode(
            replace(turned, orientation=replace(film.orientation, patient_right="right")), "chest_xray"
        )
    left, right, denied = view.locate_all(
        ["left pleural effusion", "right pleural effusion", "no right pleural effusion"]
    )
    assert left.present and left.side.seen == right.side.seen == "left"  # as the example is drawn
    assert (left.side.agrees, left.holds) == (True, True)
    assert (right.side.agrees, right.holds) == (False, False)
    assert denied.holds is True and denied.asked.status == "denied"
    assert "It is seen on the left of the patient; you named the right." in right.sentences
    both = view.locate("bilateral pleural effusions")
    assert both.side == Side("both", "left", False) and both.holds is False


def test_a_side_that_is_not_judged_is_said(recalibrated):
    view = recalibrated(side_margins=None)
    answer = view.locate("left pleural effusion")
    assert answer.present and answer.holds is None and answer.side == Side("left")
    assert any(each.startswith("The side is not checked") for each in answer.cautions)
    view = recalibrated(side_margins={"pleural_effusion": SideMargin(1.0, 0.9, 20)})
    answer = view.locate("left pleural effusion")
    assert answer.holds is None and any(
        each.startswith("The side is not decided") for each in answer.cautions
    )


def test_normal_holds_where_nothing_is_flagged_by_its_own_threshold(recalibrated):
    counts = VerdictCounts(10, 10, 8, 7)
    flagged = recalibrated(normality=Normality(("pleural_effusion", "cardiomegaly"), 0.0, counts)).locate(
        "normal chest"
    )
    assert flagged.holds is False and "pleural effusion" in flagged.flagged
    assert flagged.probability is None and flagged.regions(0.0) == () and not flagged.evidence().any()
    assert flagged.heatmap.max() > 0, "the map is an array as ever"
    assert flagged.performance.sensitivity == 0.8 and flagged.performance.specificity == 0.7
    clear = recalibrated(normality=Normality(("pleural_effusion",), 99.0, counts)).locate("normal chest")
    assert clear.holds is True and clear.flagged == () and clear.verdict == "nothing flagged"
    assert recalibrated(normality=None).locate("normal chest").holds is None


def test_a_verdict_that_misses_nearly_all_is_called_so(recalibrated):
    answer = recalibrated(performance={"cardiomegaly": POOR}).locate("no cardiomegaly")
    assert answer.performance.sensitivity == 0.05 and not answer.performance.reliable
    assert answer.present is False and answer.verdict == "not judged reliably"
    assert "flagged 5%" in answer.warning and answer.warning == " ".join(answer.cautions)
    json.dumps(answer.as_json(), allow_nan=False)


def test_the_map_is_that_of_the_text_whatever_is_judged(model):
    """The bare finding is asked beside it: the sided texts keep maps of their own."""
    view = model.encode(EXAMPLES[0].load(), "chest_xray")
    left, right = view.locate_all(["left pleural effusion", "right pleural effusion"])
    assert left.probability == right.probability and np.abs(left.grid - right.grid).max() > 0.01
