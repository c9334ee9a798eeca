"""The store of what readers say: one DuckDB file of events that are only ever added.

One thread writes. It takes what is queued, commits it in one transaction, and only then lets the callers go:
`record` returns when the row is on the disk. Each read has a cursor of its own.

Several AFLocs share a store through a Postgres server: rows are committed there, and the DuckDB database, in
memory then, follows it: each read first fetches what others have added. Queries are the same either way.
"""

import contextlib
import json
import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import duckdb
import pyarrow as pa

from afloc.errors import StoreError
from afloc.feedback.store.events import JSON_NAMES, NAMES, Event, SlotTakenError
from afloc.feedback.store.postgres import EVENTS, STUDIES, Server, is_url
from afloc.feedback.store.recovery import (
    SavedCount,
    UnreachableError,
    copy_database,
    is_damage,
    keep_copy,
    log_path,
    open_database,
    set_database_aside,
    unreachable,
)
from afloc.feedback.store.schema import MIGRATIONS

FILE_NAME = "feedback.duckdb"
NOT_SAVED = "Not saved: the data folder is full or cannot be written to; please try again."
NOT_READ = "The data folder cannot be read just now; please try again."
AT_ONCE = 200  # rows committed together at most
SECONDS_TO_SAVE = 30.0
SECONDS_BETWEEN_CHECKS = 5.0
ROOM_TO_SAVE = 1 << 20  # bytes; the largest answer

_COLUMN_LIST = ", ".join(f'"{name}"' for name in NAMES)
_VALUE_ERRORS = (duckdb.DataError, duckdb.IntegrityError, duckdb.InvalidInputException)
_PLACES = "(" + ", ".join("?" * len(NAMES)) + ")"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Saved:
    """A row that is on the disk: its id, its place in the order of saving, and when it was received (UTC)."""

    id: str
    seq: int
    time: datetime


@dataclass(frozen=True)
class _Job:
    """What the writing thread is asked to do: save events, and a study's (version, id, time, definition)."""

    events: tuple[Event, ...]
    study: tuple[str, str, datetime, str] | None
    done: Future
    check: bool = False  # whether to write, even so
    doubles: bool = False  # whether a reading may be saved of a slot that is taken


