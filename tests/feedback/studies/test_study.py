import dataclasses
import datetime
import tomllib

import pytest

from afloc.errors import AccessError, SettingsError
from afloc.feedback.store.store import Store
from afloc.feedback.studies import readings
from afloc.feedback.studies.access import (
    Visitor,
    may_read,
    may_see_model,
    may_see_results,
    require,
    show_slot,
    sign_in,
)
from afloc.feedback.studies.questions import Question
from afloc.feedback.studies.readings import Waiting
from afloc.feedback.studies.schedule import Slot, schedule
from afloc.feedback.studies.study import Case, load_image
from afloc.feedback.studies.study_file import FOLDER, read_studies, read_study

DEMO = FOLDER / "demo.toml"


@pytest.fixture(scope="module")
def demo():
    return read_study(DEMO)


@pytest.fixture
def large(demo):
    """3 readers, 40 cases, crossover."""
    cases = tuple(Case(f"c{n}", "example:retina", f"finding {n}", "fundus") for n in range(40))
    return dataclasses.replace(demo, cases=cases, repeats=5)


def answer(store, study, reader, index, rating=4, **fields):
    return readings.save_reading(store, study, reader, index, {study.presence: rating}, **fields)


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
        ('kind = "rating"', 'kind = "regions"', r"questions\[1\].labels is no key that is known"),
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
        ("truth = true\nboxes", "truth = false\nboxes", r"cases\[1\].boxes needs truth = true"),
        ('R3 = "demo-3"', 'R3 = "demo-1"', "readers has 'demo-1' twice"),
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


def test_the_order_is_the_reader_s_own_and_never_changes(large):
    """The first cases of each reader, written down: a study under way must not change under its readers."""
    firsts = {
        reader: [(slot.case.id, slot.arm) for slot in schedule(large, reader)[:3]] for reader in large.readers
    }
    assert firsts == {
        "R1": [("c1", "unaided"), ("c18", "unaided"), ("c34", "unaided")],
        "R2": [("c25", "unaided"), ("c0", "unaided"), ("c19", "unaided")],
        "R3": [("c3", "aided"), ("c35", "aided"), ("c5", "unaided")],
    }
    longer = dataclasses.replace(large, readers={**large.readers, "R4": "x"})
    assert all(schedule(longer, reader) == schedule(large, reader) for reader in large.readers)


def test_a_crossover_is_balanced(large):
    arms = {}
    for reader in large.readers:
        slots = schedule(large, reader)
        assert [slot.index for slot in slots] == list(range(90))
        for period in (1, 2):
            mine = [slot for slot in slots if slot.period == period]
            first = [slot for slot in mine if not slot.repeat]
            assert sorted(slot.case.id for slot in first) == sorted(case.id for case in large.cases)
            assert sum(slot.arm == "aided" for slot in first) == 20
            again = [slot for slot in mine if slot.repeat]
            assert len(again) == 5
            for slot in again:
                earlier = next(each for each in first if each.case == slot.case)
                assert earlier.arm == slot.arm and slot.index - earlier.index >= 15
            arms |= {(reader, period, slot.case.id): slot.arm for slot in first}
    for reader in large.readers:
        assert all(arms[reader, 1, case.id] != arms[reader, 2, case.id] for case in large.cases)
    assert all(arms["R1", 1, case.id] != arms["R2", 1, case.id] for case in large.cases)


@pytest.mark.parametrize(
    "design, arms", [("unaided", ["unaided"]), ("unaided_then_aided", ["unaided", "aided"])]
)
def test_other_designs(demo, design, arms):
    slots = schedule(dataclasses.replace(demo, design=design, repeats=0), "R1")
    assert [slot.arm for slot in slots] == arms * 8
    assert all(slot.period == 1 for slot in slots)
    if len(arms) == 2:
        assert all(slots[n].case == slots[n + 1].case for n in range(0, 16, 2))


def test_a_study_is_read_to_its_end_and_resumed_anywhere(demo, tmp_path):
    with Store(tmp_path) as store:
        with pytest.raises(AccessError, match="consent"):
            answer(store, demo, "R1", 0)
        readings.give_consent(store, demo, "R1", "page 1")
        for index in range(7):
            assert readings.next_slot(store, demo, "R1").index == index
            answer(store, demo, "R1", index, visible_ms=1000)
        readings.save_draft(store, demo, "R1", 7, answers={"sure": 2}, visible_ms=700)
    with Store(tmp_path) as store:  # another machine
        assert readings.next_slot(store, demo, "R1").index == 7
        draft = readings.resume(store, demo, "R1", 7)
        assert draft["kind"] == "draft" and draft["answers"] == {"sure": 2} and draft["visible_ms"] == 700
        total = len(schedule(demo, "R1"))
        for index in range(7, total):
            answer(store, demo, "R1", index)
        assert readings.next_slot(store, demo, "R1") is None
        first, second, third = readings.progress(store, demo)
        assert (first.reader, first.done, first.total, first.consented) == ("R1", total, total, True)
        assert (second.done, second.consented, second.last) == (0, False, None)
        assert third.total == total
        [kept] = store.rows("SELECT * FROM studies")
        assert kept["version"] == demo.version and "demo-1" not in str(kept) and "example:" not in str(kept)


