import tomllib

import pytest

from afloc.errors import SettingsError
from afloc.feedback.studies.study import load_image, study_from_definition
from afloc.feedback.studies.study_file import FOLDER, read_studies, read_study, study_of

DEMO = FOLDER / "demo.toml"


def test_the_demo_works_as_it_comes(demo):
    assert list(read_studies()) == ["demo"]
    assert {question.kind for question in demo.questions} == {"rating", "regions", "text"}
    assert demo.presence == "sure"
    for case in demo.cases:
        image = load_image(demo, case)
        for x, y, width, height in case.boxes:
            assert x >= 0 and y >= 0 and x + width <= image.width and y + height <= image.height


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('id = "demo"', "", "id is missing"),
        ('id = "demo"', 'id = "a b"', "id must be at most 60"),
        ('title = "A reader study to try"', "title = 3", "title must be a text"),
        ('design = "crossover"', 'design = "blind"', "design must be one of unaided, aided"),
        ("washout_days = 0", "washout_days = -1", "washout_days must be a number from 0"),
        ("washout_days = 0", "washout = 0", "washout is no key that is known here"),
        (
            'design = "crossover"\nwashout_days = 0 ',
            'design = "aided"\nwashout_days = 5 ',
            "washout_days is for",
        ),
        ("seed = 20261124", "seed = 1.5", "seed must be a whole number"),
        ("repeats = 2", "repeats = 5", "repeats is 5; at most half of the 8 cases"),
        ("back = true", "back = 1", "back must be true or false"),
        ("back = true", "back = false", "edit needs back = true"),
        ('presence = "sure"', 'presence = "place"', "presence names no question of kind rating"),
        ('kind = "rating"', 'kind = "stars"', r"questions\[1\].kind must be one of"),
        ('kind = "rating"', 'kind = "text"', r"questions\[1\].*labels is not for a question of this kind"),
        (
            '["certainly not", "probably not"',
            '["certainly", "probably not"',
            r"questions\[1\].labels needs two",
        ),
        ('id = "place"', 'id = "sure"', "questions has 'sure' twice"),
        ('id = "c02"', 'id = "c01"', "cases has 'c01' twice"),
        ('"example:retina"', '"example:heart"', r"cases\[5\].image names no example"),
        ('"example:retina"', '"films/Doe.png"', r"cases\[5\].image names a file that is not there"),
        ('modality = "fundus"', 'modality = "mri"', r"cases\[5\].modality must be one of chest_xray"),
        ("truth = false", 'truth = "no"', r"cases\[2\].truth must be true or false"),
        ("[[733, 533, 187, 328]]", "[[733, 533, 187]]", r"cases\[1\].boxes must be a list of"),
        ("[[733, 533, 187, 328]]", "[[733, 533, nan, 328]]", r"cases\[1\].boxes .* not a finite number"),
        ("[[733, 533, 187, 328]]", "[[733, 533, 187, 0]]", r"cases\[1\].boxes .* wider and higher than 0"),
        ("truth = true\nboxes", "truth = false\nboxes", r"cases\[1\].boxes needs truth = true"),
        ('R3 = "demo-3"', 'R3 = "demo-1"', "readers gives R1 and R3 one code"),
        ('R3 = "demo-3"', "R3 = 3", "readers.R3 must be a text"),
        ("[readers]", "[people]", "readers is missing"),
        ("seed = 20261124", "seed = = 1", "is not TOML"),
    ],
)
def test_a_fault_is_one_sentence_that_names_its_key(tmp_path, old, new, message):
    text = DEMO.read_text()
    assert old in text
    path = tmp_path / "s.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(
        SettingsError, match=rf"^s\.toml(:| is not) ?.*{message.removeprefix('is not ')}.*\.$"
    ):
        read_study(path)


def test_a_study_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match="There is no study file"):
        read_study(tmp_path / "none.toml")


