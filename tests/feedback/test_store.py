import contextlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from afloc.errors import StoreError
from afloc.feedback import store as store_module
from afloc.feedback.events import COLUMNS, NAMES, Event
from afloc.feedback.recovery import StoreInUseError
from afloc.feedback.store import Store

SCRIPT = """
import sys
from afloc.errors import StoreError
from afloc.feedback.events import Event
from afloc.feedback.store import Store
"""


def run_script(code: str, *arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", SCRIPT + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def full_event(**changes) -> Event:
    event = Event(
        "feedback",
        session="s",
        image_digest="a" * 64,
        image_width=640,
        image_height=480,
        modality="chest_xray",
        description="left pleural effusion",
        model="afloc-mini 1",
        model_fingerprint="0123456789ab",
        protocol="native",
        threshold=0.5,
        display={"window": [10, 200], "invert": False},
        score=0.81,
        probability=0.9,
        present=True,
        model_regions=[{"box": [1, 2, 3, 4.5], "score": 0.9}],
        answers={"agreement": "partly", "confidence": 4},
        comment="Größer als gezeichnet; '); DROP TABLE events; --\n\ud83e",
        regions=[{"outline": [[0, 0], [10, 0], [5, 8.25]]}],
        visible_ms=1234,
    )
    return replace(event, **changes)


def test_what_is_recorded_is_read_back(place):
    with Store(place) as store:
        event = full_event()
        saved = store.record(event)
        [row] = store.rows("SELECT * FROM events")
    with Store(place) as store:
        assert store.rows("SELECT * FROM events") == [row]
        assert store.notices == []
    assert list(row) == list(NAMES)
    assert row == {"seq": 1} | {name: getattr(event, name) for name in NAMES if name != "seq"}
    assert saved.id == row["id"] and saved.seq == 1
    assert row["comment"].startswith("Größer als gezeichnet; '); DROP TABLE events; --\n")


def test_a_row_sent_twice_is_kept_once(place):
    with Store(place) as store:
        event = full_event()
        assert store.record(event) == store.record(event)
        assert store.record_all([event, event])[1].seq == 1
        assert len(store.rows("SELECT * FROM events")) == 1


def test_a_correction_and_a_withdrawal_are_rows_of_their_own(place):
    with Store(place) as store:
        first = store.record(full_event())
        corrected = store.record(full_event(id=_new_id(), answers={"agreement": "yes"}, replaces=first.id))
        assert [row["id"] for row in store.rows("SELECT * FROM answers")] == [corrected.id]
        at_once = store.record(full_event(id=_new_id(), replaces=first.id))  # from another page
        assert [row["id"] for row in store.rows("SELECT * FROM answers")] == [at_once.id]
        store.record(Event("withdrawal", replaces=at_once.id))
        assert store.rows("SELECT * FROM answers") == []
        assert len(store.rows("SELECT * FROM events")) == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "opinion"},
        {"comment": "x" * 20_001},
        {"comment": 7},
        {"visible_ms": -1},
        {"image_width": 2**40},
        {"replaces": "no id"},
        {"answers": {"a": float("nan")}},
        {"answers": {"a": object()}},
        {"regions": [{"box": [0, 0, 0, 5]}]},
        {"regions": [{"outline": [[0, 0], [1, 1]]}]},
        {"regions": "box"},
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(fields):
    with pytest.raises(StoreError, match=r"^[^.]+\.$"):
        Event(**{"kind": "feedback"} | fields)


def test_every_column_has_a_meaning():
    assert all(column.meaning.endswith(".") for column in COLUMNS)
    assert {column.name for column in COLUMNS} == {"seq", *vars(full_event())}


def test_many_threads_write_and_read_at_once(place):
    failures = []

    def use(store, reader):
        try:
            for number in range(20):
                store.record(Event("feedback", reader=reader, visible_ms=number))
                mine = store.rows("SELECT visible_ms FROM answers WHERE reader = ? ORDER BY seq", [reader])
                assert [row["visible_ms"] for row in mine] == list(range(number + 1))
        except Exception as error:
            failures.append(error)

    with Store(place) as store:
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


