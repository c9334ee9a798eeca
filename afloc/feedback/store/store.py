"""The store of what readers say: events that are only ever added, and the queries on them.

The rows are kept in a log (`log.Log`): a DuckDB file in the data folder, or a Postgres server that several
AFLocs share. One thread adds to it (`writer.Writer`): `record` returns when the row is on the disk. Each read
has a cursor of its own. Queries are the same whatever the log.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from afloc.errors import StoreError
from afloc.feedback.store.events import JSON_NAMES, Event
from afloc.feedback.store.local_log import LocalLog
from afloc.feedback.store.log import NOT_READ, NOT_SAVED, Batch, KeptStudy, Log, Saved
from afloc.feedback.store.postgres import is_url
from afloc.feedback.store.postgres_log import PostgresLog
from afloc.feedback.store.writer import Writer

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "feedback.duckdb"
SECONDS_BETWEEN_CHECKS = 5.0

Result = TypeVar("Result")


def open_log(location: Path | str) -> Log:
    """The log in a folder, or behind the URL of a Postgres (postgresql://…)."""
    return PostgresLog(str(location)) if is_url(location) else LocalLog(Path(location) / FILE_NAME)


class Store:
    """The events in a folder, or behind the URL of a Postgres (postgresql://…) that others share; safe to
    share between threads; use it as a context manager or `close` it.

    `notices`: sentences about damaged files found on opening and answers that could not be read, this time
    and before. StoreInUseError (a StoreError) where another process has the folder open. A folder that cannot
    be used just now is no reason not to start: each `record` tries again and raises StoreError meanwhile.
    """

    def __init__(self, location: Path | str, admit: Callable[[Event], None] = lambda _: None):
        """`admit`: is asked before an event is recorded; what it raises, `record` raises."""
        self._admit = admit
        self._log = open_log(location)
        self._writer = Writer(self._log)
        self._checking = threading.Lock()
        self._checked_until = 0.0

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def record(self, event: Event) -> Saved:
        """Save one event; returns after the commit. StoreError: it is not saved, or not for certain where the
        sentence says so; it can be recorded again, its id is kept once."""
        self._admit(event)
        return self.record_all([event])[0]

    def record_all(self, events: Sequence[Event], doubles: bool = False) -> list[Saved]:
        """Save events in one transaction, all or none. One whose id is there already is left as it is.

        A slot has one reading, and a reading is replaced once: SlotTakenError for another. With `doubles`, as
        in an import, it is taken in beside the one that is there; `answers` holds the one saved last.
        """
        ids = frozenset(event.id for event in events) if doubles else frozenset()
        return self._writer.save(Batch(tuple(events), doubles=ids))

    def find(self, name: Any, **columns: Any) -> Saved | None:
        """The row with the id `name`, if it is saved and its columns have these values.

        It is asked for before each saving; so, like a saving, it tries a log that was closed every time.
        """
        if self._log.connection() is None:
            self._open_now()
        wanted = "".join(f' AND "{column}" = ?' for column in columns)
        query = f"SELECT id, seq, time FROM events WHERE id = TRY_CAST(? AS UUID){wanted}"
        rows = self.rows(query, [str(name), *columns.values()]) if name else []
        return Saved(**rows[0]) if rows else None

    def erased(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that were erased."""
        query = "SELECT id FROM erased WHERE id IN (SELECT unnest(?::UUID[]))"
        return {row["id"] for row in self.rows(query, [list(ids)])}

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a SELECT as dicts, JSON columns read and ids as text. Values go as parameters.

        The tables are `events` (everything), `answers` (the feedback and readings that stand), `studies` and
        `notices`.
        """

        def fetch(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
            cursor.execute(query, list(parameters))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

        return [_plain(row) for row in self._read(fetch)]

    def frame(self, query: str, parameters: Sequence[Any] = ()) -> "pd.DataFrame":
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
        return self.problem or (NOT_SAVED if self._log.is_full() else None)

    @property
    def problem(self) -> str | None:
        """Why saving fails just now, in one sentence, or None."""
        return self._writer.problem

    @property
    def last_seq(self) -> int:
        """The number of the last row saved; a figure worked out at the same one is still right."""
        return self._log.last_seq

    @property
    def notices(self) -> list[str]:
        found = self.rows("SELECT time, notice FROM notices ORDER BY time")
        kept = [f"{row['time']:%Y-%m-%d %H:%M} UTC: {row['notice']}" for row in found]
        return kept + self._log.notices

    def keep_study(self, version: str, study: str, definition: dict[str, Any]) -> None:
        """Keep a study's definition as it was when answers were given, once a version."""
        now = datetime.now(UTC).replace(tzinfo=None)
        self._writer.save(Batch(studies=(KeptStudy(version, study, now, json.dumps(definition)),)))

    def close(self) -> None:
        """Save what is queued and close the log. Later writes raise StoreError."""
        self._writer.close()

    def _check_now_and_then(self) -> None:
        """Have a small row written, which opens the log where it is not; some seconds apart."""
        with self._checking:
            if time.monotonic() >= self._checked_until:
                self._open_now()
                self._checked_until = time.monotonic() + SECONDS_BETWEEN_CHECKS

    def _open_now(self) -> None:
        with contextlib.suppress(StoreError):  # whoever reads or saves next learns of it
            self._writer.save(Batch(check=True))

    def _read(self, fetch: Callable[[duckdb.DuckDBPyConnection], Result]) -> Result:
        if self._writer.closed:
            raise StoreError("The store is closed.")
        connection = self._log.connection()
        if connection is None:
            self._check_now_and_then()
            connection = self._log.connection()
        if connection is None:
            raise StoreError(self.problem or NOT_READ)
        try:
            with connection.cursor() as cursor:
                return fetch(cursor)
        except duckdb.ProgrammingError:  # the query is at fault: a bug
            raise
        except duckdb.Error:
            raise StoreError(NOT_READ) from None


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its JSON read and its ids as text."""
    for name in (*JSON_NAMES, "definition"):
        if isinstance(row.get(name), str):
            row[name] = json.loads(row[name])
    for name in ("id", "replaces"):
        if row.get(name) is not None:
            row[name] = str(row[name])
    return row
