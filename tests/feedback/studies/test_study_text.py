"""A study as text and as values, both ways: what a form changes changes, everything else stays."""

import json
import tomllib

import pytest

from afloc.feedback.studies.study_file import FOLDER, read_study
from afloc.feedback.studies.study_text import comments, write_values

DEMO = (FOLDER / "demo.toml").read_text()


def values_of(text):
    """As the page has them: by way of JSON."""
    return json.loads(json.dumps(tomllib.loads(text)))


def test_what_is_not_changed_stays_to_the_letter():
    assert write_values(values_of(DEMO), DEMO) == DEMO
    odd = DEMO.replace("washout_days = 0 ", "washout_days = 0.0 ").replace(
        'R1 = "demo-1"', "R1   =  'demo-1'"
    )
    browser = values_of(odd) | {"washout_days": 0}  # which knows one kind of number
    assert write_values(browser, odd) == odd, "or the study would have another version"


def test_a_change_keeps_the_comments_and_the_rest():
    values = values_of(DEMO)
    values["title"] = "Another"
    values["readers"] |= {"R4": "demo-4"}
    values["cases"] = [
        *values["cases"][::-1],
        {"id": "c09", "image": "example:retina", "description": "fovea"},
    ]
    values["questions"][0]["labels"][0] = "surely not"
    written = write_values(values, DEMO)
    assert values_of(written) == values and comments(written) == comments(DEMO)
    assert 'R3 = "demo-3"\nR4 = "demo-4"\n\n# kind: rating' in written, "before what introduces the next part"
    assert 'title = "Another"\n\n# unaided: image only.' in written


def test_a_comment_goes_only_with_its_table():
    text = DEMO.replace('id = "c02"', 'id = "c02"  # of the first reader\n# a hard one')
    values = values_of(text)
    del values["cases"][1]
    assert set(comments(text)) - set(comments(write_values(values, text))) == {"# a hard one"}


@pytest.mark.parametrize("text", ["", DEMO])
@pytest.mark.parametrize(
    "said",
    ["", "two\nlines", '"""', "\\", "'''\n\"\"\"", "ü😀", "# no comment", "[table]", "\nbegins", "a\tb"],
)
def test_any_text_that_is_typed_comes_back(text, said):
    values = values_of(DEMO) | {"consent": said, "by": said}
    values["questions"][0]["text"] = said
    assert values_of(write_values(values, text)) == values


def test_a_study_written_from_nothing_is_one_that_can_be_read(tmp_path):
    values = values_of(DEMO) | {"protocol": None, "deviations": []}
    (tmp_path / "s.toml").write_text(write_values(values))
    assert read_study(tmp_path / "s.toml").version == read_study(FOLDER / "demo.toml").version


def test_unknown_keys_stay():
    values = values_of(DEMO) | {"colour": "blue"}
    text = write_values(values, DEMO)
    assert values_of(write_values(values_of(text) | {"title": "T"}, text))["colour"] == "blue"
