import dataclasses
import json
import tomllib

import pytest

from afloc.feedback.studies.study import Case, Deviation, Protocol, study_from_definition, version_of
from afloc.feedback.studies.study_file import FOLDER, read_study

DEMO = FOLDER / "demo.toml"


def test_the_version_stands_for_what_readers_meet(demo):
    assert demo.version == read_study(DEMO).version
    assert dataclasses.replace(demo, readers={name: name for name in demo.readers}).version == demo.version
    assert dataclasses.replace(demo, consent="Else.").version != demo.version
    assert tomllib.loads(DEMO.read_text())["seed"] == demo.seed


def test_a_study_comes_back_from_its_definition_with_the_same_version(demo):
    assert demo.version == "44c6b3a4f5ab"  # as it has been since versions cover the images
    text = json.dumps(demo.definition())
    assert "demo-1" not in text and "example:" not in text  # neither a code nor the name of a file
    back = study_from_definition(json.loads(text))
    assert back.version == demo.version and back.questions == demo.questions
    assert [case.boxes for case in back.cases] == [case.boxes for case in demo.cases]


@pytest.mark.parametrize("key, value", [("kind", "stars"), ("id", "a b")])
def test_a_definition_of_something_else_is_refused(demo, key, value):
    definition = json.loads(json.dumps(demo.definition()))
    definition["questions"][0][key] = value
    with pytest.raises(ValueError):
        study_from_definition(definition)


def test_a_study_from_before_the_later_keys_keeps_its_version(demo):
    """Its readings go on to count together with those of today."""
    assert demo.version == "44c6b3a4f5ab"


def test_whom_to_ask_and_how_a_study_came_to_be_are_kept_but_are_no_new_version(demo):
    told = dataclasses.replace(
        demo,
        **{"by": "A clinic", "contact": "555", "minutes": 20, "state": "paused", "exclusive": True},
        protocol=Protocol(demo.digest, "2026-11-28T10:00:00Z"),
        deviations=(Deviation("2026-11-29T10:00:00Z", demo.version, "A reader fell ill."),),
    )
    assert told.version == demo.version == demo.digest[:12]
    definition = json.loads(json.dumps(told.definition()))
    kept = study_from_definition(definition)
    assert (kept.by, kept.minutes, kept.protocol, kept.deviations) == (
        *("A clinic", 20),
        *(told.protocol, told.deviations),
    )
    assert version_of(definition) == kept.version == demo.version


def test_training_and_blocks_are_a_new_version_and_come_back(demo):
    case = Case("t1", "example:retina", "optic disc", truth=True, explanation="Nasal.", digest="0" * 64)
    study = dataclasses.replace(
        demo,
        **{"training": (case,), "training_feedback": True, "blocks_each": 2},
        cases=tuple(dataclasses.replace(each, block="ABC"[n % 3]) for n, each in enumerate(demo.cases)),
    )
    again = study_from_definition(json.loads(json.dumps(study.definition())))
    assert again.version == study.version != demo.version
    assert again.training[0].explanation == "Nasal." and again.case("t1") == again.training[0]
    assert [case.block for case in again.cases[:3]] == ["A", "B", "C"] and again.blocks_each == 2
