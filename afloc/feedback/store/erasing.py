"""What was erased leaves the disk, too.

DuckDB only marks a deleted row; its bytes stay in the file. So the database, and each copy that was kept of
an earlier version of it, is written anew without the rows when it is closed, under another name, and then
takes the old one's place. A mark in the table `store` says that this is still to be done; whoever opens the
file next does it.
"""

import os
from pathlib import Path

import duckdb

from afloc.feedback.store.recovery import log_path

REWRITE = "to_be_rewritten"  # the key of the mark


def is_to_be_rewritten(connection: duckdb.DuckDBPyConnection) -> bool:
    query = "SELECT 1 FROM store WHERE key = ?"
    try:
        return bool(connection.execute(query, [REWRITE]).fetchone())
    except duckdb.Error:
        return False


def rewrite_erased(path: Path) -> list[str]:
    """Write a closed database and its kept copies anew, without what was erased; returns sentences on files
    in which erased rows may still be, as they cannot be read.

    duckdb.Error or OSError where that fails; the files are then as they were, and it can be done again.
    """
    with duckdb.connect(path) as connection:
        ids = [str(name) for (name,) in connection.execute("SELECT id FROM erased").fetchall()]
        connection.execute("CHECKPOINT")
    for copy in sorted(path.parent.glob(f"{path.stem}.v*{path.suffix}")):
        _rewrite(copy, ids)
    _rewrite(path, ids)
    damaged = sorted(path.parent.glob(f"{path.name}*.damaged-*"))
    return [f"Erased rows may still be in {each.name}, which cannot be read: delete it." for each in damaged]


def _rewrite(path: Path, ids: list[str]) -> None:
    part = path.with_name(path.name + ".part")
    for left in (part, log_path(part)):
        left.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH {_quote(path)} AS old")
        gone = "(SELECT unnest(?::UUID[]))"
        found = connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'old'")
        for (table,) in found.fetchall():
            if table in ("events", "claims"):
                connection.execute(f"DELETE FROM old.{table} WHERE id IN {gone}", [ids])
        connection.execute("CHECKPOINT old")
        connection.execute(f"ATTACH {_quote(part)} AS fresh")
        connection.execute("COPY FROM DATABASE old TO fresh")
        connection.execute("DELETE FROM fresh.store WHERE key = ?", [REWRITE])
        connection.execute("CHECKPOINT fresh")
        connection.execute("DETACH fresh")
        connection.execute("DETACH old")
    with open(part, "rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)


def _quote(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
