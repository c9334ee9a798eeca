"""A slot of a study has one reading that stands: by a key in the store, by a rule where rows are double."""

import dataclasses
import json
import shutil
import subprocess
import sys
import threading
import uuid

import duckdb
import pytest

from afloc.cli.feedback import run_summary
from afloc.errors import AccessError, AFLocError, StoreError
from afloc.feedback import erasure
from afloc.feedback.analysis.data_frames import double_readings, study_frame
from afloc.feedback.analysis.results import analyse
from afloc.feedback.backup import Backup
from afloc.feedback.export import export, import_rows
from afloc.feedback.store.events import Event, SlotTakenError
from afloc.feedback.store.postgres import CLAIMS
from afloc.feedback.store.store import FILE_NAME, Store
from afloc.feedback.studies import readings
from afloc.feedback.studies.reference_standard import references
from afloc.feedback.studies.study import Case
from tests.feedback.store.rows import SCRIPT
from tests.feedback.windows import STUDY

READINGS = "SELECT * FROM events WHERE kind = 'reading' ORDER BY seq"
STANDING = "SELECT * FROM answers WHERE kind = 'reading' ORDER BY seq"


def read_all(store, reader="R1", rating=4, study=STUDY):
    """A reader answers every case."""
    while slot := readings.next_slot(store, study, reader):
        readings.save_reading(store, study, reader, slot.index, {"sure": rating}, visible_ms=1000)


def in_slot(**changes):
    slot = {"study": "s", "reader": "R1", "period": 1, "case_id": "c1", "arm": "aided", "repeat": 0}
    return Event("reading", **slot | changes)


def test_the_store_takes_one_first_reading_and_one_correction_of_it(location):
    with Store(location) as store:
        first = store.record(in_slot())
        with pytest.raises(
            SlotTakenError, match=r"^Another window has saved an answer for this case[^.]*\.$"
        ):
            store.record(in_slot())
        corrected = store.record(in_slot(replaces=first.id))
        with pytest.raises(SlotTakenError):
            store.record(in_slot(replaces=first.id))
        with pytest.raises(SlotTakenError):  # all or none
            store.record_all([in_slot(case_id="c2"), in_slot()])
        with pytest.raises(SlotTakenError):
            store.record_all([in_slot(case_id="c2"), in_slot(case_id="c2")])
        for change in ({"repeat": 1}, {"arm": "unaided"}, {"reader": "R2"}, {"study": "t"}):
            store.record(in_slot(**change))
        assert store.problem is None and len(store.rows("SELECT * FROM events")) == 6
    with Store(location) as store:
        assert store.rows(STANDING)[0]["id"] == corrected.id
        with pytest.raises(SlotTakenError):
            store.record(in_slot())


def test_of_many_threads_one_saves_and_nothing_else_is_refused(location):
    taken, saved = [], []
    with Store(location) as store:
        barrier = threading.Barrier(8)

        def save(number):
            barrier.wait()
            try:
                saved.append(store.record(in_slot()).id)
            except SlotTakenError:
                taken.append(number)
            saved.append(store.record(Event("feedback")).id)

        threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(store.rows(READINGS)) == 1 and len(taken) == 7
        assert {row["id"] for row in store.rows("SELECT id FROM events")} == set(saved)


def at_once(act, times=8):
    """What `act` gave in so many threads that start together; of one that raised, its error."""
    given, barrier = [], threading.Barrier(times)

    def run():
        barrier.wait()
        try:
            given.append(act())
        except AFLocError as error:
            given.append(error)

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return given


def test_all_that_a_reader_or_coordinator_says_at_once_is_kept_once(location):
    """From several windows in one instant: the consent, an answer for training, the erasure of a reader."""
    practice = Case("t1", "example:retina", "optic disc", truth=True)
    study = dataclasses.replace(STUDY, consent="Do you agree?", training=(practice,))
    with Store(location) as store:

        def count(kind):
            return store.rows("SELECT count(*) AS n FROM events WHERE kind = ?", [kind])[0]["n"]

        agreed = at_once(lambda: readings.give_consent(store, study, "R1"))
        assert count("consent") == 1 and len({each.id for each in agreed}) == 1
        told = at_once(lambda: readings.save_reading(store, study, "R1", 0, {"sure": 3}))
        changed = [each for each in told if not isinstance(each, AccessError)]
        taken_back = store.rows(
            "SELECT replaces FROM events WHERE kind = 'training' AND replaces IS NOT NULL"
        )
        assert count("training") == len(changed) == len(taken_back) + 1
        assert len({row["replaces"] for row in taken_back}) == len(taken_back), "each follows on another"
        wanted = erasure.of_reader(store, "R1", study.id)
        gone = at_once(lambda: erasure.erase(store, wanted))
        assert [each for each in gone if each == wanted.rows] == [wanted.rows] and count("erasure") == 1
        assert all("nothing to erase" in str(each) for each in gone if each != wanted.rows)
        assert len(erasure.erasures(store, study.id)) == 1


