"""The tables of the store, and how an older file gets there."""

from afloc.feedback.events import COLUMNS

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

# One entry a schema version: the statements that lead to it from the one before. Only ever add to the end.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"CREATE TABLE events ({_TABLE}, PRIMARY KEY (id))",
        "CREATE TABLE notices (time TIMESTAMP, notice VARCHAR)",
        "CREATE TABLE studies (version VARCHAR, study VARCHAR, time TIMESTAMP, definition JSON)",
        _ANSWERS,
    ),
)
