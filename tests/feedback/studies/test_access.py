import dataclasses
import re
import threading

import pytest

from afloc.errors import AccessError
from afloc.feedback.studies.access import (
    Visitor,
    describe_study,
    keep_code,
    make_code,
    may_read,
    may_see_model,
    may_see_results,
    may_see_truth,
    require,
    require_open,
    show_slot,
    show_truth,
    sign_in,
)
from afloc.feedback.studies.schedule import Slot, schedule


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
    assert set(shown) == {"index", "total", "arm", "description", "questions", "back", "edit"} | {
        "training",
        "number",
        "of",
    }
    assert "c01" not in str(shown) and "truth" not in str(shown) and "chest_film" not in str(shown)
    assert not may_see_model(slot) and may_see_model(dataclasses.replace(slot, arm="aided"))


def test_the_truth_is_shown_of_training_cases_alone_and_after_the_last_answer(demo):
    case = dataclasses.replace(demo.cases[0], id="t1", explanation="See the left angle.")
    study = dataclasses.replace(demo, training=(case,), training_feedback=True)
    first, second, third = schedule(study, "R1")[:3]
    assert [may_see_truth(study, slot) for slot in (first, second, third)] == [False, True, False]
    assert show_truth(second) == {
        "truth": True,
        "regions": [{"box": [733.0, 533.0, 187.0, 328.0]}],
        "explanation": "See the left angle.",
    }
    silent = dataclasses.replace(study, training_feedback=False)
    assert not any(may_see_truth(silent, slot) for slot in schedule(silent, "R1"))
    shown = [show_slot(study, slot, 22) for slot in (first, second, third)]
    counted = [(each["training"], each["number"], each["of"]) for each in shown]
    assert counted == [(True, 1, 2), (True, 2, 2), (False, 1, 20)]
    assert describe_study(study, "R1")["training"] == 2 and describe_study(study, "R1")["cases"] == 20


def test_codes_cannot_be_guessed_and_can_be_typed():
    codes = {make_code() for _ in range(200)}
    assert len(codes) == 200 and all(
        re.fullmatch(r"[A-HJ-NP-Z2-9]{4}(-[A-HJ-NP-Z2-9]{4}){3}", code) for code in codes
    )
    assert not {"I", "L", "O", "0", "1"} & set("".join(codes))


def test_one_code_of_the_page_for_all_who_share_the_folder(tmp_path):
    made = []
    threads = [
        threading.Thread(target=lambda: made.append(keep_code(tmp_path / "studies"))) for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(made)) == 1 and len(made) == 8 and made[0]
    (tmp_path / "file").touch()
    assert keep_code(tmp_path / "file" / "studies") is None


@pytest.mark.parametrize("state", ["draft", "paused", "closed"])
def test_readers_read_an_open_study_only(demo, state):
    require_open(demo)
    with pytest.raises(AccessError, match="This study"):
        require_open(dataclasses.replace(demo, state=state))


def test_the_coordinator_of_a_draft_has_no_other_study(demo):
    visitor = sign_in("its-code", [demo], None, {"demo": "its-code"})
    assert visitor.role == "coordinator" and not may_see_results(visitor, "demo")
