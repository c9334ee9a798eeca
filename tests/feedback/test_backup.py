"""The copy never holds less than it held, whoever else writes to its target and whenever that comes."""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest

from afloc.feedback.backup import COPY_NAME, Backup, Folder
from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Store
from tests.hub import running_hub

ROOT = Path(__file__).parents[2]


@pytest.fixture
def open_backup(tmp_path):
    """Open a store of its own and its backup to a target; both are closed at the end."""
    opened = []

    def open_backup(target):
        store = Store(tmp_path / f"data-{len(opened)}")
        opened.append((Backup(store, target, minutes=60), store))
        return opened[-1]

    yield open_backup
    for backup, store in opened:
        backup.close()
        store.close()


def add(store, count) -> set[str]:
    return {saved.id for saved in store.record_all([Event("feedback", visible_ms=n) for n in range(count)])}


def ids_in(store) -> set[str]:
    return {row["id"] for row in store.rows("SELECT id FROM events")}


def copied(folder) -> set[str]:
    with duckdb.connect() as connection:
        query = "SELECT id::VARCHAR FROM read_parquet(?)"
        return {name for (name,) in connection.execute(query, [str(folder / COPY_NAME)]).fetchall()}


@pytest.fixture
def filled_bucket(tmp_path):
    """A folder with the copy of 50 rows, and their ids."""
    with Store(tmp_path / "earlier") as store:
        ids = add(store, 50)
        Backup(store, tmp_path / "filled", minutes=60).close()
    return tmp_path / "filled", ids


@pytest.mark.parametrize("before", ["no folder", "an empty folder", "a copy of its own"])
def test_a_mount_that_comes_after_the_start(tmp_path, filled_bucket, open_backup, before):
    filled, ids = filled_bucket
    mount = tmp_path / "mount"
    if before == "an empty folder":
        mount.mkdir()
    backup, store = open_backup(mount)
    if before == "a copy of its own":
        ids |= add(store, 2)
        assert backup.copy()
    shutil.rmtree(mount, ignore_errors=True)
    filled.rename(mount)
    ids |= add(store, 3)
    assert backup.copy() and backup.problem is None
    assert copied(mount) == ids_in(store) == ids


def test_where_there_is_nothing_to_mount_on_no_folder_is_made(tmp_path, filled_bucket, open_backup):
    filled, ids = filled_bucket
    mount = tmp_path / "volumes" / "bucket"
    backup, store = open_backup(mount)
    ids |= add(store, 3)
    assert not backup.copy() and not mount.parent.exists()
    assert backup.problem.startswith("The copy of the feedback could not be read: ")
    mount.parent.mkdir()
    filled.rename(mount)
    assert backup.copy() and copied(mount) == ids


def test_a_mount_that_goes_and_comes_back(tmp_path, filled_bucket, open_backup):
    mount, ids = filled_bucket
    backup, store = open_backup(mount)
    mount.rename(tmp_path / "away")
    mount.mkdir()
    ids |= add(store, 3)
    assert not backup.copy() and backup.problem.startswith("The copy of the feedback could not be read: ")
    assert not list(mount.iterdir())
    mount.rmdir()
    (tmp_path / "away").rename(mount)
    assert backup.copy() and backup.problem is None and copied(mount) == ids


def test_two_pages_with_one_folder(tmp_path, open_backup):
    (first, one), (second, two) = (open_backup(tmp_path / "bucket") for _ in range(2))
    ids = add(one, 20)
    assert first.copy()
    ids |= add(two, 20)
    assert second.copy() and copied(tmp_path / "bucket") == ids
    ids |= add(one, 1)
    assert first.copy() and second.copy()
    assert copied(tmp_path / "bucket") == ids_in(one) == ids_in(two) == ids
    settled = (tmp_path / "bucket" / COPY_NAME).stat()
    assert first.copy() and second.copy()  # they do not write in turn for ever
    assert (tmp_path / "bucket" / COPY_NAME).stat() == settled
    assert not list((tmp_path / "bucket").glob("new.*"))


