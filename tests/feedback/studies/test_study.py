import dataclasses
import json
import tomllib

import pytest

from afloc.feedback.studies.study import study_from_definition
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
