import os
import random
import signal
import subprocess
import sys
import time

import pytest

from afloc.errors import StoreError
from afloc.feedback.store.events import Event
from afloc.feedback.store.recovery import StoreInUseError
from afloc.feedback.store.store import Store
from tests import no_locks
from tests.feedback.store.rows import SCRIPT, full_event, new_id, run_script


def test_a_second_process_is_refused_in_one_sentence(tmp_path):
    with Store(tmp_path) as store:
        store.record(full_event())
        code = "try: Store(sys.argv[1])\nexcept StoreError as error: print(type(error).__name__, error)"
        result = run_script(code, tmp_path)
        assert result.stdout.startswith(StoreInUseError.__name__) and result.stderr == ""
        assert result.stdout.count("\n") == 1 and "AFLOC_DATA_DIR" in result.stdout
        store.record(full_event(id=new_id()))
        assert len(store.rows("SELECT * FROM events")) == 2


def test_a_full_disk_is_reported_and_saving_works_again(tmp_path):
    code = """
import os, resource
store = Store(sys.argv[1])
store.record(Event("feedback"))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
size = max(os.path.getsize(os.path.join(sys.argv[1], name)) for name in os.listdir(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
saved, refused, attempts = 1, set(), 3
while len(failures := list(refused)) < 1 or attempts:
    attempts -= bool(failures)
    try:
        store.record(Event("feedback", comment="x" * 5000))
        saved += 1
    except StoreError as error:
        refused.add(str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
store.record(Event("feedback"))
print(saved + 1, store.rows("SELECT count(*) AS n FROM events")[0]["n"], refused)
store.close()
with Store(sys.argv[1]) as store: print(store.rows("SELECT count(*) AS n FROM events")[0]["n"])
"""
    result = run_script(code, tmp_path)
    assert result.stderr == ""
    counts, reopened = result.stdout.splitlines()
    saved, present, refused = counts.split(maxsplit=2)
    assert saved == present == reopened and int(saved) > 5
    assert refused.startswith("{'Not saved: ") and refused.endswith(".'}")


def test_a_folder_that_cannot_be_used_now_may_be_usable_later(tmp_path):
    folder = tmp_path / "data"
    folder.write_text("in the way")
    with Store(folder) as store:
        for _ in range(2):
            with pytest.raises(StoreError, match=r"^Not saved: the data folder cannot be used[^.]*\.$"):
                store.record(full_event())
        with pytest.raises(StoreError, match=r"^The data folder"):
            store.rows("SELECT 1")
        folder.unlink()
        store.record(full_event())
        assert store.problem is None and len(store.rows("SELECT * FROM events")) == 1


def test_a_folder_repaired_can_be_read_at_once(tmp_path, monkeypatch):
    with Store(tmp_path / "data") as store:
        store.record(full_event())
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    (tmp_path / "data").write_text("in the way")
    with Store(tmp_path / "data") as store:
        with pytest.raises(StoreError, match=r"^The data folder cannot be used"):
            store.rows("SELECT * FROM events")
        (tmp_path / "data").unlink()
        (tmp_path / "elsewhere").rename(tmp_path / "data")
        with pytest.raises(StoreError, match=r"^The data folder cannot be used"):  # not tried at every read
            store.rows("SELECT * FROM events")
        monkeypatch.setattr(store, "_checked_until", 0)
        assert len(store.rows("SELECT * FROM events")) == 1 and store.problem is None
    with pytest.raises(StoreError, match=r"^The store is closed\.$"):
        store.rows("SELECT * FROM events")


def test_kills_lose_nothing_that_was_acknowledged(tmp_path, long):
    acknowledged: set[str] = set()
    chance, slowest = random.Random(1), 0.0
    for _ in range(100 if long else 5):
        command = [sys.executable, "-m", "tests.feedback.writers", str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        lines = [process.stdout.readline() for _ in range(chance.randrange(1, 150))]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        whole = b"".join(lines) + rest[: rest.rfind(b"\n") + 1]
        acknowledged |= {line.split()[0] for line in whole.decode().splitlines()}
        start = time.perf_counter()
        with Store(tmp_path) as store:
            slowest = max(slowest, time.perf_counter() - start)
            rows = store.rows("SELECT seq, id, reader, comment, visible_ms FROM events ORDER BY seq")
            assert store.notices == []
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
        assert {row["id"] for row in rows} >= acknowledged
        assert all(row["comment"] == f"{row['reader']} {row['visible_ms']} " + "x" * 200 for row in rows)
    print(f"{len(acknowledged)} acknowledged rows, slowest opening {slowest:.2f} s")


def test_rows_are_saved_where_the_system_has_no_pwrite(tmp_path, monkeypatch):
    """As on Windows: there the count of what was acknowledged is kept, too."""
    monkeypatch.delattr(os, "pwrite", raising=False)
    with Store(tmp_path) as store:
        for description in ("effusion", "cardiomegaly"):
            store.record(Event("feedback", description=description))
        assert store.rows("SELECT count(*) n FROM events")[0]["n"] == 2
    (kept,) = tmp_path.glob("*.saved")
    assert kept.read_bytes().split()[1:] == [b"2"] and kept.read_bytes().count(b"\n") == 1


def test_a_file_system_without_locks_is_named_as_such(tmp_path):
    code = (
        "try:\n    Store(sys.argv[1])\nexcept StoreError as error:\n    print(type(error).__name__, error)\n"
    )
    command = [sys.executable, "-c", SCRIPT + code, tmp_path / "data"]
    done = subprocess.run(command, env=no_locks.environment(tmp_path), capture_output=True, text=True)
    assert done.stdout.startswith("StoreError The file system of the data folder keeps no locks: choose")
