"""The tables of the store, and how an older file gets there."""

from uuid import uuid4

import duckdb

from afloc.errors import StoreError
from afloc.feedback.store.events import ADDED, COLUMNS, SLOT

_TABLE = ", ".join(f'"{column.name}" {column.type}' for column in COLUMNS)

# The answers that stand: feedback and readings neither replaced nor withdrawn. Of two that replace the same
# row (sent from two pages at once) the later one stands.
_ANSWERS = """
CREATE OR REPLACE VIEW answers AS
SELECT * EXCLUDE (rank) FROM (
    SELECT *, row_number() OVER (PARTITION BY coalesce(replaces, id) ORDER BY seq DESC) AS rank
    FROM events WHERE kind IN ('feedback', 'reading', 'withdrawal')
)
WHERE rank = 1 AND kind <> 'withdrawal'
  AND id NOT IN (SELECT replaces FROM events WHERE replaces IS NOT NULL)
"""

# The same with one reading a slot: of several, the one saved last stands. The period is left out: a reader
# reads a case in an arm in one period only.
_REPLACED = "SELECT replaces FROM events WHERE replaces IS NOT NULL"
_ONE_A_SLOT = f"""
CREATE OR REPLACE VIEW answers AS
SELECT * EXCLUDE (rank) FROM (
    SELECT *, row_number() OVER (PARTITION BY coalesce(replaces, id) ORDER BY seq DESC) AS rank
    FROM events WHERE kind IN ('feedback', 'withdrawal')
)
WHERE rank = 1 AND kind <> 'withdrawal' AND id NOT IN ({_REPLACED})
UNION ALL
SELECT * FROM events WHERE kind = 'reading' AND id NOT IN ({_REPLACED})
QUALIFY row_number() OVER (PARTITION BY study, reader, case_id, arm, repeat ORDER BY seq DESC) = 1
"""

# `events.claim_of` in SQL, of a reading.
CLAIM = "sha256(concat_ws(chr(31), " + ", ".join(SLOT) + ", coalesce(CAST(replaces AS VARCHAR), '')))"
_WHOLE_SLOT = " AND ".join(f"{name} IS NOT NULL" for name in SLOT)


# One entry a schema version: the statements that lead to it from the one before. Only ever add to the end.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"CREATE TABLE events ({_TABLE}, PRIMARY KEY (id))",
        "CREATE TABLE notices (time TIMESTAMP, notice VARCHAR)",
        "CREATE TABLE studies (version VARCHAR, study VARCHAR, time TIMESTAMP, definition JSON)",
        _ANSWERS,
    ),
    (
        "CREATE TABLE claims (claim VARCHAR PRIMARY KEY, id UUID)",
        f"INSERT INTO claims SELECT {CLAIM} AS claim, min_by(id, seq) FROM events "
        f"WHERE kind = 'reading' AND {_WHOLE_SLOT} GROUP BY claim",
        _ONE_A_SLOT,
    ),
    (
        *(
            f'ALTER TABLE events ADD COLUMN IF NOT EXISTS "{c.name}" {c.type}'
            for c in COLUMNS
            if c.name in ADDED
        ),
        _ONE_A_SLOT,  # a view has the columns that its table had when it was made
    ),
    ('ALTER TABLE events ADD COLUMN IF NOT EXISTS "active_ms" BIGINT', _ONE_A_SLOT),
    ("CREATE TABLE erased (id UUID PRIMARY KEY)",),  # what no import may bring back
)


def prepare(connection: duckdb.DuckDBPyConnection) -> tuple[str, int]:
    """Bring the tables up to date and read through rows and index; the store's id, and the last row's number.

    duckdb.Error where that fails, StoreError for a database that a newer AFLoc wrote.
    """
    connection.execute("CREATE TABLE IF NOT EXISTS store (key VARCHAR PRIMARY KEY, value VARCHAR)")
    values = dict(connection.execute("SELECT key, value FROM store").fetchall())
    version = int(values.get("schema", 0))
    if version > len(MIGRATIONS):
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
    query = "SELECT count(hash(events)), max(seq), max(id) FROM events"
    ((_, last, name),) = connection.execute(query).fetchall()
    connection.execute("SELECT seq FROM events WHERE id = ?", [name])  # in the index
    return values["id"], last or 0


def older_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The schema of a database that holds rows and is older than this one; None for any other."""
    tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not {"store", "events"} <= tables:
        return None
    ((version,),) = connection.execute("SELECT max(value) FROM store WHERE key = 'schema'").fetchall()
    ((rows,),) = connection.execute("SELECT count(*) FROM events").fetchall()
    return int(version) if version and rows and int(version) < len(MIGRATIONS) else None
