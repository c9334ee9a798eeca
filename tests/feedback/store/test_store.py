import pytest

from afloc.feedback.store.events import NAMES, Event
from afloc.feedback.store.store import Store
from tests.feedback.store.rows import full_event, new_id


def test_what_is_recorded_is_read_back(location):
    with Store(location) as store:
        event = full_event()
        saved = store.record(event)
        [row] = store.rows("SELECT * FROM events")
    with Store(location) as store:
        assert store.rows("SELECT * FROM events") == [row]
        assert store.notices == []
    assert list(row) == list(NAMES)
    assert row == {"seq": 1} | {name: getattr(event, name) for name in NAMES if name != "seq"}
    assert saved.id == row["id"] and saved.seq == 1
    assert row["comment"].startswith("Größer als gezeichnet; '); DROP TABLE events; --\n")


def test_a_row_sent_twice_is_kept_once(location):
    with Store(location) as store:
        event = full_event()
        assert store.record(event) == store.record(event)
        assert store.record_all([event, event])[1].seq == 1
        assert len(store.rows("SELECT * FROM events")) == 1


def test_a_correction_and_a_withdrawal_are_rows_of_their_own(location):
    with Store(location) as store:
        first = store.record(full_event())
        corrected = store.record(full_event(id=new_id(), answers={"agreement": "yes"}, replaces=first.id))
        assert [row["id"] for row in store.rows("SELECT * FROM answers")] == [corrected.id]
        at_once = store.record(full_event(id=new_id(), replaces=first.id))  # from another page
        assert [row["id"] for row in store.rows("SELECT * FROM answers")] == [at_once.id]
        store.record(Event("withdrawal", replaces=at_once.id))
        assert store.rows("SELECT * FROM answers") == []
        assert len(store.rows("SELECT * FROM events")) == 4


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_row_without_an_id_gets_one(location, nothing):
    with Store(location) as store:
        saved = [store.record(Event("feedback", id=nothing)) for _ in range(2)]
        assert [row["id"] for row in store.rows("SELECT id FROM events ORDER BY seq")] == [
            each.id for each in saved
        ]
        assert len({each.id for each in saved}) == 2 and store.check() is None