class Store:
    """The events in a folder, or behind the URL of a Postgres (postgresql://…) that others share; safe to
    share between threads; use it as a context manager or `close` it.

    `notices`: sentences about damaged files found on opening and answers that could not be read, this time
    and before. StoreInUseError (a StoreError) where another process has the folder open. A folder that cannot
    be used just now is no reason not to start: each `record` tries again and raises StoreError meanwhile.
    """

    def __init__(self, place: Path | str):
        self._server = Server(str(place)) if is_url(place) else None
        self.path = Path("" if self._server else place) / FILE_NAME
        self._studies_seen = 0
        self._following = threading.Lock()
        self.problem: str | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._id = ""
        self._seq = 0
        self._count = SavedCount(self.path)
        self._pending_notices: list[str] = []
        self._gate = threading.Lock()
        self._checking = threading.Lock()
        self._checked_until = 0.0
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._closed = False
        try:
            self._open()
            if self._server:
                self._follow()
        except UnreachableError as error:
            self.problem = str(error)
        self._writer = threading.Thread(target=self._write_jobs, name="feedback-writer", daemon=True)
        self._writer.start()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def record(self, event: Event) -> Saved:
        """Save one event; returns after the commit. StoreError: it is not saved, or not for certain where the
        sentence says so; it can be recorded again, its id is kept once."""
        return self.record_all([event])[0]

    def record_all(self, events: Sequence[Event], doubles: bool = False) -> list[Saved]:
        """Save events in one transaction, all or none. One whose id is there already is left as it is.

        A slot has one reading, and a reading is replaced once: SlotTakenError for another. With `doubles`, as
        in an import, it is taken in beside the one that is there; `answers` holds the one saved last.
        """
        return self._ask(tuple(events), doubles=doubles)

    def find(self, name: Any, **columns: Any) -> Saved | None:
        """The row with the id `name`, if it is saved and its columns have these values."""
        wanted = "".join(f' AND "{column}" = ?' for column in columns)
        query = f"SELECT id, seq, time FROM events WHERE id = TRY_CAST(? AS UUID){wanted}"
        rows = self.rows(query, [str(name), *columns.values()]) if name else []
        return Saved(**rows[0]) if rows else None

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a SELECT as dicts, JSON columns read and ids as text. Values go as parameters.

        The tables are `events` (everything), `answers` (the feedback and readings that stand), `studies` and
        `notices`.
        """

        def fetch(cursor):
            cursor.execute(query, list(parameters))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

        return [_plain(row) for row in self._read(fetch)]

    def frame(self, query: str, parameters: Sequence[Any] = ()):
        """The rows of a SELECT as a pandas DataFrame, JSON as text."""
        return self._read(lambda cursor: cursor.execute(query, list(parameters)).df())

    def copy(self, query: str, path: Path, options: str, parameters: Sequence[Any] = ()) -> None:
        """Write the rows of a SELECT with DuckDB's own COPY; `options` as "FORMAT parquet"."""
        target = str(path).replace("'", "''")
        self._read(
            lambda cursor: cursor.execute(f"COPY ({query}) TO '{target}' ({options})", list(parameters))
        )

    def check(self) -> str | None:
        """Why an answer could not be saved now, None where it could; a small row is really written."""
        self._check_now_and_then()
        if self._server:
            return self.problem
        try:
            full = shutil.disk_usage(self.path.parent).free < ROOM_TO_SAVE
        except OSError:
            full = True
        return self.problem or (NOT_SAVED if full else None)

    @property
    def last_seq(self) -> int:
        """The place of the last row saved; a figure worked out at the same one is still right."""
        if self._server:
            with contextlib.suppress(StoreError):
                self._follow()
        return self._seq

    @property
    def notices(self) -> list[str]:
        found = self.rows("SELECT time, notice FROM notices ORDER BY time")
        kept = [f"{row['time']:%Y-%m-%d %H:%M} UTC: {row['notice']}" for row in found]
        return kept + self._pending_notices

    def keep_study(self, version: str, study: str, definition: dict[str, Any]) -> None:
        """Keep a study's definition as it was when answers were given, once a version."""

        self._ask((), (version, study, _now(), json.dumps(definition)))

    def close(self) -> None:
        """Save what is queued, fold the log into the file, close it. Later writes raise StoreError."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._writer.join()
        self._disconnect()
        if self._server:
            self._server.close()

    def _ask(
        self,
        events: tuple[Event, ...],
        study: tuple | None = None,
        check: bool = False,
        doubles: bool = False,
    ) -> list[Saved]:
        job = _Job(events, study, Future(), check, doubles)
        with self._gate:  # nothing may be queued behind the end
            if self._closed:
                raise StoreError("Not saved: the store is closed.")
            self._jobs.put(job)
        try:
            return job.done.result(SECONDS_TO_SAVE + len(events) / 100)
        except TimeoutError:
            how = "in time" if job.done.cancel() else "for certain"  # it is being written: it may be yet
            raise StoreError(f"Not saved {how}: the disk is slow; please try again.") from None

    def _check_now_and_then(self) -> None:
        """Have a small row written, which opens the database where it is not; some seconds apart."""
        with self._checking:
            if time.monotonic() >= self._checked_until:
                with contextlib.suppress(StoreError):
                    self._ask((), check=True)
                self._checked_until = time.monotonic() + SECONDS_BETWEEN_CHECKS

    def _read(self, fetch: Callable[[duckdb.DuckDBPyConnection], Result]) -> Result:
        if self._server and not self._closed:
            self._follow()
        if self._connection is None:
            self._check_now_and_then()
        connection = self._connection
        if connection is None:
            raise StoreError("The store is closed." if self._closed else self.problem or NOT_READ)
        try:
            with connection.cursor() as cursor:
                return fetch(cursor)
        except duckdb.ProgrammingError:  # the query is at fault: a bug
            raise
        except duckdb.Error:
            raise StoreError(NOT_READ) from None

    # What follows runs in the writing thread, `_open` and `_disconnect` on opening and closing too.

    def _write_jobs(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch, size = [], 0
            while job is not None:
                batch.append(job)
                size += len(job.events)
                if size >= AT_ONCE:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            # Who has given up waiting was told that it is not saved.
            if batch := [each for each in batch if each.done.set_running_or_notify_cancel()]:
                self._save(batch)
            if job is None:
                return

    def _save(self, batch: list[_Job]) -> None:
        """Commit a batch, then answer its callers. A batch that fails is tried again one job at a time."""
        try:
            results = self._commit(batch)
        except SlotTakenError as error:
            if not self._server and not self._roll_back():
                self._disconnect()
            if len(batch) > 1:
                for job in batch:
                    self._save([job])
            else:
                _refuse(batch, error)
        except StoreError as error:
            self.problem = str(error)
            _refuse(batch, StoreError(f"Not saved: {self.problem[:1].lower()}{self.problem[1:]}"))
        except duckdb.Error as error:
            fits = not isinstance(error, _VALUE_ERRORS)
            if fits or not self._roll_back():
                self._disconnect()  # after a fatal error nothing works until the file is opened again
            if len(batch) > 1:
                for job in batch:
                    self._save([job])
            elif not fits:
                _refuse(batch, StoreError("Not saved: a value does not fit."))
            elif (found := self._find_saved(batch[0])) is not None:
                batch[0].done.set_result(found)
            else:
                self.problem = NOT_SAVED
                _refuse(batch, StoreError(self.problem))
        except Exception as error:  # a bug: the callers learn of it and the thread lives on
            self._disconnect()
            _refuse(batch, error)
        else:
            self.problem = None
            for job, result in zip(batch, results, strict=True):
                job.done.set_result(result)

    def _commit(self, batch: list[_Job]) -> list[Any]:
        events = [event for job in batch for event in job.events]
        studies = [job.study for job in batch if job.study]
        check = any(job.check for job in batch)
        doubles = {event.id for job in batch if job.doubles for event in job.events}
        if self._server:
            self._add(events, studies, check, doubles)
            with self._following:
                saved = _find(self._connection, events)
            return [[saved[event.id] for event in job.events] for job in batch]
        if self._connection is None:
            self._open()
        connection, seq, rows, claims = self._connection, self._seq, [], {}
        connection.begin()
        saved = _find(connection, events)
        for event in events:
            if event.id not in saved:
                seq += 1
                saved[event.id] = Saved(event.id, seq, event.time)
                rows.append(event.row(seq))
                claims[event.id] = event.claim
        _claim(connection, claims, doubles)
        _insert(connection, rows, studies)
        if check:
            connection.execute("INSERT OR REPLACE INTO store VALUES ('checked', ?)", [str(_now())])
        results = [[saved[event.id] for event in job.events] for job in batch]
        connection.commit()
        if rows:
            self._seq = seq
            self._count.write(self._id, seq)
        return results

    def _find_saved(self, job: _Job) -> list[Saved] | None:
        """After a commit that failed: the rows, if the log holds them all the same."""
        try:
            if self._server:
                self._follow()
            elif self._connection is None:
                self._open()
            saved = _find(self._connection, job.events)
            return [saved[event.id] for event in job.events] if job.events else None
        except (duckdb.Error, StoreError, KeyError):
            return None

    def _add(self, events: list[Event], studies: list[tuple], check: bool, doubles: set[str]) -> None:
        """Commit to the server, then follow it; nothing is added twice, whoever asks again."""
        for version, study, written, definition in studies:
            row = {"study": study, "time": written.isoformat(), "definition": definition}
            self._server.add(STUDIES, [(version, row)])
        if events or check:
            claims = {event.id: event.claim for event in events}
            self._server.add(EVENTS, [(event.id, _server_row(event)) for event in events], claims, doubles)
        self._follow()

    def _follow(self) -> None:
        """Take over what has been added to the server since."""
        with self._following:
            if self._connection is None:
                self._open()
            try:
                while found := self._server.after(STUDIES, self._studies_seen):
                    _insert(self._connection, [], [_read_study(name, row) for _, name, row in found])
                    self._studies_seen = found[-1][0]
                while found := self._server.after(EVENTS, self._seq):
                    _take_over(self._connection, found)
                    self._seq = found[-1][0]
            except duckdb.Error:
                self._disconnect()  # it is made again from the server's rows
                raise StoreError("The feedback cannot be read just now; please try again.") from None

    def _open(self) -> None:
        if self._server:
            self._prepare(connection := duckdb.connect(":memory:"))
            self._connection, self._studies_seen = connection, 0
            return
        notices = self._pending_notices
        connection, log = open_database(self.path, notices)
        try:
            if version := _older_version(connection):  # keep it as it was before it is changed
                connection.execute("CHECKPOINT")
                connection.close()
                copy = copy_database(self.path, f"{self.path.stem}.v{version}")
                notices.append(
                    f"The database of an earlier AFLoc was brought up to date; a copy is kept as {copy.name}."
                )
                connection, _ = open_database(self.path, notices)
            self._prepare(connection)
        except duckdb.Error as error:
            connection.close()
            if not is_damage(error):
                raise unreachable(error) from None
            set_database_aside(self.path, notices)
            connection, log = open_database(self.path, notices)
            try:
                self._prepare(connection)
            except duckdb.Error as second:
                connection.close()
                raise unreachable(second) from None
        missing = self._count.read(self._id) - self._seq
        if missing > 0:
            if log:
                aside = keep_copy(log_path(self.path), log)
                notices.append(f"The log of the last answers was cut short; it is kept as {aside.name}.")
            notices.append(f"{missing:,} rows that had been saved could not be read.")
        self._connection = connection
        if notices:
            try:
                rows = [[_now(), notice] for notice in notices]
                connection.executemany("INSERT INTO notices VALUES (?, ?)", rows)
                self._pending_notices = []
                self._count.write(self._id, self._seq)
            except duckdb.Error:
                pass  # they are tried again at the next opening

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Bring the schema up to date, read through rows and index; duckdb.Error where that fails."""
        connection.execute("CREATE TABLE IF NOT EXISTS store (key VARCHAR PRIMARY KEY, value VARCHAR)")
        values = dict(connection.execute("SELECT key, value FROM store").fetchall())
        version = int(values.get("schema", 0))
        if version > len(MIGRATIONS):
            connection.close()
            raise StoreError("The database was written by a newer AFLoc: update this one.")
        if version < len(MIGRATIONS):
            values = {"id": uuid4().hex} | values | {"schema": str(len(MIGRATIONS))}
            connection.begin()
            for statement in (each for step in MIGRATIONS[version:] for each in step):
                connection.execute(statement)
            connection.executemany(
                "INSERT OR REPLACE INTO store VALUES (?, ?)", [list(v) for v in values.items()]
            )
            connection.commit()
            connection.execute("CHECKPOINT")
        self._id = values["id"]
        query = "SELECT count(hash(events)), max(seq), max(id) FROM events"
        _, last, name = connection.execute(query).fetchone()
        self._seq = last or 0
        connection.execute("SELECT seq FROM events WHERE id = ?", [name])  # in the index

    def _roll_back(self) -> bool:
        """Whether the connection can be used after a row was refused."""
        try:
            self._connection.rollback()
            return True
        except duckdb.Error:
            return False

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(duckdb.Error):
                connection.close()


