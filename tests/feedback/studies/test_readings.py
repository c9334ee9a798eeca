import dataclasses
import datetime
import uuid

import pytest

from afloc.errors import AccessError, SettingsError
from afloc.feedback.analysis.data_frames import study_frame
from afloc.feedback.store.store import Store
from afloc.feedback.studies import readings
from afloc.feedback.studies.questions import Question
from afloc.feedback.studies.readings import Waiting
from afloc.feedback.studies.schedule import schedule
from afloc.feedback.studies.study import Case
from afloc.feedback.studies.versions import read_versions


def answer(store, study, reader, index, rating=4, **fields):
    return readings.save_reading(store, study, reader, index, {study.presence: rating}, **fields)


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


def test_a_rating_for_each_region_that_is_drawn(demo, tmp_path):
    questions = (*demo.questions[:1], Question("w", "Where?", "regions", ("perhaps", "surely"), False))
    study = dataclasses.replace(demo, questions=questions)
    boxes = [{"box": [0, 0, 9, 9]}, {"box": [20, 0, 9, 9]}]
    readings.check_answers(study, {"sure": 2, "w": [2, 1]}, boxes)
    readings.check_answers(study, {"sure": 2}, [])
    for ratings, message in (
        (None, "rate each region"),
        ([2], "rate each region"),
        ([2, None], "rate each region"),
        ([2, 3], "not on the scale"),
        ([2, True], "not on the scale"),
        ("21", "rate each region"),
    ):
        with pytest.raises(SettingsError, match=message):
            readings.check_answers(study, {"sure": 2, "w": ratings}, boxes)
    with pytest.raises(SettingsError, match="no question 'place'"):  # regions of the demo have no labels
        readings.check_answers(demo, {"sure": 2, "place": [1, 2]}, boxes)
    with Store(tmp_path) as store:
        readings.give_consent(store, study, "R1")
        readings.save_draft(store, study, "R1", 0, answers={"w": [2, None]}, regions=boxes)
        assert readings.resume(store, study, "R1", 0)["answers"] == {"w": [2, None]}
        readings.save_reading(store, study, "R1", 0, {"sure": 2, "w": [2, 1]}, boxes)
        assert readings.resume(store, study, "R1", 0)["answers"]["w"] == [2, 1]


def test_required_regions_and_choices(demo):
    questions = (Question("side", "Side?", "choice", ("left", "right")), Question("w", "Where?", "regions"))
    study = dataclasses.replace(demo, questions=questions)
    readings.check_answers(study, {"side": "left"}, [{"box": [0, 0, 1, 1]}])
    with pytest.raises(SettingsError, match="Where"):
        readings.check_answers(study, {"side": "left"}, [])
    with pytest.raises(SettingsError, match="Side"):
        readings.check_answers(study, {"side": "up"}, [{"box": [0, 0, 1, 1]}])


def test_training_counts_nowhere(demo, tmp_path):
    """It is answered like any case, once; it is no reading, and no version has it."""
    practice = Case("t1", "example:retina", "optic disc", truth=True)
    study = dataclasses.replace(demo, design="aided", training=(practice,), repeats=0)
    with Store(tmp_path) as store:
        readings.give_consent(store, study, "R1")
        first = readings.next_slot(store, study, "R1")
        assert (first.period, first.case.id) == (0, "t1")
        readings.save_draft(store, study, "R1", 0, answers={"sure": 2})
        assert readings.resume(store, study, "R1", 0)["answers"] == {"sure": 2}
        name = str(uuid.uuid4())
        saved = answer(store, study, "R1", 0, id=name)
        assert answer(store, study, "R1", 0, id=name) == saved, "sent again, it is saved once"
        assert readings.next_slot(store, study, "R1").case.id != "t1"
        answer(store, study, "R1", 1)
        assert len(study_frame(store, study)) == 1
        assert [version.readings for version in read_versions(store, study.id)] == [1]
        (row,) = store.rows("SELECT kind, period FROM events WHERE case_id = 't1' AND kind <> 'draft'")
        assert row == {"kind": "training", "period": 0}
