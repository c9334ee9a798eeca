"""What was erased is nowhere: not in the store, its files, its replicas, its copies and exports."""

import dataclasses
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from afloc.errors import DataError, StoreError
from afloc.feedback import erasure
from afloc.feedback.backup import COPY_NAME, Backup
from afloc.feedback.export import export, import_rows
from afloc.feedback.store.erasing import REWRITE
from afloc.feedback.store.events import Event
from afloc.feedback.store.store import FILE_NAME, Store
from afloc.feedback.studies import readings
from afloc.feedback.studies.study_file import FOLDER, read_study
from tests.hub import running_hub

ROOT = Path(__file__).parents[2]
SECRET = "unmistakable words of R1"


@pytest.fixture
def demo():
    return read_study(FOLDER / "demo.toml")


def fill(store, study):
    for reader in ("R1", "R2"):
        readings.give_consent(store, study, reader)
        for index in range(3):
            words = f"{SECRET} {index}" if reader == "R1" else "of R2"
            readings.save_draft(store, study, reader, index, answers={"remark": words})
            shown = {"image_digest": f"{reader[1]}{index}" + "0" * 62}
            readings.save_reading(store, study, reader, index, {"sure": 3, "remark": words}, **shown)
    store.record(Event("feedback", session="s", answers={"agreement": "yes"}, image_digest="10" + "0" * 62))


def count(store, where="true"):
    return store.rows(f"SELECT count(*) AS n FROM events WHERE {where}")[0]["n"]


def test_a_reader_is_erased_from_the_store_and_its_copies_for_good(location, demo, tmp_path):
    with Store(location) as store:
        fill(store, demo)
        old = export(store, tmp_path / "old.parquet")[0]
        kept = store.rows("SELECT id FROM events WHERE reader IS DISTINCT FROM 'R1' ORDER BY seq")
        one = store.rows("SELECT * FROM events WHERE reader = 'R1' AND kind = 'reading' LIMIT 1")[0]
        wanted = erasure.of_reader(store, "R1", demo.id)
        assert str(wanted) == "7 rows (1 consent, 3 draft, 3 reading)"
        other = erasure.of_reader(store, "R2", demo.id)
        assert other.rows == wanted.rows and other.key != wanted.key
        assert erasure.of_reader(store, "R1", demo.id).key == wanted.key
        last = store.last_seq
        with Store(location) if str(location).startswith("postgres") else store as replica:
            assert count(replica, "reader = 'R1'") == 7
            assert erasure.erase(store, wanted) == 7
            assert count(replica, "reader = 'R1'") == 0  # another AFLoc at the same database
    with Store(location) as store:
        assert store.last_seq == last + 1
        assert store.rows("SELECT id FROM events WHERE kind <> 'erasure' ORDER BY seq") == kept
        [tombstone] = store.rows("SELECT * FROM events WHERE kind = 'erasure'")
        assert "R1" not in str(tombstone) and tombstone["answers"]["rows"]["reading"] == 3
        assert "7 rows were erased of one reader" in erasure.erasures(store, demo.id)[0]
        assert erasure.erasures(store, "another") == []
        assert import_rows(store, old) == 0  # a copy from before brings nothing back
        with pytest.raises(StoreError, match="erased on request"):
            store.record(Event("feedback", id=one["id"]))
        assert store.problem is None
        with pytest.raises(DataError, match="nothing to erase"):
            erasure.erase(store, erasure.of_reader(store, "R1", demo.id))
        fresh = export(store, tmp_path / "fresh.parquet")[0]
        readings.give_consent(store, demo, "R1")  # they may begin again
        assert readings.next_slot(store, demo, "R1").index == 0
    with Store(tmp_path / "elsewhere") as other:
        import_rows(other, old)
        assert count(other, "reader = 'R1'") == 7
        import_rows(other, fresh)  # it learns of the erasure by the tombstone
        assert count(other, "reader = 'R1'") == 0
    assert SECRET.encode() not in (tmp_path / "elsewhere" / FILE_NAME).read_bytes()
    assert SECRET.encode() not in fresh.read_bytes()


def test_nothing_of_it_stays_in_the_files(demo, tmp_path):
    with Store(tmp_path) as store:
        fill(store, demo)
    earlier = tmp_path / "feedback.v3.duckdb"  # kept by an update
    earlier.write_bytes((tmp_path / FILE_NAME).read_bytes())
    assert SECRET.encode() in earlier.read_bytes()
    with Store(tmp_path) as store:
        erasure.erase(store, erasure.of_reader(store, "R1", demo.id))
    for path in tmp_path.iterdir():
        assert SECRET.encode() not in path.read_bytes(), path.name
    with duckdb.connect(earlier) as copy:
        assert copy.execute("SELECT count(*) FROM events").fetchone() == (8,)
    with Store(tmp_path) as store:
        assert count(store) == 9 and store.rows("SELECT * FROM store WHERE key = ?", [REWRITE]) == []
        readings.save_reading(store, demo, "R2", 3, {"sure": 2})


def test_an_erasure_that_was_cut_short_is_finished(demo, tmp_path):
    """Killed after the commit, before the file was written anew; then while it was."""
    with Store(tmp_path) as store:
        fill(store, demo)
        erasure.erase(store, erasure.of_reader(store, "R1", demo.id))
        store._log._connection.execute("CHECKPOINT")
        for path in list(tmp_path.iterdir()):  # as a kill would leave them
            (tmp_path / "killed").mkdir(exist_ok=True)
            (tmp_path / "killed" / path.name).write_bytes(path.read_bytes())
    killed = tmp_path / "killed"
    assert SECRET.encode() in (killed / FILE_NAME).read_bytes()
    (killed / f"{FILE_NAME}.part").write_bytes(b"half of a file")
    damaged = killed / f"{FILE_NAME}.damaged-20260101T000000"
    damaged.write_bytes(b"what cannot be read")
    with Store(killed) as store:
        assert count(store, "kind <> 'erasure'") == 8
        assert any(damaged.name in notice for notice in store.notices)
        assert SECRET.encode() not in (killed / FILE_NAME).read_bytes()
        assert not (killed / f"{FILE_NAME}.part").exists()


