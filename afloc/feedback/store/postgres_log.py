"""A log on a Postgres server, for several AFLocs at once.

Rows are committed to the server. A DuckDB database in memory follows it: before each read it takes over what
has been added since, whoever added it. So the queries are those of a local store.
"""

import contextlib
import json
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from afloc.errors import StoreError
from afloc.feedback.store.events import NAMES, Event
from afloc.feedback.store.log import Batch, KeptStudy, Saved, UncertainError
from afloc.feedback.store.postgres import EVENTS, STUDIES, PostgresTables
from afloc.feedback.store.schema import prepare
from afloc.feedback.store.tables import COLUMN_LIST, erase_events, find_events, insert_studies


class PostgresLog:
    """The log behind a URL (postgresql://…). SettingsError where no Postgres client is installed."""

    def __init__(self, url: str):
        self.notices: list[str] = []
        self._server = PostgresTables(url)
        self._following = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._seq = 0
        self._studies_seen = 0

    def open(self) -> None:
        with self._following:
            self._follow()

    def commit(self, batch: Batch) -> dict[str, Saved]:
        """Nothing is added twice, whoever asks again."""
        for version, study, time, definition in batch.studies:
            row = {"study": study, "time": time.isoformat(), "definition": definition}
            self._server.add(STUDIES, [(version, row)])
        if batch.events or batch.check:
            claims = {event.id: event.claim for event in batch.events}
            rows = [(event.id, _server_row(event)) for event in batch.events]
            erases = {event.id: event.erases for event in batch.events}
            self._server.add(EVENTS, rows, claims, batch.doubles, erases)
        return self.find(batch.events)

    def find(self, events: Sequence[Event]) -> dict[str, Saved]:
        with self._following:
            connection = self._follow()
            try:
                return find_events(connection, events)
            except duckdb.Error:
                self._disconnect()
                raise UncertainError from None

    def connection(self) -> duckdb.DuckDBPyConnection | None:
        with self._following:
            self._follow()
            return self._connection

    @property
    def last_seq(self) -> int:
        with contextlib.suppress(StoreError):
            self.open()
        return self._seq

    def is_full(self) -> bool:
        return False  # the server tells when it is asked

    def close(self) -> None:
        self._disconnect()
        self._server.close()

    def _follow(self) -> duckdb.DuckDBPyConnection:
        """Take over what has been added to the server since; what it is in. The caller holds `_following`."""
        connection = self._connection
        if connection is None:
            connection = duckdb.connect(":memory:")
            _, self._seq = prepare(connection)
            self._connection, self._studies_seen = connection, 0
        try:
            while found := self._server.after(STUDIES, self._studies_seen):
                insert_studies(connection, [_read_study(name, row) for _, name, row in found])
                self._studies_seen = found[-1][0]
            while found := self._server.after(EVENTS, self._seq):
                _insert_from_server(connection, found)
                self._seq = found[-1][0]
        except duckdb.Error:
            self._disconnect()  # it is made again from the server's rows
            raise StoreError("The feedback cannot be read just now; please try again.") from None
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(duckdb.Error):
                connection.close()


def _server_row(event: Event) -> dict[str, Any]:
    """What the server keeps beside number and id: the columns, time and JSON as text."""
    row = dict(zip(NAMES, event.row(0), strict=True))
    row["time"] = event.time.isoformat()
    return {name: value for name, value in row.items() if name not in ("seq", "id")}


def _insert_from_server(connection: duckdb.DuckDBPyConnection, found: list[tuple[int, str, dict]]) -> None:
    """Insert the server's events in one go, a column at a time."""
    rows = [{**row, "seq": seq, "id": name} for seq, name, row in found]
    table = pa.table({name: [row.get(name) for row in rows] for name in NAMES})
    with connection.cursor() as cursor:
        cursor.register("fresh", table)
        cursor.execute(f"INSERT INTO events ({COLUMN_LIST}) SELECT {COLUMN_LIST} FROM fresh")
    tombstones = (json.loads(row["answers"]) for row in rows if row["kind"] == "erasure")
    erase_events(connection, [name for each in tombstones for name in each["ids"]])


def _read_study(name: str, row: dict) -> KeptStudy:
    return KeptStudy(name, row["study"], datetime.fromisoformat(row["time"]), row["definition"])
