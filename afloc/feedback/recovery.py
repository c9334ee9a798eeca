"""Open the database file, whatever state it was left in.

DuckDB writes first to a log beside the file (`.wal`) and replays it when the file is opened. A log with
flipped bits makes it refuse to open; one that was cut is taken as far as it goes, without a word. So we keep
count of what was acknowledged in a small file of our own (`.saved`), set damaged files aside under a name
with the time, read what can be read, and say what happened.
"""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from afloc.errors import StoreError

_UNREACHABLE = (
    "Permission denied",
    "Read-only file system",
    "No space left",
    "No such file",
    "Is a directory",
)


class StoreInUseError(StoreError):
    """Another process holds the database file."""


class UnreachableError(StoreError):
    """The data folder is full, read-only or missing; this may pass."""


def open_database(path: Path) -> tuple[duckdb.DuckDBPyConnection, list[str], bytes]:
    """Connect to `path`, setting aside what is damaged.

    Returns the connection, a sentence for each file set aside, and the log as it was before (empty where
    there was none or it is set aside already). UnreachableError where the folder cannot be used,
    StoreInUseError where another process has the file open, StoreError where a newer DuckDB wrote it.
    """
    log = log_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = log.read_bytes() if log.exists() else b""
    except OSError as error:
        raise UnreachableError(f"The data folder cannot be used: {error.strerror}.") from None
    try:
        return _connect(path), [], kept
    except duckdb.Error as error:
        first = str(error)
    notices = []
    if kept:
        aside = set_aside(log)
        position = re.search(r"entry at byte position (\d+)", first)
        readable = int(position.group(1)) if position else 0
        notices.append(
            f"The log of the last answers was damaged and set aside as {aside.name}; "
            f"its first {readable:,} of {len(kept):,} bytes were read."
        )
        if readable:
            log.write_bytes(kept[:readable])
            try:
                return _connect(path), notices, b""
            except duckdb.Error:
                log.unlink(missing_ok=True)
        notices[-1] = f"The log of the last answers was damaged, set aside as {aside.name} and not read."
        try:
            return _connect(path), notices, b""
        except duckdb.Error:
            pass
    aside = set_aside(path)
    notices.append(
        f"The database was damaged and set aside as {aside.name}; an empty one was started in its place."
    )
    try:
        return _connect(path), notices, b""
    except duckdb.Error:
        raise UnreachableError("The data folder cannot be used: no database can be created in it.") from None


def log_path(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def set_aside(path: Path) -> Path:
    """Rename a damaged file to a name with the time; its new path."""
    aside = _damaged_name(path)
    path.rename(aside)
    return aside


def keep_copy(path: Path, content: bytes) -> Path:
    """Write what a damaged log held before it was read."""
    aside = _damaged_name(path)
    aside.write_bytes(content)
    return aside


class SavedCount:
    """How many rows have been acknowledged, in a file beside the database; written after each commit.

    Not flushed to the disk itself: it may fall behind after a power failure, it is never ahead.
    """

    def __init__(self, path: Path):
        self._path = path.with_name(path.name + ".saved")

    def read(self, store_id: str) -> int:
        """The count, 0 where there is none for this store."""
        try:
            name, count = self._path.read_text(encoding="ascii").split()
            return int(count) if name == store_id else 0
        except (OSError, ValueError):
            return 0

    def write(self, store_id: str, count: int) -> None:
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(file, f"{store_id} {count:>20}\n".encode(), 0)
            finally:
                os.close(file)
        except OSError:
            pass  # the rows are safe; only the check at the next start knows less


def _damaged_name(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    return aside


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    """duckdb.Error only where the content is at fault."""
    try:
        return duckdb.connect(path)
    except duckdb.Error as error:
        text = str(error)
        if "Could not set lock" in text:
            raise StoreInUseError(
                "Another AFLoc has this data folder open: close it, or give this one a folder of its own "
                "with AFLOC_DATA_DIR."
            ) from None
        if reason := next((each for each in _UNREACHABLE if each in text), None):
            raise UnreachableError(f"The data folder cannot be used: {reason}.") from None
        if "newer" in text and "version" in text:
            raise StoreError(
                "The database was written by a newer DuckDB: install the newer version."
            ) from None
        raise