def test_a_second_process_is_refused_in_one_sentence(tmp_path):
    with Store(tmp_path) as store:
        store.record(full_event())
        code = "try: Store(sys.argv[1])\nexcept StoreError as error: print(type(error).__name__, error)"
        result = run_script(code, tmp_path)
        assert result.stdout.startswith(StoreInUseError.__name__) and result.stderr == ""
        assert result.stdout.count("\n") == 1 and "AFLOC_DATA_DIR" in result.stdout
        store.record(full_event(id=_new_id()))
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


def test_migration_keeps_the_rows(tmp_path, monkeypatch):
    with Store(tmp_path) as store:
        store.record(full_event())
    later = (*store_module.MIGRATIONS, ("ALTER TABLE studies ADD COLUMN place VARCHAR",))
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "MIGRATIONS", later)
        with Store(tmp_path) as store:
            assert len(store.rows("SELECT * FROM events")) == 1
            assert store.rows("SELECT value FROM store WHERE key = 'schema'") == [{"value": str(len(later))}]
            assert store.rows("SELECT place FROM studies") == []
    with pytest.raises(StoreError, match="newer AFLoc"):
        Store(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a database " * 4000])
def test_a_damaged_database_is_set_aside(tmp_path, content):
    (tmp_path / "feedback.duckdb").write_bytes(content)
    with Store(tmp_path) as store:
        store.record(full_event())
        [notice] = store.notices
    [aside] = tmp_path.glob("*.damaged-*")
    assert aside.read_bytes() == content and aside.name in notice
    with Store(tmp_path) as store:
        assert store.notices == [notice] and len(store.rows("SELECT * FROM events")) == 1


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


@pytest.fixture(scope="module")
def killed_folder(tmp_path_factory) -> tuple[Path, list[dict]]:
    """A folder as a killed process leaves it, with rows in the file and 60 more in the log; and its rows."""
    folder = tmp_path_factory.mktemp("killed")
    code = """
import os
store = Store(sys.argv[1])
for number in range(10): store.record(Event("feedback", visible_ms=number))
store.close()
store = Store(sys.argv[1])
for number in range(10, 70): store.record(Event("feedback", visible_ms=number, comment="x" * 100))
os._exit(0)
"""
    assert run_script(code, folder).stderr == ""
    assert (folder / "feedback.duckdb.wal").stat().st_size > 10_000
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    with Store(copy) as store:
        rows = store.rows("SELECT * FROM events ORDER BY seq")
    assert len(rows) == 70
    return folder, rows


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_log_never_stops_the_start(tmp_path, killed_folder, long, damage):
    folder, rows = killed_folder
    log = (folder / "feedback.duckdb.wal").read_bytes()
    chance, recovered = random.Random(damage), 0
    for number in range(200 if long else 20):
        broken = bytearray(log)
        if damage == "cut":
            broken = broken[: chance.randrange(len(log))]
        else:
            for _ in range(chance.choice((1, 1, 3, 20))):
                broken[chance.randrange(len(log))] ^= 1 << chance.randrange(8)
        place = tmp_path / str(number)
        shutil.copytree(folder, place)
        (place / "feedback.duckdb.wal").write_bytes(broken)
        with Store(place) as store:
            found = store.rows("SELECT * FROM events ORDER BY seq")
            notices = store.notices
            saved = store.record(full_event(id=_new_id()))
            assert saved.seq == len(found) + 1
        assert found == rows[: len(found)] and len(found) >= 10
        recovered += len(found) - 10
        if len(found) < 70:
            assert f"{70 - len(found)} rows that had been saved could not be read." in notices[-1]
            kept = [path for path in place.glob("feedback.duckdb.wal.damaged-*")]
            assert [path.read_bytes() for path in kept] == [bytes(broken)] and kept[0].name in notices[0]
        with Store(place) as store:
            assert store.notices == notices and len(store.rows("SELECT id FROM events")) == len(found) + 1
        shutil.rmtree(place)
    print(f"{damage}: {recovered / (number + 1):.1f} of 60 rows of the log recovered on average")
    assert recovered > 0


def test_an_unexpected_error_reaches_the_caller_and_the_writer_lives(place, monkeypatch):
    with Store(place) as store:
        with monkeypatch.context() as patch:
            patch.setattr(Event, "row", lambda self, seq: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                store.record(full_event())
        store.record(full_event())


def _try_to_record(store: Store, kept: list[str]) -> None:
    with contextlib.suppress(StoreError):
        kept.append(store.record(full_event(id=_new_id())).id)


def _new_id() -> str:
    return Event("feedback").id