def test_another_page_writes_between_reading_and_writing(tmp_path, open_backup, monkeypatch):
    (first, one), (second, two) = (open_backup(tmp_path / "bucket") for _ in range(2))
    ids = add(one, 5) | add(two, 7)
    put = Folder.put

    def put_later(self, store, over):
        monkeypatch.setattr(Folder, "put", put)
        assert second.copy()
        return put(self, store, over)

    monkeypatch.setattr(Folder, "put", put_later)
    assert first.copy() and copied(tmp_path / "bucket") == ids


@pytest.mark.parametrize("kept", [0, 4, 2000, -1], ids=["nothing", "its start", "half", "all but a byte"])
def test_a_half_written_copy_is_not_overwritten(tmp_path, filled_bucket, open_backup, kept):
    filled, ids = filled_bucket
    backup, store = open_backup(filled)
    copy = filled / COPY_NAME
    whole = copy.read_bytes()
    copy.write_bytes(whole[:kept])
    ids |= add(store, 3)
    assert not backup.copy() and copy.read_bytes() == whole[:kept]
    assert backup.problem.startswith("The copy of the feedback could not be read: it is damaged")
    copy.write_bytes(whole)
    assert backup.copy() and copied(filled) == ids


def test_a_copy_of_a_newer_version_is_not_overwritten(filled_bucket, open_backup):
    filled, _ = filled_bucket
    copy = filled / COPY_NAME
    query = f"SELECT *, 'x' AS newer FROM '{copy}'"
    duckdb.sql(f"COPY ({query}) TO '{filled / 'n.parquet'}'")
    (filled / "n.parquet").replace(copy)
    before = copy.read_bytes()
    backup, store = open_backup(filled)
    add(store, 3)
    assert not backup.copy() and copy.read_bytes() == before and store.last_seq == 3
    assert backup.problem == (
        "The copy of the feedback could not be read: it was written by a newer AFLoc: update this one."
    )


def test_rows_lost_from_the_middle_are_taken_back_first(tmp_path, filled_bucket, open_backup):
    """As after a damaged file of which the first and last rows could be read."""
    filled, ids = filled_bucket
    backup, store = open_backup(filled)
    with store._log.connection().cursor() as cursor:
        cursor.execute("DELETE FROM events WHERE seq BETWEEN 10 AND 30")
    ids |= add(store, 1)
    assert backup.copy() and copied(filled) == ids


TWO_PAGES = """
    import sys
    from pathlib import Path
    from afloc.feedback.backup import Backup
    from afloc.feedback.store.events import Event
    from afloc.feedback.store.store import Store

    with Store(Path(sys.argv[1]) / "a") as one, Store(Path(sys.argv[1]) / "b") as two:
        first, second = (Backup(store, "hf:owner/feedback", 60) for store in (one, two))
        one.record_all([Event("feedback") for _ in range(5)])
        print(first.copy(), first.problem)
        two.record_all([Event("feedback") for _ in range(7)])
        print(second.copy(), second.problem)
        one.record(Event("feedback"))
        print(first.copy(), first.problem, one.last_seq)
        second.close()
        first.close()
        print(two.last_seq)
"""


def test_two_pages_with_one_repository(tmp_path):
    """Then again with a new repository, to which another page commits 13 rows just before the first does."""
    with running_hub() as hub:
        command = [sys.executable, "-c", textwrap.dedent(TWO_PAGES)]

        def run(folder):
            env = hub.environment | {"PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path / "home")}
            ended = subprocess.run([*command, str(folder)], env=env, capture_output=True, text=True)
            assert not ended.returncode, ended.stderr
            return ended.stdout.splitlines()

        assert run(tmp_path / "1") == ["True None", "True None", "True None 13", "13"]
        earlier = dict(hub.repositories.pop("owner/feedback"))

        def commit():
            hub.repositories["owner/feedback"] |= earlier

        hub.before_commit = commit
        assert run(tmp_path / "2") == ["True None", "True None", "True None 26", "26"]
        (tmp_path / COPY_NAME).write_bytes(hub.repositories["owner/feedback"][COPY_NAME])
        assert len(copied(tmp_path)) == 26
