"""A log: where the rows of a store are kept. `LocalLog` is a DuckDB file, `PostgresLog` a shared server.

Rows are only ever added to it. It is read as the DuckDB tables of `schema`.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

import duckdb

from afloc.errors import StoreError
from afloc.feedback.store.events import Event

NOT_SAVED = "Not saved: the data folder is full or cannot be written to; please try again."
NOT_READ = "The data folder cannot be read just now; please try again."


class UnreachableError(StoreError):
    """The data folder is full, read-only, missing or cannot be read, or the server is away; this may pass."""


class UnfitError(StoreError):
    """The database does not take a value of this batch; nothing of it is saved."""

    def __init__(self):
        super().__init__("Not saved: a value does not fit.")


class UncertainError(StoreError):
    """The commit failed; the rows may be saved all the same."""

    def __init__(self):
        super().__init__(NOT_SAVED)


@dataclass(frozen=True)
class Saved:
    """A row that is on the disk: its id, its number in the order of saving, when it was received (UTC)."""

    id: str
    seq: int
    time: datetime


class KeptStudy(NamedTuple):
    """A study's definition, as JSON text, as it was when answers were given."""

    version: str
    study: str
    time: datetime
    definition: str


@dataclass(frozen=True)
class Batch:
    """What is committed together, all or none.

    `doubles`: ids of the events that may be one more reading of a slot that has one. `check`: write something
    even if there are no events, to see whether that works.
    """

    events: Sequence[Event] = ()
    studies: Sequence[KeptStudy] = ()
    doubles: AbstractSet[str] = frozenset()
    check: bool = False


def join(batches: Iterable[Batch]) -> Batch:
    batches = list(batches)
    return Batch(
        [event for batch in batches for event in batch.events],
        [study for batch in batches for study in batch.studies],
        {name for batch in batches for name in batch.doubles},
        any(batch.check for batch in batches),
    )


class Log(Protocol):
    """Rows in the order of saving. One thread, the writer, calls `commit` and `find`; any thread the others.

    `notices`: sentences about damage that could not be written into the log yet.
    """

    notices: list[str]

    def open(self) -> None:
        """UnreachableError where that may pass; `commit` and `find` then try again."""

    def commit(self, batch: Batch) -> dict[str, Saved]:
        """Add a batch, then say for each of its events where it is, by id; one that was there stays as it is.

        A tombstone takes its rows out in the same step, for good. SlotTakenError, ErasedError, UnfitError: it
        cannot be added. UncertainError: see there. Any other StoreError:
        nothing is added, and the log cannot be reached.
        """

    def find(self, events: Sequence[Event]) -> dict[str, Saved]:
        """Those of `events` that are in the log, by id. StoreError where it cannot be read."""

    def connection(self) -> duckdb.DuckDBPyConnection | None:
        """The tables to read from, with all that is in the log; None where it is not open."""

    @property
    def last_seq(self) -> int:
        """The number of the last row, 0 without any."""

    def is_full(self) -> bool:
        """Whether there is no room for another row."""

    def close(self) -> None: ...
