import contextlib
import threading
from concurrent.futures import Future

import pytest

from afloc.errors import StoreError
from afloc.feedback.store import writer
from afloc.feedback.store.events import Event
from afloc.feedback.store.local_log import LocalLog
from afloc.feedback.store.store import Store
from tests.feedback.store.rows import full_event, new_id


def test_a_value_that_does_not_fit_harms_nothing_else(tmp_path, monkeypatch):
    with Store(tmp_path) as store:
        first, connection = store.record(full_event()), store._log.connection()
        bad = full_event(id=new_id())
        object.__setattr__(bad, "visible_ms", 2**70)
        for events in ([bad], [full_event(id=new_id()), bad]):
            with pytest.raises(StoreError, match=r"^Not saved: a value does not fit\.$"):
                store.record_all(events)
        assert store.problem is None and store.check() is None
        assert store.record(full_event(id=new_id())).seq == first.seq + 1
        assert store._log.connection() is connection  # the file was not opened again


def test_many_threads_write_and_read_at_once(location):
    failures = []

    def use(store, reader):
        try:
            for number in range(20):
                store.record(Event("feedback", reader=reader, visible_ms=number))
                mine = store.rows("SELECT visible_ms FROM answers WHERE reader = ? ORDER BY seq", [reader])
                assert [row["visible_ms"] for row in mine] == list(range(number + 1))
        except Exception as error:
            failures.append(error)

    with Store(location) as store:
        threads = [threading.Thread(target=use, args=(store, f"R{number}")) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sequence = [row["seq"] for row in store.rows("SELECT seq FROM events ORDER BY seq")]
    assert not failures and sequence == list(range(1, 161))


def test_closing_saves_what_is_queued(tmp_path):
    store = Store(tmp_path)
    kept: list[str] = []
    threads = [threading.Thread(target=_try_to_record, args=(store, kept)) for _ in range(16)]
    for thread in threads:
        thread.start()
    store.close()
    for thread in threads:
        thread.join()
    assert not (tmp_path / "feedback.duckdb.wal").exists()
    with Store(tmp_path) as store:
        assert {row["id"] for row in store.rows("SELECT id FROM events")} == set(kept)
    with pytest.raises(StoreError, match="closed"):
        store.record(full_event())


@pytest.mark.parametrize("begun", [False, True])
def test_who_waits_too_long_is_told_what_became_of_the_row(tmp_path, monkeypatch, begun):
    """A slow disk: the writer stands still with another row, or with this one, when the wait is over."""
    writing, go_on = threading.Event(), threading.Event()
    sentence = "^Not saved for certain: " if begun else "^Not saved in time: "

    class Waited(Future):
        def result(self, timeout=None):
            assert not begun or writing.wait(60)
            raise TimeoutError

    commit = LocalLog.commit

    def commit_late(log, batch):
        writing.set()
        assert go_on.wait(60)
        return commit(log, batch)

    with Store(tmp_path) as store:
        monkeypatch.setattr(LocalLog, "commit", commit_late)
        other = threading.Thread(target=store.record, args=(full_event(),))
        if not begun:
            other.start()
            assert writing.wait(60)
        event = full_event(id=new_id())
        with monkeypatch.context() as patch:
            patch.setattr(writer, "Future", Waited)
            with pytest.raises(StoreError, match=sentence):
                store.record(event)
        go_on.set()
        if not begun:
            other.join()
        last = store.record(full_event(id=new_id()))
        kept = [row["id"] for row in store.rows("SELECT id FROM events ORDER BY seq")]
        assert len(kept) == 2 and kept[1] == last.id and (event.id in kept) == begun


def test_an_unexpected_error_reaches_the_caller_and_the_writer_lives(location, monkeypatch):
    with Store(location) as store:
        with monkeypatch.context() as patch:
            patch.setattr(Event, "row", lambda self, seq: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                store.record(full_event())
        store.record(full_event())


def _try_to_record(store: Store, kept: list[str]) -> None:
    with contextlib.suppress(StoreError):
        kept.append(store.record(full_event(id=new_id())).id)