def test_one_image_is_erased_with_its_drafts_and_references(demo, tmp_path):
    with Store(tmp_path) as store:
        fill(store, demo)
        case = store.rows("SELECT case_id FROM events WHERE image_digest = ?", ["10" + "0" * 62])[0][
            "case_id"
        ]
        digests = erasure.digests_of_case(store, demo.id, case)
        here = erasure.of_image(store, digests, demo.id)
        assert all(row["case_id"] == case for row in store.rows(
            "SELECT case_id FROM events WHERE list_contains(?, id::VARCHAR)", [list(here.ids)]))  # fmt: skip
        everywhere = erasure.of_image(store, digests)
        assert everywhere.rows == here.rows + 1 and dict(everywhere.kinds)["feedback"] == 1
        erasure.erase(store, everywhere)
        assert count(store, f"case_id = '{case}'") == 0 and count(store, "kind = 'feedback'") == 0
        with pytest.raises(DataError, match="No reading of a case"):
            erasure.digests_of_case(store, demo.id, case)


def test_what_took_an_answer_back_goes_with_it_and_age_is_a_reason(tmp_path):
    with Store(tmp_path) as store:
        digest = "c" * 64
        first = store.record(Event("feedback", session="s", image_digest=digest))
        store.record(Event("withdrawal", session="s", replaces=first.id))
        assert dict(erasure.of_image(store, [digest]).kinds) == {"feedback": 1, "withdrawal": 1}
        assert erasure.of_age(store, 1).rows == 0
        assert erasure.erase(store, erasure.of_age(store, 0)) == 2
        assert erasure.of_age(store, 0).rows == 0  # tombstones stay


def test_the_backup_holds_no_more_of_it_whoever_has_it(demo, tmp_path):
    bucket = tmp_path / "bucket"

    def copied():
        with duckdb.connect() as connection:
            query = "SELECT count(*) FILTER (reader = 'R1'), count(*) FROM read_parquet(?)"
            return connection.execute(query, [str(bucket / COPY_NAME)]).fetchone()

    with Store(tmp_path / "one") as one, Store(tmp_path / "two") as two:
        first, second = Backup(one, bucket, 60), Backup(two, bucket, 60)
        fill(one, demo)
        assert first.copy() and second.copy() and count(two, "reader = 'R1'") == 7
        only = one.rows("SELECT id FROM events WHERE kind = 'feedback'")[0]["id"]
        wanted = dataclasses.replace(
            erasure.of_age(one, 0), of="image", ids=(only,), kinds=(("feedback", 1),)
        )
        erasure.erase(one, wanted)  # as many rows as before: one less, and the tombstone
        assert first.copy() and second.copy()
        assert count(two, "kind = 'feedback'") == 0 and copied() == (7, 15)
        erasure.erase(two, erasure.of_reader(two, "R1", demo.id))
        assert second.copy() and copied() == (0, 9)
        assert first.copy() and count(one, "reader = 'R1'") == 0
        second.close()
        first.close()
    with Store(tmp_path / "three") as three:  # begun anew, from the copy
        Backup(three, bucket, 60).close()
        assert count(three, "reader = 'R1'") == 0 and count(three, "kind = 'erasure'") == 2


def test_rows_go_when_they_are_too_old(tmp_path):
    now = 1000.0
    with Store(tmp_path) as store:
        old = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=31)
        store.record_all([Event("feedback", time=old), Event("feedback")])
        keep = erasure.keep_for(store, 30, lambda: now)
        keep()
        assert count(store, "kind = 'feedback'") == 1
        store.record(Event("feedback", time=old))
        keep()  # not again within the hour
        assert count(store, "kind = 'feedback'") == 2
        now += 3601
        keep()
        assert count(store, "kind = 'feedback'") == 1
        assert any("older than they may be kept" in each for each in erasure.erasures(store, None))


HUB = """
    import sys
    from pathlib import Path
    from afloc.feedback import erasure
    from afloc.feedback.backup import Backup
    from afloc.feedback.store.events import Event
    from afloc.feedback.store.store import Store

    with Store(Path(sys.argv[1])) as store:
        backup = Backup(store, "hf:owner/feedback", 60)
        for n in range(3):
            store.record(Event("feedback", reader="R1", study="s", comment="unmistakable"))
            assert backup.copy(), backup.problem
        erasure.erase(store, erasure.of_reader(store, "R1", "s"))
        assert backup.copy(), backup.problem
        store.record(Event("feedback"))
        backup.close()
        assert backup.problem is None, backup.problem
"""


def test_the_history_of_a_repository_is_given_up(tmp_path):
    with running_hub() as hub:
        env = hub.environment | {"PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path / "home")}
        command = [sys.executable, "-c", textwrap.dedent(HUB), str(tmp_path / "data")]
        ended = subprocess.run(command, env=env, capture_output=True, text=True)
        assert not ended.returncode, ended.stderr
        history = [files[COPY_NAME] for _, files in hub.history["owner/feedback"]]
    assert len(history) == 2  # squashed after the erasure, and one since
    for number, content in enumerate(history):
        path = tmp_path / f"{number}.parquet"
        path.write_bytes(content)
        with duckdb.connect() as connection:
            query = "SELECT count(*) FILTER (comment IS NOT NULL) FROM read_parquet(?)"
            assert connection.execute(query, [str(path)]).fetchone() == (0,)