def test_two_windows_on_two_replicas_save_each_case_once(url):
    command = [sys.executable, "-m", "tests.feedback.windows", url, "R1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    windows = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [window.stdout.readline() for window in windows] == ["ready\n"] * 2
    total = len(STUDY.cases)
    for index in range(total):
        names = [str(uuid.uuid4()) for _ in windows]
        for window, name in zip(windows, names, strict=True):
            window.stdin.write(f"{index} {name}\n")
        heard = [window.stdout.readline().strip() for window in windows]
        [refused] = [each for each in heard if each not in names]  # one is saved, and only one
        assert "another" in refused.lower() and refused.endswith(".")
    for window in windows:
        window.communicate()
    with Store(url) as store:
        assert len(store.rows(READINGS)) == len(store.rows(STANDING)) == total
        drafts = store.rows("SELECT * FROM events WHERE kind = 'draft'")
        assert len(drafts) == total and all(
            row["answers"] == {"sure": 3} for row in drafts
        )  # nothing is lost
        assert readings.resume(store, STUDY, "R1", 0)["kind"] == "reading" and not double_readings(store)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """What two readers answered on another computer: the rows, and a folder with them in two formats."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with Store(folder / "data") as store:
        for reader in ("R1", "R2"):
            read_all(store, reader, 2)
        for name in ("feedback.csv", "feedback.parquet"):
            export(store, folder / name)
        return store.rows(READINGS), folder


@pytest.mark.parametrize("way", ["import", "late restore"])
def test_double_readings_are_taken_in_and_break_nothing(location, elsewhere, tmp_path, way, capsys):
    rows, folder = elsewhere
    copy = tmp_path / "bucket" / ("feedback.csv" if way == "import" else "feedback.parquet")
    copy.parent.mkdir()
    shutil.copy(folder / copy.name, copy)
    with Store(location) as store:
        read_all(store, "R1", 4)
        mine = store.rows(READINGS)
        if way == "import":
            assert import_rows(store, copy) == len(rows)
        else:
            Backup(store, copy.parent, minutes=60).close()
        every = store.rows(READINGS)
        assert {row["id"] for row in every} == {row["id"] for row in (*mine, *rows)}
        [notice] = double_readings(store)
        assert notice.startswith(f"Study demo: {len(mine)} times") and double_readings(store, "else") == []
        standing = store.rows(STANDING)
        assert [row["id"] for row in standing] == [row["id"] for row in rows]  # saved last
        assert {row.reader: row.done for row in readings.progress(store, STUDY)}["R1"] == len(mine)

        frame = study_frame(store, STUDY)
        key = ["reader", "case_id", "arm", "repeat"]
        assert len(frame) == len(rows) and not frame.duplicated(key).any() and set(frame["q_sure"]) == {2}
        found = analyse(STUDY, frame, references(store, STUDY))
        assert found.counts["count"].sum() == (frame["repeat"] == 0).sum()
        export(store, tmp_path / "out.imrmc", study="demo")
        lines = (tmp_path / "out.imrmc").read_text().splitlines()
        assert notice in lines and len(lines) == len(set(lines) - {""}) + 1
        assert import_rows(store, copy) == 0

        # A correction stands, whichever of the two it replaces, and is made once.
        [again] = [
            row for row in mine if row["case_id"] == "c01" and row["arm"] == "aided" and not row["repeat"]
        ]
        slot = {name: again[name] for name in ("study", "reader", "period", "case_id", "arm", "repeat")}
        fresh = store.record(Event("reading", **slot, replaces=again["id"], answers={"sure": 5}))
        assert fresh.id in {row["id"] for row in store.rows(STANDING)}
        with pytest.raises(SlotTakenError):
            store.record(Event("reading", **slot, replaces=again["id"]))
    arguments = type(
        "Arguments", (), {"data": str(location), "study": "demo", "study_version": None, "json": False}
    )
    run_summary(arguments)
    assert notice in capsys.readouterr().out


def test_a_case_moved_to_the_other_period_is_no_second_reading_in_the_tables(tmp_path):
    """By another seed in the middle of a study a case may come again in the same arm."""
    with Store(tmp_path) as store:
        read_all(store)
        row = store.rows(READINGS)[0]
        names = ("study", "study_version", "reader", "case_id", "arm", "repeat", "description", "answers")
        moved = {name: row[name] for name in names}
        store.record(Event("reading", period=3 - row["period"], **moved))
        assert len(double_readings(store)) == 1
        assert analyse(STUDY, study_frame(store, STUDY), {}).counts["count"].sum() == 16


def test_a_reading_that_was_taken_back_can_be_given_again_once(location):
    with Store(location) as store:
        first = readings.save_reading(store, STUDY, "R1", 0, {"sure": 1})
        store.record(Event("withdrawal", replaces=first.id))
        assert readings.next_slot(store, STUDY, "R1").index == 0
        again = readings.save_reading(store, STUDY, "R1", 0, {"sure": 2})
        assert [row["id"] for row in store.rows(STANDING)] == [again.id]
        assert readings.next_slot(store, STUDY, "R1").index == 1 and not double_readings(store)


def test_what_is_sent_again_is_answered_with_its_row_whatever_the_turn(location):
    """In a study without going back, where the questions have changed since, too."""
    with Store(location) as store:
        name, draft = str(uuid.uuid4()), str(uuid.uuid4())
        kept = readings.save_draft(store, STUDY, "R1", 0, id=draft, answers={"sure": 2})
        saved = readings.save_reading(store, STUDY, "R1", 0, {"sure": 2}, id=name)
        assert readings.save_reading(store, STUDY, "R1", 0, {"sure": 2}, id=name) == saved
        assert readings.save_draft(store, STUDY, "R1", 0, id=draft, answers={"sure": 2}) == kept
        question = dataclasses.replace(STUDY.questions[0], id="certain")
        changed = dataclasses.replace(STUDY, questions=(question,), presence="certain")
        assert readings.save_reading(store, changed, "R1", 0, {"sure": 2}, id=name) == saved
        assert len(store.rows("SELECT * FROM events")) == 2
        with pytest.raises(AccessError, match="another answer for it is saved"):
            readings.save_reading(store, STUDY, "R1", 0, {"sure": 5}, id=str(uuid.uuid4()))
        with pytest.raises(AccessError, match="Another answer has this id"):
            readings.save_reading(store, STUDY, "R2", 0, {"sure": 2}, id=name)
        with pytest.raises(StoreError, match="id"):
            readings.save_reading(store, STUDY, "R1", 1, {"sure": 2}, id="no id")
        drafts = store.rows("SELECT answers FROM events WHERE kind = 'draft' ORDER BY seq")
        assert [row["answers"]["sure"] for row in drafts] == [2, 5]  # what could not be saved is kept
        assert readings.resume(store, STUDY, "R1", 0)["id"] == name  # and not shown as what stands


# The tables as the first version of the schema had them.
OLD_TABLES = """
CREATE TABLE store (key VARCHAR PRIMARY KEY, value VARCHAR);
CREATE TABLE events (
    seq BIGINT, id UUID PRIMARY KEY, time TIMESTAMP, kind VARCHAR, session VARCHAR, reader VARCHAR,
    study VARCHAR, study_version VARCHAR, case_id VARCHAR, arm VARCHAR, period INTEGER, repeat INTEGER,
    image_digest VARCHAR, image_width INTEGER, image_height INTEGER, modality VARCHAR, description VARCHAR,
    model VARCHAR, model_fingerprint VARCHAR, protocol VARCHAR, threshold DOUBLE, display JSON, score DOUBLE,
    probability DOUBLE, present BOOLEAN, model_regions JSON, answers JSON, comment VARCHAR, regions JSON,
    visible_ms BIGINT, replaces UUID
);
CREATE TABLE notices (time TIMESTAMP, notice VARCHAR);
CREATE TABLE studies (version VARCHAR, study VARCHAR, time TIMESTAMP, definition JSON);
CREATE VIEW answers AS
SELECT * EXCLUDE (place) FROM (
    SELECT *, row_number() OVER (PARTITION BY coalesce(replaces, id) ORDER BY seq DESC) AS place
    FROM events WHERE kind IN ('feedback', 'reading', 'withdrawal')
)
WHERE place = 1 AND kind <> 'withdrawal'
  AND id NOT IN (SELECT replaces FROM events WHERE replaces IS NOT NULL);
INSERT INTO store VALUES ('id', 'an-old-store'), ('schema', '1');
"""
OLD_NAMES = (
    "seq, id, time, kind, reader, study, study_version, case_id, arm, period, repeat, description, answers, "
    "replaces"
)


@pytest.fixture
def old_rows(tmp_path):
    """The readings of a folder that an earlier AFLoc left: every case of the demo read in two windows."""
    with Store(tmp_path / "fresh") as store:
        read_all(store)
        rows = store.rows(READINGS)
        definition = (STUDY.version, STUDY.id, rows[0]["time"], json.dumps(STUDY.definition()))
    doubles = [row | {"id": str(uuid.uuid4()), "answers": {"sure": 1}} for row in rows]
    every = [row | {"seq": seq} for seq, row in enumerate(rows + doubles, 1)]
    (tmp_path / "old").mkdir()
    with duckdb.connect(tmp_path / "old" / FILE_NAME) as database:
        database.execute(OLD_TABLES)
        database.execute("INSERT INTO studies VALUES (?, ?, ?, ?)", definition)
        for row in every:
            values = [row[name] for name in OLD_NAMES.split(", ")]
            places = ", ".join("?" * len(values))
            database.execute(f"INSERT INTO events ({OLD_NAMES}) VALUES ({places})", values)
    return every


def test_an_old_database_with_doubles_is_copied_opens_and_says_so(tmp_path, old_rows):
    folder, half = tmp_path / "old", len(old_rows) // 2
    before = (folder / FILE_NAME).read_bytes()
    with Store(folder) as store:
        assert [row["id"] for row in store.rows(READINGS)] == [row["id"] for row in old_rows]
        assert [row["id"] for row in store.rows(STANDING)] == [row["id"] for row in old_rows[half:]]
        [notice] = store.notices
        assert "feedback.v1.duckdb" in notice
        assert double_readings(store)[0].startswith(f"Study demo: {half} times")
        analyse(STUDY, study_frame(store, STUDY), references(store, STUDY))
        slot = {name: old_rows[0][name] for name in ("study", "reader", "period", "case_id", "arm", "repeat")}
        with pytest.raises(SlotTakenError):  # what was saved before has its claim
            store.record(Event("reading", **slot))
    assert (folder / "feedback.v1.duckdb").read_bytes() == before
    with Store(folder) as store:  # copied once
        assert store.notices == [notice]
    assert {path.name for path in folder.iterdir()} >= {FILE_NAME, "feedback.v1.duckdb"}
    assert not list(folder.glob("feedback.v1-*")) and not list(folder.glob("*.part"))


def test_a_copy_overwrites_nothing_and_holds_the_log(tmp_path, old_rows):
    """The last rows of a server that was killed are in the log beside the database."""
    folder = tmp_path / "old"
    (folder / "feedback.v1.duckdb").write_bytes(b"of an earlier day")
    script = (
        "import duckdb, os, sys; database = duckdb.connect(sys.argv[1]); database.execute("
        "\"INSERT INTO events (seq, id, kind) VALUES (99, uuid(), 'feedback')\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, folder / FILE_NAME], check=True)
    assert (folder / f"{FILE_NAME}.wal").stat().st_size
    with Store(folder) as store:
        assert store.last_seq == 99 and "feedback.v1-2.duckdb" in store.notices[0]
    assert (folder / "feedback.v1.duckdb").read_bytes() == b"of an earlier day"
    with duckdb.connect(folder / "feedback.v1-2.duckdb") as copy:
        query = "SELECT count(*), max(seq) FROM events"
        assert copy.execute(query).fetchone() == (len(old_rows) + 1, 99)
        assert copy.execute("SELECT value FROM store WHERE key = 'schema'").fetchone() == ("1",)


def test_without_room_for_the_copy_the_old_database_stays_as_it_is(tmp_path, old_rows):
    """And opens as soon as there is room."""
    folder = tmp_path / "old"
    before = (folder / FILE_NAME).read_bytes()
    code = """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]) // 2, hard))
