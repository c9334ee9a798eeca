"""The tables of a Postgres server that several AFLocs share.

They are only ever added to: `afloc_events` and `afloc_studies` with `place` (the number in the order of
saving, from 1), `id`, and `row`, the rest as JSON text; `afloc_claims`, whose key lets a slot have one
reading. Whoever adds rows holds the table until the commit. So the numbers have no gap and appear in their
order, and to read what is new is to read behind the last number.
"""

import json
import threading
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from afloc.errors import SettingsError
from afloc.feedback.store.events import ErasedError, SlotTakenError, claim_of
from afloc.feedback.store.log import UnreachableError

EVENTS, STUDIES, CLAIMS = "afloc_events", "afloc_studies", "afloc_claims"
ERASED = "afloc_erased"
CONNECT_SECONDS = 10
ROWS_AT_ONCE = 5_000  # rows read together

_CREATE = (
    "".join(
        f"CREATE TABLE IF NOT EXISTS {table} "
        "(place BIGINT PRIMARY KEY, id TEXT UNIQUE NOT NULL, row TEXT NOT NULL);"
        for table in (EVENTS, STUDIES)
    )
    + f"CREATE TABLE IF NOT EXISTS {ERASED} (id TEXT PRIMARY KEY);"
)
_CREATE_CLAIMS = f"CREATE TABLE {CLAIMS} (claim TEXT PRIMARY KEY, id TEXT NOT NULL)"
_ADD_CLAIMS = (
    f"INSERT INTO {CLAIMS} SELECT * FROM unnest(%s::TEXT[], %s::TEXT[]) ON CONFLICT DO NOTHING RETURNING id"
)
_CREATING = 0x41464C6F63  # one AFLoc at a time creates the tables


def is_url(location: Any) -> bool:
    return str(location).startswith(("postgresql://", "postgres://"))


class PostgresTables:
    """A connection for what is added and one for what is read, opened when wanted and again after a failure.

    UnreachableError where the server cannot be reached or asked; nothing is added then, or all of it is and
    adding it again changes nothing.
    """

    def __init__(self, url: str):
        try:
            import psycopg
        except ImportError:
            raise SettingsError(
                'AFLOC_DATA_URL needs a Postgres client: pip install "psycopg[binary]".'
            ) from None
        self._psycopg, self._url = psycopg, url
        self._connections: dict[str, Any] = {}
        self._lock = threading.Lock()

    def add(
        self,
        table: str,
        rows: Sequence[tuple[str, dict]],
        claims: Mapping[str, str | None] | None = None,
        doubles: Container[str] = (),
        erases: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Add (id, row) in one transaction; one whose id is there already is left as it is.

        `claims`: what a row claims (`events.claim_of`), by id. SlotTakenError where another row has the claim
        of a new one that is not in `doubles`; then nothing is added. `erases`: the ids of the rows that a
        tombstone takes out, by its id; ErasedError for a row that was erased.
        """

        def insert(connection: Any) -> None:
            with connection.transaction():
                connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
                ids = [name for name, _ in rows]
                known = connection.execute(f"SELECT id FROM {table} WHERE id = ANY(%s)", [ids]).fetchall()
                (last,) = connection.execute(f"SELECT coalesce(max(place), 0) FROM {table}").fetchone()
                fresh: dict[str, dict] = {}
                for name, row in rows:
                    if (name,) not in known:
                        fresh.setdefault(name, row)
                if connection.execute(
                    f"SELECT 1 FROM {ERASED} WHERE id = ANY(%s) LIMIT 1", [list(fresh)]
                ).fetchone():
                    raise ErasedError
                wanted = {name: claims[name] for name in fresh if claims and claims[name]}
                kept = connection.execute(_ADD_CLAIMS, [list(wanted.values()), list(wanted)]).fetchall()
                if any((name,) not in kept and name not in doubles for name in wanted):
                    raise SlotTakenError
                with connection.cursor() as cursor:
                    cursor.executemany(
                        f"INSERT INTO {table} VALUES (%s, %s, %s)",
                        [(n, name, json.dumps(row)) for n, (name, row) in enumerate(fresh.items(), last + 1)],
                    )

                gone = [each for name in fresh for each in (erases or {}).get(name, ())]
                if gone:
                    _erase(connection, gone)

        self._ask("adding", insert)
        if erases and any(erases.values()):
            self._ask("adding", _vacuum)

    def after(self, table: str, number: int) -> list[tuple[int, str, dict]]:
        """The next rows behind `number`, at most ROWS_AT_ONCE: (number, id, row)."""
        query = f"SELECT place, id, row FROM {table} WHERE place > %s ORDER BY place LIMIT {ROWS_AT_ONCE}"
        found = self._ask("reading", lambda connection: connection.execute(query, [number]).fetchall())
        return [(place, name, json.loads(row)) for place, name, row in found]

    def close(self) -> None:
        with self._lock:
            for connection in self._connections.values():
                connection.close()
            self._connections = {}

    def _ask(self, purpose: str, question: Callable[[Any], Any]) -> Any:
        """Answer from the connection of this purpose; once more on a new one if it had broken."""
        for attempt in (1, 2):
            try:
                return question(self._connect(purpose))
            except self._psycopg.Error:
                with self._lock:
                    connection = self._connections.pop(purpose, None)
                if connection is not None:
                    connection.close()
                if connection is None or attempt == 2:
                    raise UnreachableError("The database server cannot be reached or used.") from None

    def _connect(self, purpose: str) -> Any:
        with self._lock:
            if purpose not in self._connections:
                connection = self._psycopg.connect(
                    self._url, autocommit=True, connect_timeout=CONNECT_SECONDS
                )
                with connection.transaction():
                    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_CREATING])
                    connection.execute(_CREATE)
                    if connection.execute("SELECT to_regclass(%s)", [CLAIMS]).fetchone() == (None,):
                        connection.execute(_CREATE_CLAIMS)
                        _claim_saved(connection)
                self._connections[purpose] = connection
            return self._connections[purpose]


def _erase(connection: Any, ids: list[str]) -> None:
    connection.execute(
        f"INSERT INTO {ERASED} SELECT DISTINCT unnest(%s::TEXT[]) ON CONFLICT DO NOTHING", [ids]
    )
    for table in (EVENTS, CLAIMS):
        connection.execute(f"DELETE FROM {table} WHERE id = ANY(%s)", [ids])


def _vacuum(connection: Any) -> None:
    """Write the tables anew, so that nothing of the rows stays in their files."""
    for table in (EVENTS, CLAIMS):
        connection.execute(f"VACUUM FULL {table}")


def _claim_saved(connection) -> None:
    """Keep the claims of the readings that an earlier AFLoc saved; of double ones, the first has it."""
    with connection.cursor(name="readings") as cursor:  # on the server: a part of the rows at a time
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(f"SELECT id, row FROM {EVENTS} ORDER BY place")
        claims: dict[str, str] = {}
        for name, row in cursor:
            if claim := claim_of(json.loads(row)):
                claims.setdefault(claim, name)
    connection.execute(_ADD_CLAIMS, [list(claims), list(claims.values())])
