"""Rows taken out for good: those of one reader, or of one image, when they ask for it; with a tombstone.

A tombstone is a row of kind "erasure": when, of which study, what was asked for and how many rows of each
kind are gone, with their ids, which are random. It goes wherever rows go, into every copy and export. Whoever
takes it in deletes the rows and never takes them in again, so that no old backup or export brings them back.
"""

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from afloc.errors import DataError, StoreError
from afloc.feedback.store.events import Event, SlotTakenError
from afloc.feedback.store.store import Store

READER, IMAGE, AGE = "reader", "image", "age"
IDS_AT_ONCE = 10_000  # in one tombstone
SECONDS_BETWEEN_LOOKS = 3600.0
NOTHING = "There is nothing to erase: no row is of them."
log = logging.getLogger(__name__)
_SAID = {
    READER: "of one reader, who asked for it",
    IMAGE: "of one image, as was asked for",
    AGE: "that were older than they may be kept",
}


@dataclass(frozen=True)
class Erasure:
    """What is to be erased: `of` READER, IMAGE or AGE; the study, None for the Probe tab or several; the ids,
    and how many rows of each kind."""

    of: str
    study: str | None
    ids: tuple[str, ...]
    kinds: tuple[tuple[str, int], ...]

    @property
    def rows(self) -> int:
        return len(self.ids)

    @property
    def key(self) -> str:
        """SHA-256 of the sorted ids, hexadecimal: just the rows that were counted are erased."""
        return hashlib.sha256("\n".join(sorted(self.ids)).encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.rows:,} rows ({', '.join(f'{count:,} {kind}' for kind, count in self.kinds)})"


def of_reader(store: Store, reader: str, study: str | None) -> Erasure:
    """All that a reader did in a study; None: what somebody signed in by this name said in the Probe tab."""
    where = "reader = ? AND study IS NOT DISTINCT FROM ? AND kind <> 'erasure'"
    return _select(store, READER, study, where, [reader, study])


def of_image(store: Store, digests: Sequence[str], study: str | None = None) -> Erasure:
    """All that was said of an image, in one study or (None) anywhere; `digests`: of it, and of its frames."""
    where = (
        "(list_contains(?::VARCHAR[], image_digest) OR (image_digest IS NULL AND (study, case_id) IN "
        "(SELECT (study, case_id) FROM events WHERE list_contains(?::VARCHAR[], image_digest) "
        "AND case_id IS NOT NULL))) AND study IS NOT DISTINCT FROM coalesce(?, study)"
    )
    return _select(store, IMAGE, study, where, [list(digests), list(digests), study])


def digests_of_case(store: Store, study: str, case_id: str) -> list[str]:
    """The images that a case of a study was read with; DataError where nobody has read it."""
    rows = store.rows(
        "SELECT DISTINCT image_digest FROM events WHERE study = ? AND case_id = ? "
        "AND image_digest IS NOT NULL ORDER BY 1",
        [study, case_id],
    )
    if not rows:
        raise DataError(f"No reading of a case {case_id!r} of the study {study} is kept.")
    return [row["image_digest"] for row in rows]


def of_age(store: Store, days: float) -> Erasure:
    """All rows that are older than so many days; tombstones stay."""
    until = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    return _select(store, AGE, None, "time < ? AND kind <> 'erasure'", [until])


def keep_for(store: Store, days: float, clock: Callable[[], float] = time.monotonic) -> Callable[[], None]:
    """A function to call now and then: at most once an hour it erases what is older than so many days."""
    next_time = 0.0

    def erase_old() -> None:
        nonlocal next_time
        if clock() < next_time:
            return
        try:
            if (old := of_age(store, days)).ids:
                erase(store, old)
                log.info("%s were erased: they were older than %g days.", old, days)
            next_time = clock() + SECONDS_BETWEEN_LOOKS
        except StoreError as error:  # the store may be away; it is tried again
            log.warning("What is too old could not be erased: %s", error)

    return erase_old


def erase(store: Store, wanted: Erasure) -> int:
    """Take the rows out and leave a tombstone; returns how many. All or none; DataError where there are none.

    Where the process dies meanwhile, the next one that opens the store goes on with what is left of it: the
    file is written anew, so that nothing of the rows stays on the disk.
    """
    if not wanted.ids:
        raise DataError(NOTHING)
    try:
        store.record_all(list(_tombstones(wanted)))
    except SlotTakenError:  # somebody else erases the same at this moment
        raise DataError(NOTHING) from None
    return wanted.rows


def erasures(store: Store, study: str | None) -> list[str]:
    """A sentence for each erasure of a study, or (None) for all."""
    rows = store.rows(
        "SELECT time, study, answers FROM events WHERE kind = 'erasure' AND study IS NOT DISTINCT FROM "
        "coalesce(?, study) ORDER BY seq",
        [study],
    )
    return [
        f"{row['time']:%Y-%m-%d %H:%M} UTC: {sum(row['answers']['rows'].values()):,} rows were erased "
        f"{_SAID.get(row['answers']['of'], 'on request')}."
        for row in rows
    ]


def _select(store: Store, of: str, study: str | None, where: str, parameters: Sequence) -> Erasure:
    """The rows that fulfil `where`, and those that take them back."""
    chosen = f"SELECT id FROM events WHERE {where}"
    rows = store.rows(
        f"SELECT id, kind FROM events WHERE id IN ({chosen}) "
        f"OR (kind = 'withdrawal' AND replaces IN ({chosen})) ORDER BY seq",
        [*parameters, *parameters],
    )
    kinds = Counter(row["kind"] for row in rows)
    return Erasure(of, study, tuple(row["id"] for row in rows), tuple(sorted(kinds.items())))


def _tombstones(wanted: Erasure) -> Iterable[Event]:
    names = dict.fromkeys(wanted.ids)
    for start in range(0, len(wanted.ids), IDS_AT_ONCE):
        ids = list(names)[start : start + IDS_AT_ONCE]
        rows = dict(wanted.kinds) if start == 0 else {}  # counted once
        yield Event("erasure", study=wanted.study, answers={"of": wanted.of, "rows": rows, "ids": ids})
