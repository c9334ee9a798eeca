import contextlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from afloc.errors import StoreError
from afloc.feedback.store import local_log, recovery, schema, writer
from afloc.feedback.store.events import COLUMNS, NAMES, Event
from afloc.feedback.store.local_log import LocalLog
from afloc.feedback.store.recovery import StoreInUseError
from afloc.feedback.store.store import Store

SCRIPT = """
import sys
from afloc.errors import StoreError
from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Store
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
        {"regions": [{}]},
        {"regions": [{"box": [0, 0, 1, 1], "outline": 5}]},
        {"regions": [{"outline": [[0, 0], [1, 0], [0, 1]], "box": None}]},
        {"regions": [{"box": [0, 0, 1e308, 1]}]},
        {"regions": [{"box": [0, 0, 10**400, 1]}]},
        {"regions": [{"outline": [[0, 0], [-1e308, 0], [0, 1]]}]},
        {"regions": [{"outline": [[0, 0], [float("nan"), 0], [0, 1]]}]},
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(fields):
    with pytest.raises(StoreError, match=r"^[^.]+\.$"):
        Event(**{"kind": "feedback"} | fields)


def test_of_a_region_the_box_or_the_outline_is_kept():
    box, outline = {"box": [0.5, -3, 1_000_000, 1]}, {"outline": [[0, 0], [10, 0], [5, 8.25]]}
    event = Event("feedback", regions=[box | {"label": "x"}, outline | {"id": 7}])
    assert event.regions == [box, outline]


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_row_without_an_id_gets_one(location, nothing):
    with Store(location) as store:
        saved = [store.record(Event("feedback", id=nothing)) for _ in range(2)]
        assert [row["id"] for row in store.rows("SELECT id FROM events ORDER BY seq")] == [
            each.id for each in saved
        ]
        assert len({each.id for each in saved}) == 2 and store.check() is None


def test_a_value_that_does_not_fit_harms_nothing_else(tmp_path, monkeypatch):
    with Store(tmp_path) as store:
        first, connection = store.record(full_event()), store._log.connection()
        bad = full_event(id=_new_id())
        object.__setattr__(bad, "visible_ms", 2**70)
        for events in ([bad], [full_event(id=_new_id()), bad]):
            with pytest.raises(StoreError, match=r"^Not saved: a value does not fit\.$"):
                store.record_all(events)
        assert store.problem is None and store.check() is None
        assert store.record(full_event(id=_new_id())).seq == first.seq + 1
        assert store._log.connection() is connection  # the file was not opened again


def test_every_column_has_a_meaning():
    assert all(column.meaning.endswith(".") for column in COLUMNS)
    assert {column.name for column in COLUMNS} == {"seq", *vars(full_event())}


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
        event = full_event(id=_new_id())
        with monkeypatch.context() as patch:
            patch.setattr(writer, "Future", Waited)
            with pytest.raises(StoreError, match=sentence):
                store.record(event)
        go_on.set()
        if not begun:
            other.join()
        last = store.record(full_event(id=_new_id()))
        kept = [row["id"] for row in store.rows("SELECT id FROM events ORDER BY seq")]
        assert len(kept) == 2 and kept[1] == last.id and (event.id in kept) == begun


def test_migration_keeps_the_rows(tmp_path, monkeypatch):
    with Store(tmp_path) as store:
        store.record(full_event())
    later = (*schema.MIGRATIONS, ("ALTER TABLE studies ADD COLUMN place VARCHAR",))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", later)
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


PASSING = [
    duckdb.IOException('IO Error: Cannot open file "{}": Too many open files'),
    duckdb.IOException('IO Error: Could not read from file "{}": Input/output error'),
    duckdb.IOException(
        'IO Error: Failure while replaying WAL file "{0}.wal": '
        'Could not read from file "{0}.wal": Input/output error'
    ),
    duckdb.OutOfMemoryException("Out of Memory Error: Allocation failure"),
    duckdb.InternalException("INTERNAL Error: Attempted to dereference unique_ptr that is NULL!"),
    duckdb.Error("what nobody has seen before"),
]


@pytest.mark.parametrize("stage", ["opening", "reading"])
@pytest.mark.parametrize("error", PASSING, ids=lambda error: str(error)[:20])
def test_an_error_that_passes_sets_nothing_aside(tmp_path, monkeypatch, killed_folder, error, stage):
    folder, rows = killed_folder
    location = tmp_path / "Corrupt file"  # the name of the folder stands in the error
    shutil.copytree(folder, location)
    before = {path.name: path.read_bytes() for path in location.iterdir()}

    def fail(*_):
        raise type(error)(str(error).format(location / "feedback.duckdb"))

    with monkeypatch.context() as patch:
        patch.setattr(*((recovery.duckdb, "connect") if stage == "opening" else (local_log, "prepare")), fail)
        store = Store(location)
        with pytest.raises(StoreError, match=r"^Not saved: the data folder cannot be used[^.]*\.$"):
            store.record(full_event())
        assert not list(location.glob("*.damaged-*"))
        if stage == "opening":
            assert {path.name: path.read_bytes() for path in location.iterdir()} == before
    assert store.record(full_event()).seq == len(rows) + 1
    assert store.rows("SELECT * FROM events ORDER BY seq")[:-1] == rows
    assert store.problem is None and store.notices == []
    store.close()


def test_what_is_set_aside_is_told_even_where_the_next_step_fails(tmp_path, monkeypatch, killed_folder):
    folder, rows = killed_folder
    shutil.copytree(folder, tmp_path / "data")
    log = tmp_path / "data" / "feedback.duckdb.wal"
    content = log.read_bytes()
    log.write_bytes(content[:30_000] + bytes(each ^ 255 for each in content[30_000:]))
    connect, attempts = duckdb.connect, []

    def fail_second(*arguments):
        attempts.append(arguments)
        if len(attempts) == 2:
            raise duckdb.OutOfMemoryException("Out of Memory Error: Allocation failure")
        return connect(*arguments)

    monkeypatch.setattr(recovery.duckdb, "connect", fail_second)
    with Store(tmp_path / "data") as store:
        assert store.problem == "The data folder cannot be used: Out of Memory."
        store.record(full_event())
        assert "was damaged and set aside" in store.notices[0]
        found = store.rows("SELECT * FROM events ORDER BY seq")[:-1]
        assert 10 < len(found) < 70 and found == rows[: len(found)]


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
        location = tmp_path / str(number)
        shutil.copytree(folder, location)
        (location / "feedback.duckdb.wal").write_bytes(broken)
        with Store(location) as store:
            found = store.rows("SELECT * FROM events ORDER BY seq")
            notices = store.notices
            saved = store.record(full_event(id=_new_id()))
            assert saved.seq == len(found) + 1
        assert found == rows[: len(found)] and len(found) >= 10
        recovered += len(found) - 10
        if len(found) < 70:
            assert f"{70 - len(found)} rows that had been saved could not be read." in notices[-1]
            kept = [path for path in location.glob("feedback.duckdb.wal.damaged-*")]
            assert [path.read_bytes() for path in kept] == [bytes(broken)] and kept[0].name in notices[0]
        with Store(location) as store:
            assert store.notices == notices and len(store.rows("SELECT id FROM events")) == len(found) + 1
        shutil.rmtree(location)
    print(f"{damage}: {recovered / (number + 1):.1f} of 60 rows of the log recovered on average")
    assert recovered > 0


@pytest.mark.parametrize("part", ["database", "head of the log", "cut database", "foreign log"])
def test_damage_anywhere_never_stops_the_saving(tmp_path, killed_folder, long, part):
    """Whatever DuckDB says of it: the damaged file is set aside, the rest is read and new rows are saved."""
    folder, rows = killed_folder
    name = "feedback.duckdb" if "database" in part else "feedback.duckdb.wal"
    content, chance = (folder / name).read_bytes(), random.Random(part)
    for number in range(200 if long else 12):
        broken = bytearray(content)
        if part == "cut database":
            broken = broken[: chance.randrange(len(broken))]
        elif part == "foreign log":
            broken[: chance.randrange(100)] = chance.randbytes(chance.randrange(100))
        else:
            end = len(broken) if part == "database" else 110
            for _ in range(chance.choice((1, 1, 3, 20))):
                broken[chance.randrange(end)] ^= 1 << chance.randrange(8)
        location = tmp_path / str(number)
        shutil.copytree(folder, location)
        (location / name).write_bytes(broken)
        with Store(location) as store:
            assert store.problem is None
            found = store.rows("SELECT * FROM events ORDER BY seq")
            assert found == rows[: len(found)]
            if len(found) < 70:
                kept = [path.read_bytes() for path in location.glob(f"{name}.damaged-*")]
                assert store.notices and ("database" in part or kept == [bytes(broken)])
            assert store.record(full_event(id=_new_id())).seq == len(found) + 1
        shutil.rmtree(location)


def test_an_unexpected_error_reaches_the_caller_and_the_writer_lives(location, monkeypatch):
    with Store(location) as store:
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