def test_two_studies_must_not_share_a_code(tmp_path):
    text = DEMO.read_text()
    (tmp_path / "a.toml").write_text(text)
    (tmp_path / "b.toml").write_text(text.replace('id = "demo"', 'id = "other"'))
    with pytest.raises(SettingsError, match="to two people"):
        read_studies(tmp_path)


def test_the_patient_of_a_case(tmp_path):
    """Kept with the study; a study that names none has the version it always had."""
    text = (FOLDER / "demo.toml").read_text()
    (tmp_path / "s.toml").write_text(text.replace('id = "c01"', 'id = "c01"\npatient = "p1"'))
    study, demo = read_study(tmp_path / "s.toml"), read_study(FOLDER / "demo.toml")
    assert [case.patient for case in study.cases[:2]] == ["p1", ""] and study.version != demo.version
    assert all("patient" not in case for case in demo.definition()["cases"])
    assert study_from_definition(study.definition()).cases[0].patient == "p1"
    (tmp_path / "s.toml").write_text(text.replace('id = "c01"', 'id = "c01"\npatient = "Jane Doe"'))
    with pytest.raises(SettingsError, match="patient"):
        read_study(tmp_path / "s.toml")


LATER = """
training_feedback = true
blocks_each = 2
[protocol]
sha256 = "%s"
started = "2026-11-28T10:00:00Z"
[[deviations]]
time = "2026-11-29T10:00:00Z"
version = "0123456789ab"
reason = "A reader fell ill."
[[training]]
id = "t01"
image = "example:retina"
description = "optic disc"
explanation = "It is the bright disc."
""" % ("0" * 64)


def test_the_later_keys(tmp_path):
    text = DEMO.read_text().replace("[readers]", LATER + "[readers]", 1)
    for n in (2, 4, 6):
        text = text.replace(f'id = "c0{n}"', f'id = "c0{n}"\nblock = "B{n % 4}"')
    (tmp_path / "s.toml").write_text(text)
    study = read_study(tmp_path / "s.toml")
    assert study.training[0].explanation and study.training[0].digest and study.training_feedback
    assert study.blocks_each == 2 and study.deviations[0].reason == "A reader fell ill."
    assert load_image(study, study.case("t01")).width
    assert study.minutes == 10 and study.state == "open"


def test_all_that_is_wrong_is_found_at_once(tmp_path):
    """Faults of a key's own kind, faults between keys and missing images, each at its key."""
    values = tomllib.loads(DEMO.read_text())
    del values["title"]
    values |= {
        "design": "blind",
        "seed": 1.5,
        "blocks_each": 3,
        "presence": "place",
        "training": [{"id": "c01"}],
    }
    values["readers"] = {"R 1": "one", "R2": "one"}
    values["cases"][1] |= {"id": "c01", "image": "films/Doe.png", "truth": "no"}
    values["cases"][4] |= {"image": "example:heart", "patients": "p1"}
    values["questions"][1]["kind"] = "stars"
    study, faults = study_of(values, tmp_path / "s.toml")
    assert study is None
    assert {fault.key for fault in faults} == {
        *("title", "design", "seed", "blocks_each", "presence", "readers", "readers.R 1"),
        *("cases[2].id", "cases[2].image", "cases[2].truth", "cases[5].image", "cases[5].patients"),
        *("training[1].id", "training[1].image", "training[1].description", "questions[2].kind"),
    }
    assert all(
        "one" not in fault.sentence.split() or "one of" in fault.sentence or fault.key == "readers"
        for fault in faults
    ), "codes are not repeated"


def test_a_draft_that_is_not_finished_keeps_no_other_study_from_being_read(tmp_path):
    (tmp_path / "a.toml").write_text('id = "a"\nstate = "draft"\n')
    (tmp_path / "demo.toml").write_text(DEMO.read_text())
    assert list(read_studies(tmp_path)) == ["demo"]
    (tmp_path / "a.toml").write_text('id = "a"\n')
    with pytest.raises(SettingsError, match="^a.toml: title is missing"):
        read_studies(tmp_path)