def _older_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The schema of a database that holds rows and is older than this one; None for any other."""
    tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not {"store", "events"} <= tables:
        return None
    (version,) = connection.execute("SELECT max(value) FROM store WHERE key = 'schema'").fetchone()
    (rows,) = connection.execute("SELECT count(*) FROM events").fetchone()
    return int(version) if version and rows and int(version) < len(MIGRATIONS) else None


def _find(connection: duckdb.DuckDBPyConnection, events: Sequence[Event]) -> dict[str, Saved]:
    """Which of `events` are saved already, by id."""
    ids = [event.id for event in events]
    found = connection.execute(
        "SELECT id, seq, time FROM events WHERE id IN (SELECT unnest(?::UUID[]))", [ids]
    )
    return {str(row[0]): Saved(str(row[0]), row[1], row[2]) for row in found.fetchall()}


def _claim(connection: duckdb.DuckDBPyConnection, claims: dict[str, str | None], doubles: set[str]) -> None:
    """Keep the claims of new rows, by id; SlotTakenError where one is taken, unless the row may be double."""
    wanted = {name: claim for name, claim in claims.items() if claim}
    query = "INSERT INTO claims SELECT unnest(?::VARCHAR[]), unnest(?::UUID[]) ON CONFLICT DO NOTHING"
    if wanted:
        kept = connection.execute(f"{query} RETURNING id", [list(wanted.values()), list(wanted)]).fetchall()
        if set(wanted) - {str(name) for (name,) in kept} - doubles:
            raise SlotTakenError


def _insert(connection: duckdb.DuckDBPyConnection, rows: list[list], studies: list[tuple]) -> None:
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        connection.execute(
            f"INSERT INTO events ({_COLUMN_LIST}) VALUES {', '.join([_PLACES] * len(some))}",
            [value for row in some for value in row],
        )
    for study in studies:
        connection.execute(
            "INSERT INTO studies SELECT ?, ?, ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM studies WHERE version = ?)",
            [*study, study[0]],
        )


def _server_row(event: Event) -> dict[str, Any]:
    """What the server keeps beside place and id: the columns, time and JSON as text."""
    row = dict(zip(NAMES, event.row(0), strict=True))
    row["time"] = event.time.isoformat()
    return {name: value for name, value in row.items() if name not in ("seq", "id")}


def _take_over(connection: duckdb.DuckDBPyConnection, found: list[tuple[int, str, dict]]) -> None:
    """Insert the server's events in one go, a column at a time."""
    rows = [{**row, "seq": seq, "id": name} for seq, name, row in found]
    table = pa.table({name: [row.get(name) for row in rows] for name in NAMES})
    with connection.cursor() as cursor:
        cursor.register("fresh", table)
        cursor.execute(f"INSERT INTO events ({_COLUMN_LIST}) SELECT {_COLUMN_LIST} FROM fresh")


def _read_study(name: str, row: dict) -> tuple:
    return name, row["study"], datetime.fromisoformat(row["time"]), row["definition"]


def _refuse(batch: list[_Job], error: Exception) -> None:
    for job in batch:
        job.done.set_exception(error)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    for name in (*JSON_NAMES, "definition"):
        if isinstance(row.get(name), str):
            row[name] = json.loads(row[name])
    for name in ("id", "replaces"):
        if row.get(name) is not None:
            row[name] = str(row[name])
    return row


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
