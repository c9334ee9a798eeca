"""The tables of the store, and how an older file gets there."""

from afloc.feedback.store.events import COLUMNS, SLOT

_TABLE = ", ".join(f'"{column.name}" {column.type}' for column in COLUMNS)

# The answers that stand: feedback and readings neither replaced nor withdrawn. Of two that replace the same
# row (sent from two pages at once) the later one stands.
_ANSWERS = """
CREATE OR REPLACE VIEW answers AS
SELECT * EXCLUDE (place) FROM (
    SELECT *, row_number() OVER (PARTITION BY coalesce(replaces, id) ORDER BY seq DESC) AS place
    FROM events WHERE kind IN ('feedback', 'reading', 'withdrawal')
)
WHERE place = 1 AND kind <> 'withdrawal'
  AND id NOT IN (SELECT replaces FROM events WHERE replaces IS NOT NULL)
"""

# The same with one reading a slot: of several, the one saved last stands. The period is left out: a reader
# reads a case in an arm in one period only.
_REPLACED = "SELECT replaces FROM events WHERE replaces IS NOT NULL"
_ONE_A_SLOT = f"""
CREATE OR REPLACE VIEW answers AS
SELECT * EXCLUDE (place) FROM (
    SELECT *, row_number() OVER (PARTITION BY coalesce(replaces, id) ORDER BY seq DESC) AS place
    FROM events WHERE kind IN ('feedback', 'withdrawal')
)
WHERE place = 1 AND kind <> 'withdrawal' AND id NOT IN ({_REPLACED})
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
)
