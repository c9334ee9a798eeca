"""Several stores on one Postgres, as several replicas of the page have them."""

import signal
import subprocess
import sys
import threading

import pytest

from afloc.errors import SettingsError, StoreError
from afloc.feedback.analysis.data_frames import kept_studies, study_frame
from afloc.feedback.export import export, import_rows
from afloc.feedback.store.events import Event
from afloc.feedback.store.postgres_log import PostgresLog
from afloc.feedback.store.store import Store
from tests.feedback.conftest import HOSTILE

NOWHERE = "postgresql://nobody@/nowhere?host=/nowhere"


def test_what_one_saves_the_other_reads_at_once(url):
    with Store(url) as first, Store(url) as second:
        saved = first.record(Event("feedback", session="s", comment="x"))
        [row] = second.rows("SELECT * FROM answers WHERE session = ?", ["s"])
        assert row["id"] == saved.id and second.last_seq == 1
        second.record(Event("withdrawal", replaces=saved.id))
        assert first.rows("SELECT * FROM answers") == [] and first.last_seq == 2
        again = second.record(Event("feedback", id=saved.id))  # sent again, to another replica
        assert again == saved


def test_a_study_is_the_same_rows_and_frames(filled, url, tmp_path):
    """A simulated study, hostile texts included, moved from a file to the server."""
    export(filled, tmp_path / "all.parquet")
    query = "SELECT * FROM events ORDER BY seq"
    with Store(url) as store:
        import_rows(store, tmp_path / "all.parquet")
        wanted = filled.rows(query)
        assert store.rows(query) == wanted and any(row["comment"] in HOSTILE for row in wanted)
    with Store(url) as store:
        assert store.rows(query) == wanted
        study = kept_studies(store)["simulated"]
        assert study_frame(store, study).equals(study_frame(filled, study))


def test_writers_that_are_killed_lose_nothing_and_double_nothing(url, long):
    """Two processes of eight threads each, killed one after the other."""
    command = [sys.executable, "-m", "tests.feedback.writers", url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    acknowledged, lines = set(), 1000 if long else 100

    def read(process):
        assert process.stdout.readline() == b"ready\n"
        acknowledged.update(process.stdout.readline().split()[0] for _ in range(lines))
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        process.wait()

    readers = [threading.Thread(target=read, args=(process,)) for process in processes]
    for each in readers:
        each.start()
    for each in readers:
        each.join()
    with Store(url) as store:
        rows = store.rows("SELECT seq, id FROM events ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["id"].encode() for row in rows} >= acknowledged and len(acknowledged) == 2 * lines


def test_a_server_that_goes_away_is_one_sentence_and_may_come_back(url, monkeypatch):
    with Store(url) as store:
        store.record(Event("feedback"))
        with monkeypatch.context() as patch:
            patch.setattr(store._log._server, "_url", NOWHERE)
            store._log._server.close()
            with pytest.raises(StoreError, match=r"^Not saved: the database server [^.]*\.$"):
                store.record(Event("feedback"))
            with pytest.raises(StoreError, match=r"^The database server cannot be reached[^.]*\.$"):
                store.rows("SELECT 1")
        store.record(Event("feedback"))
        assert store.problem is None and len(store.rows("SELECT * FROM events")) == 2
    with Store(NOWHERE) as store:
        assert store.problem == "The database server cannot be reached or used."


def test_a_connection_that_broke_is_opened_again(url):
    import psycopg

    with Store(url) as store:
        store.record(Event("feedback"))
        with psycopg.connect(url, autocommit=True) as other:
            mine = "datname = current_database() AND pid <> pg_backend_pid()"
            other.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
        store.record(Event("feedback"))
        assert len(store.rows("SELECT * FROM events")) == 2


def test_without_the_client_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match="pip install"):
        PostgresLog("postgresql://x")
