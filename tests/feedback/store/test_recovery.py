import random
import shutil
from pathlib import Path

import duckdb
import pytest

from afloc.errors import StoreError
from afloc.feedback.store import local_log, recovery
from afloc.feedback.store.store import Store
from tests.feedback.store.rows import full_event, new_id, run_script


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


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_log_never_stops_the_start(tmp_path, killed_folder, long, damage):
    folder, rows = killed_folder
    log = (folder / "feedback.duckdb.wal").read_bytes()
    chance, recovered = random.Random(damage), 0
    for number in range(200 if long else 8):
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
            saved = store.record(full_event(id=new_id()))
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
    for number in range(200 if long else 5):
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
            assert store.record(full_event(id=new_id())).seq == len(found) + 1
        shutil.rmtree(location)
