"""Rows in and out of the DuckDB tables of `schema`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import duckdb

from afloc.feedback.store.events import NAMES, ErasedError, Event, SlotTakenError
from afloc.feedback.store.log import KeptStudy, Saved

ROWS_AT_ONCE = 200  # in one INSERT
COLUMN_LIST = ", ".join(f'"{name}"' for name in NAMES)
_MARKS = "(" + ", ".join("?" * len(NAMES)) + ")"


def find_events(connection: duckdb.DuckDBPyConnection, events: Sequence[Event]) -> dict[str, Saved]:
    """Which of `events` are there, by id."""
    ids = [event.id for event in events]
    found = connection.execute(
        "SELECT id, seq, time FROM events WHERE id IN (SELECT unnest(?::UUID[]))", [ids]
    )
    return {str(row[0]): Saved(str(row[0]), row[1], row[2]) for row in found.fetchall()}


def insert_events(connection: duckdb.DuckDBPyConnection, rows: Sequence[Sequence[Any]]) -> None:
    """Add rows as `Event.row` gives them."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        connection.execute(
            f"INSERT INTO events ({COLUMN_LIST}) VALUES {', '.join([_MARKS] * len(some))}",
            [value for row in some for value in row],
        )


def refuse_erased(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> None:
    """ErasedError where one of the ids was erased."""
    query = "SELECT 1 FROM erased WHERE id IN (SELECT unnest(?::UUID[])) LIMIT 1"
    if ids and connection.execute(query, [list(ids)]).fetchone():
        raise ErasedError


def erase_events(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> None:
    """Take rows out, and keep their ids as erased."""
    if not ids:
        return
    gone = "(SELECT unnest(?::UUID[]))"
    connection.execute(
        "INSERT INTO erased SELECT DISTINCT unnest(?::UUID[]) ON CONFLICT DO NOTHING", [list(ids)]
    )
    for table in ("events", "claims"):
        connection.execute(f"DELETE FROM {table} WHERE id IN {gone}", [list(ids)])


def insert_studies(connection: duckdb.DuckDBPyConnection, studies: Sequence[KeptStudy]) -> None:
    """Add the versions of studies that are not there yet."""
    for study in studies:
        connection.execute(
            "INSERT INTO studies SELECT ?, ?, ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM studies WHERE version = ?)",
            [*study, study.version],
        )


def insert_claims(
    connection: duckdb.DuckDBPyConnection, claims: Mapping[str, str | None], doubles: Collection[str]
) -> None:
    """Keep what new events claim (`Event.claim`, by id); SlotTakenError where another has the claim of one
    that is not in `doubles`."""
    wanted = {name: claim for name, claim in claims.items() if claim}
    query = "INSERT INTO claims SELECT unnest(?::VARCHAR[]), unnest(?::UUID[]) ON CONFLICT DO NOTHING"
    if wanted:
        kept = connection.execute(f"{query} RETURNING id", [list(wanted.values()), list(wanted)]).fetchall()
        if set(wanted) - {str(name) for (name,) in kept} - set(doubles):
            raise SlotTakenError