store = Store(sys.argv[1])
print(store.problem)
sys.stdin.readline()
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
store.record(Event("feedback"))
print(store.last_seq, len(store.notices))
store.close()
"""
    command = [sys.executable, "-u", "-c", SCRIPT + code, folder, str(len(before))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "The data folder cannot be used: File too large.\n"
        assert (folder / FILE_NAME).read_bytes() == before and [*folder.iterdir()] == [folder / FILE_NAME]
        assert process.communicate("\n")[0] == f"{len(old_rows) + 1} 1\n"
    assert (folder / "feedback.v1.duckdb").read_bytes() == before


def test_an_old_server_with_doubles_keeps_its_rows_and_has_the_key(url, tmp_path, old_rows):
    import psycopg

    with Store(tmp_path / "old") as old, Store(url) as store:
        export(old, tmp_path / "all.parquet")
        import_rows(store, tmp_path / "all.parquet")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE {CLAIMS}")  # as an earlier AFLoc left it
        rows = connection.execute("SELECT * FROM afloc_events ORDER BY place").fetchall()
    with Store(url) as first, Store(url) as second:
        slot = {name: old_rows[0][name] for name in ("study", "reader", "period", "case_id", "arm", "repeat")}
        for store in (first, second):
            with pytest.raises(SlotTakenError):
                store.record(Event("reading", **slot))
            assert len(double_readings(store)) == 1 and len(study_frame(store, STUDY)) == len(old_rows) // 2
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT * FROM afloc_events ORDER BY place").fetchall() == rows