def test_an_answer_is_given_in_turn_and_changed_only_where_the_study_lets(demo, tmp_path):
    with Store(tmp_path) as store:
        for reader in demo.readers:
            readings.give_consent(store, demo, reader)
        for index in (1, 5, -1, 99):
            with pytest.raises(AccessError, match="turn"):
                answer(store, demo, "R1", index)
        first = answer(store, demo, "R1", 0, rating=2)
        changed = answer(store, demo, "R1", 0, rating=5)
        [row] = store.rows("SELECT id, replaces, answers FROM answers")
        assert row == {"id": changed.id, "replaces": first.id, "answers": {"sure": 5}}
        assert answer(store, demo, "R1", 0, id=changed.id) == changed  # the same again, after a lost reply
        final = dataclasses.replace(demo, edit=False)
        with pytest.raises(AccessError, match="final"):
            answer(store, final, "R1", 0)
        with pytest.raises(AccessError, match="turn"):
            answer(store, dataclasses.replace(final, back=False), "R1", 0)
        with pytest.raises(AccessError, match="not in the study"):
            readings.next_slot(store, demo, "R9")


def test_an_unaided_answer_is_final_once_the_model_was_shown(demo, tmp_path):
    study = dataclasses.replace(demo, design="unaided_then_aided", consent="")
    with Store(tmp_path) as store:
        answer(store, study, "R1", 0)
        assert readings.may_open(store, study, "R1", 0) and not readings.may_edit(store, study, "R1", 0)
        with pytest.raises(AccessError, match="final"):
            answer(store, study, "R1", 0)
        answer(store, study, "R1", 1)
        answer(store, study, "R1", 1, rating=1)


def test_the_washout_is_kept(demo, tmp_path):
    study = dataclasses.replace(demo, washout_days=28, consent="", repeats=0)
    with Store(tmp_path) as store:
        for index in range(8):
            saved = answer(store, study, "R1", index)
        waiting = readings.next_slot(store, study, "R1")
        assert waiting == Waiting(saved.time + datetime.timedelta(days=28))
        assert readings.next_slot(store, study, "R1", waiting.until).period == 2
        for index in (3, 8):  # neither back nor ahead
            with pytest.raises(AccessError, match="turn"):
                answer(store, study, "R1", index)


@pytest.mark.parametrize(
    "answers, regions, message",
    [
        ({}, [], "Please answer: Is the finding there?"),
        ({"sure": 6}, [], "not on the scale"),
        ({"sure": True}, [], "not on the scale"),
        ({"sure": "4"}, [], "not on the scale"),
        ({"sure": 4, "remark": 3}, [], "not on the scale"),
        ({"sure": 4, "other": 1}, [], "no question 'other'"),
    ],
)
def test_answers_are_held_against_the_questions(demo, answers, regions, message):
    with pytest.raises(SettingsError, match=message):
        readings.check_answers(demo, answers, regions)


def test_required_regions_and_choices(demo):
    questions = (Question("side", "Side?", "choice", ("left", "right")), Question("w", "Where?", "regions"))
    study = dataclasses.replace(demo, questions=questions)
    readings.check_answers(study, {"side": "left"}, [{"box": [0, 0, 1, 1]}])
    with pytest.raises(SettingsError, match="Where"):
        readings.check_answers(study, {"side": "left"}, [])
    with pytest.raises(SettingsError, match="Side"):
        readings.check_answers(study, {"side": "up"}, [{"box": [0, 0, 1, 1]}])


def test_who_is_who(demo):
    other = dataclasses.replace(demo, id="other", readers={"R1": "else"}, coordinator="")
    studies = [demo, other]
    assert sign_in("demo-2", studies) == Visitor("reader", "demo", "R2")
    assert sign_in(" demo-coordinator ", studies) == Visitor("coordinator", "demo")
    assert sign_in("all", studies, "all") == Visitor("coordinator")
    for code in ("", "demo", "R1", "ü", None):
        with pytest.raises(AccessError):
            sign_in(code, studies)


def test_who_sees_what(demo):
    anonymous, reader = Visitor(), Visitor("reader", "demo", "R1")
    coordinator, everything = Visitor("coordinator", "demo"), Visitor("coordinator")
    reads = [(v.role, s, r) for v in (anonymous, reader, coordinator) for s in ("demo", "other")
             for r in ("R1", "R2") if may_read(v, s, r)]  # fmt: skip
    assert reads == [("reader", "demo", "R1")]
    for study in ("demo", "other", None):
        assert not may_see_results(anonymous, study) and not may_see_results(reader, study)
        assert may_see_results(everything, study)
        assert may_see_results(coordinator, study) == (study == "demo")
    with pytest.raises(AccessError):
        require(may_see_results(reader, "demo"))


def test_a_reader_s_page_is_told_nothing_that_unblinds(demo):
    slot = Slot(3, 1, demo.cases[0], "unaided", 1)
    shown = show_slot(demo, slot, 20)
    assert set(shown) == {"index", "total", "arm", "description", "questions", "back", "edit"}
    assert "c01" not in str(shown) and "truth" not in str(shown) and "chest_film" not in str(shown)
    assert not may_see_model(slot) and may_see_model(dataclasses.replace(slot, arm="aided"))


def test_the_version_stands_for_what_readers_meet(demo):
    assert demo.version == read_study(DEMO).version
    assert dataclasses.replace(demo, readers={name: name for name in demo.readers}).version == demo.version
    assert dataclasses.replace(demo, consent="Else.").version != demo.version
    assert tomllib.loads(DEMO.read_text())["seed"] == demo.seed
