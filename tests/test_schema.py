import datetime
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, Field

from afloc.errors import DataError, SettingsError
from afloc.schema import CLOSED, Text, check


def two(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(values) != 2:
        raise ValueError("needs two")
    return values


@dataclass(frozen=True)
class Choice:
    kind: Literal["choice"]
    labels: Annotated[tuple[str, ...], AfterValidator(two)]


@dataclass(frozen=True)
class Remark:
    kind: Literal["text"]


@dataclass(frozen=True)
class Stage:
    steps: int
    rate: float = 0.5


@dataclass(frozen=True)
class Sheet:
    __pydantic_config__ = CLOSED

    title: Text
    seed: Annotated[int, Field(ge=0, le=2**53)] = 0
    share: Annotated[int | float, Field(ge=0, lt=1)] = 0
    design: Literal["one", "other"] = "one"
    back: bool = False
    names: tuple[str, ...] = ()
    boxes: Annotated[tuple[tuple[float, float], ...], Field(description="a list of [x, y]")] = ()
    stage: Stage | None = None
    stages: dict[str, Stage] = field(default_factory=dict)
    parts: tuple[Annotated[Choice | Remark, Field(discriminator="kind")], ...] = ()
    more: dict[str, Any] | None = None

    def __post_init__(self):
        if self.back and not self.seed:
            raise ValueError("back needs a seed")


def test_values_become_the_type_and_numbers_stay_as_they_are():
    parts = [{"kind": "choice", "labels": ["a", "b"]}, {"kind": "text"}]
    sheet = check(Sheet, {"title": " A ", "stage": {"steps": 3}, "parts": parts, "boxes": [[1, 2]]}, "s.toml")
    assert sheet == Sheet(
        "A", stage=Stage(3), parts=(Choice("choice", ("a", "b")), Remark("text")), boxes=((1, 2),)
    )
    assert type(check(Sheet, {"title": "A", "share": 0}, "s").share) is int
    assert check(dict[str, int], {"a": 1}, "s") == {"a": 1}


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({}, "title is missing"),
        ({"title": 3}, "title must be a text that is not empty"),
        ({"title": " "}, "title must be a text that is not empty"),
        ({"title": datetime.date(2026, 1, 2)}, "title must be a text that is not empty"),
        ({"seed": 1.0}, "seed must be a whole number from 0 to 9007199254740992"),
        ({"seed": True}, "seed must be a whole number from 0 to 9007199254740992"),
        ({"seed": -1}, "seed must be a whole number from 0 to 9007199254740992"),
        ({"share": "0"}, "share must be a number from 0 below 1"),
        ({"share": 1}, "share must be a number from 0 below 1"),
        ({"share": float("nan")}, "share must be a number from 0 below 1"),
        ({"design": "third"}, "design must be one of one, other"),
        ({"back": 1}, "back must be true or false"),
        ({"back": True}, "back needs a seed"),
        ({"names": "R1"}, "names must be a list of texts"),
        ({"names": ["R1", 2]}, "names[2] must be a text"),
        ({"boxes": [[1, 2], [1]]}, "boxes must be a list of [x, y]"),
        ({"stage": 3}, "stage must be a table"),
        ({"stage": {}}, "stage.steps is missing"),
        ({"stage": {"steps": "3"}}, "stage.steps must be a whole number"),
        ({"stages": {"fundus": {"steps": 1, "rate": True}}}, "stages.fundus.rate must be a number"),
        ({"stage": {"steps": 1, "x": 1}}, "stage.x is no key that is known here; there are rate, steps"),
        ({"parts": {}}, "parts must be a list of tables, each under [[parts]]"),
        ({"parts": [{}]}, "parts[1].kind is missing"),
        ({"parts": [{"kind": "x"}]}, "parts[1].kind must be one of choice, text"),
        ({"parts": [{"kind": "text"}, {"kind": "choice", "labels": ["a"]}]}, "parts[2].labels needs two"),
        ({"parts": [{"kind": "text", "x": 1}]}, "parts[1].x is no key that is known here; there are kind"),
        ({"more": []}, "more must be a table"),
    ],
)  # fmt: skip
def test_the_first_fault_is_one_sentence_that_names_its_key(values, sentence):
    full = values if values == {} else {"title": "A"} | values
    with pytest.raises(SettingsError) as fault:
        check(Sheet, full, "s.toml")
    assert str(fault.value) == f"s.toml: {sentence}."


def test_what_is_no_table_at_all():
    with pytest.raises(DataError, match=r"^s\.json: must be a table\.$"):
        check(Sheet, [1], "s.json", DataError)
    with pytest.raises(SettingsError, match=r"^s: a must be a whole number\.$"):
        check(dict[str, int], {"a": "1"}, "s")


def test_a_text_that_is_no_unicode_is_a_fault_too():
    with pytest.raises(SettingsError, match=r"^s: .*\.$"):
        check(Sheet, {"title": "\ud800"}, "s")
