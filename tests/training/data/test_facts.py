"""Facts about an image, and whether descriptions follow from them."""

import math

import numpy as np
import pytest

from afloc.language.statements import Statement
from afloc.training.data.facts import Description, entails, facts_of


def said(finding, status="affirmed", side=None, zone=None):
    return Statement(finding, status, side, zone)


def described(*statements):
    return Description("…", statements)


LEFT_EFFUSION = facts_of((said("pleural_effusion", side="left"),), "chest_xray")


@pytest.mark.parametrize(
    ("statement", "holds"),
    [
        (said("pleural_effusion"), 1),
        (said("pleural_effusion", side="left"), 1),
        (said("pleural_effusion", side="right"), 0),
        (said("pleural_effusion", side="bilateral"), 0),
        (said("pleural_effusion", "denied"), 0),
        (said("pleural_effusion", side="left", zone="lower"), math.nan),
        (said("pleural_effusion", "hedged"), math.nan),
        (said("pneumothorax"), math.nan),
    ],
)
def test_facts_bear_out_contradict_or_leave_open(statement, holds):
    np.testing.assert_equal(entails(LEFT_EFFUSION, described(statement)), float(holds))


def test_one_contradiction_is_enough_and_one_open_question_leaves_open():
    effusion, pneumothorax = said("pleural_effusion", side="left"), said("pneumothorax")
    assert entails(LEFT_EFFUSION, described(said("pleural_effusion", "denied"), pneumothorax)) == 0
    assert math.isnan(entails(LEFT_EFFUSION, described(effusion, pneumothorax)))


@pytest.mark.parametrize(
    ("text", "statements", "doubt"),
    [
        ("left effusion", (said("pleural_effusion", side="left"),), False),
        ("R effusion", (said("pleural_effusion", side="right"),), False),
        ("effusion", (said("pleural_effusion"),), False),
        ("right jugular line", (said("central_venous_line"),), True),
        ("left effusion, heart large", (said("pleural_effusion", side="left"), said("cardiomegaly")), True),
        ("effusions, right more than left", (said("pleural_effusion", side="bilateral"),), True),
        ("levoscoliosis", (said("scoliosis"),), True),
    ],
)
def test_the_laterality_of_a_side_that_no_statement_has_is_unclear(text, statements, doubt):
    assert Description(text, statements).laterality_unclear is doubt


def test_a_finding_implies_its_parents():
    facts = facts_of((said("consolidation", side="right"),), "chest_xray")
    assert facts["lung_opacity"].present == 1
    assert facts["lung_opacity"].sides == {"right"}
