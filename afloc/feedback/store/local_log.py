"""A log in one DuckDB file, for a single AFLoc.

Only the writer opens the file, adds to it and, after a failure, opens it again. Each reader has a cursor.
"""

import contextlib
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from afloc.errors import StoreError
from afloc.feedback.store.erasing import REWRITE, is_to_be_rewritten, rewrite_erased
from afloc.feedback.store.events import ErasedError, Event, SlotTakenError
from afloc.feedback.store.log import (
    NOT_READ,
    Batch,
    Saved,
    UncertainError,
    UnfitError,
    UnreachableError,
)
from afloc.feedback.store.recovery import (
    SavedCount,
    copy_database,
    is_damage,
    keep_copy,
    log_path,
    open_database,
    set_database_aside,
    unreachable,
)
from afloc.feedback.store.schema import older_version, prepare
from afloc.feedback.store.tables import (
    erase_events,
    find_events,
    insert_claims,
    insert_events,
    insert_studies,
    refuse_erased,
)

ROOM_TO_SAVE = 1 << 20  # bytes; the largest answer
_VALUE_ERRORS = (duckdb.DataError, duckdb.IntegrityError, duckdb.InvalidInputException)


class LocalLog:
    """The log in the file `path`. StoreInUseError on opening where another process has it open."""

    def __init__(self, path: Path):
        self.notices: list[str] = []
        self.last_seq = 0
        self._path = path
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._id = ""
        self._count = SavedCount(path)

    def open(self) -> None:
        connection, wal = open_database(self._path, self.notices)
        try:
            if version := older_version(connection):  # keep it as it was before it is changed
                connection.execute("CHECKPOINT")
                connection.close()
                copy = copy_database(self._path, f"{self._path.stem}.v{version}")
                self.notices.append(
                    f"The database of an earlier AFLoc was brought up to date; a copy is kept as {copy.name}."
                )
                connection, _ = open_database(self._path, self.notices)
            self._id, self.last_seq = prepare(connection)
        except duckdb.Error as error:
            connection.close()
            if not is_damage(error):
                raise unreachable(error) from None
            set_database_aside(self._path, self.notices)
            connection, wal = open_database(self._path, self.notices)
            try:
                self._id, self.last_seq = prepare(connection)
            except duckdb.Error as second:
                connection.close()
                raise unreachable(second) from None
        except StoreError:
            connection.close()
            raise
        if is_to_be_rewritten(connection):  # an erasure was cut short
            connection.close()
            try:
                self.notices += rewrite_erased(self._path)
            except (duckdb.Error, OSError):
                raise UnreachableError(
                    "The data folder cannot be used: there is no room to erase what is to be erased."
                ) from None
            connection, _ = open_database(self._path, self.notices)
        self._note_missing_rows(wal)
        self._connection = connection
        self._write_notices()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self.open()
        assert self._connection is not None  # `open` raises where it cannot
        return self._connection

    def commit(self, batch: Batch) -> dict[str, Saved]:
        connection = self._opened()
        try:
            return self._commit(connection, batch)
        except (ErasedError, SlotTakenError):
            self._roll_back()
            raise
        except _VALUE_ERRORS:
            self._roll_back()
            raise UnfitError from None
        except duckdb.Error:
            self._disconnect()  # after a fatal error nothing works until the file is opened again
            raise UncertainError from None
        except Exception:
            self._disconnect()
            raise

    def find(self, events: Sequence[Event]) -> dict[str, Saved]:
        connection = self._opened()
        try:
            return find_events(connection, events)
        except duckdb.Error:
            raise StoreError(NOT_READ) from None

    def connection(self) -> duckdb.DuckDBPyConnection | None:
        return self._connection

    def is_full(self) -> bool:
        try:
            return shutil.disk_usage(self._path.parent).free < ROOM_TO_SAVE
        except OSError:
            return True

    def close(self) -> None:
        """Fold DuckDB's own log into the file and close it."""
        rewrite = self._connection is not None and is_to_be_rewritten(self._connection)
        self._disconnect()
        if rewrite:
            with contextlib.suppress(duckdb.Error, OSError, StoreError):  # or at the next opening
                rewrite_erased(self._path)

    def _commit(self, connection: duckdb.DuckDBPyConnection, batch: Batch) -> dict[str, Saved]:
        seq, rows, claims = self.last_seq, [], {}
        connection.begin()
        saved = find_events(connection, batch.events)
        for event in batch.events:
            if event.id not in saved:
                seq += 1
                saved[event.id] = Saved(event.id, seq, event.time)
                rows.append(event.row(seq))
                claims[event.id] = event.claim
        refuse_erased(connection, list(claims))
        insert_claims(connection, claims, batch.doubles)
        insert_events(connection, rows)
        if erased := [name for event in batch.events if event.id in claims for name in event.erases]:
            erase_events(connection, erased)
            connection.execute("INSERT OR REPLACE INTO store VALUES (?, 'yes')", [REWRITE])
        insert_studies(connection, batch.studies)
        if batch.check:
            connection.execute("INSERT OR REPLACE INTO store VALUES ('checked', ?)", [str(_now())])
        connection.commit()
        if rows:
            self.last_seq = seq
            self._count.write(self._id, seq)
        return saved

    def _note_missing_rows(self, wal: bytes) -> None:
        """Note where the file holds fewer rows than were acknowledged. `wal`: DuckDB's own log as found."""
        missing = self._count.read(self._id) - self.last_seq
        if missing > 0:
            if wal:
                aside = keep_copy(log_path(self._path), wal)
                self.notices.append(f"The log of the last answers was cut short; it is kept as {aside.name}.")
            self.notices.append(f"{missing:,} rows that had been saved could not be read.")

    def _write_notices(self) -> None:
        if self.notices and self._connection is not None:
            with contextlib.suppress(duckdb.Error):  # they are tried again at the next opening
                rows = [[_now(), notice] for notice in self.notices]
                self._connection.executemany("INSERT INTO notices VALUES (?, ?)", rows)
                self.notices = []
                self._count.write(self._id, self.last_seq)

    def _roll_back(self) -> None:
        assert self._connection is not None  # something was written over it
        try:
            self._connection.rollback()
        except duckdb.Error:
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(duckdb.Error):
                connection.close()


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
