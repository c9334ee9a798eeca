"""Suggestions for what is misspelt or half typed."""

import random

import pytest

from afloc.language.reading import read
from tests.language.misspell import SHORT, misspelt, outcome

CHEST = "chest_xray"


def test_typing_errors_suggest_the_finding(long):
    cases = list(misspelt(random.Random(0)))
    cases = cases if long else random.Random(1).sample(cases, 600)
    outcomes = {
        short: [outcome(each) for each in cases if (len(each.term) <= SHORT) is short]
        for short in (True, False)
    }
    assert outcomes[False].count("right") / len(outcomes[False]) >= 0.98
    assert outcomes[True].count("right") / len(outcomes[True]) >= (0.8 if long else 0.7)
    assert sum(each.count("verdict") for each in outcomes.values()) <= len(cases) * 0.002


@pytest.mark.parametrize(
    "text, name",
    [
        ("plueral effusion", "pleural effusion"),
        ("plural efusion", "pleural effusion"),
        ("cardiomegally", "cardiomegaly"),
        ("pneumothorx", "pneumothorax"),
        ("no right apical pneumothorx", "pneumothorax"),
        ("Kein Pneumothorax", "pneumothorax"),
        ("hydrothorx", "pleural effusion"),  # a synonym suggests the name
        ("pleuraleffusion on the left", "pleural effusion"),
        ("rib fractre with pneumothorax", "fracture"),
        ("beidseitige Pleuraergüsse", "pleural effusion"),
        ("右侧气胸", "pneumothorax"),
        ("cancer", "lung lesion"),
    ],
)
def test_suggestions(text, name):
    reading = read(text, CHEST)
    assert reading.suggestions[0] == name and reading.main.status in ("unknown", "described")


@pytest.mark.parametrize("text", ["left lung mass", "long mass", "line at the left base", "a small scar"])
def test_real_words_are_no_typing_errors(text):
    assert not read(text, CHEST).unknown_words and not read(text, CHEST).suggestions
