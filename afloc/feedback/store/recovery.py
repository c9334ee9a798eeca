"""Open the database file, whatever state it was left in.

DuckDB writes first to a log beside the file (`.wal`) and replays it when the file is opened. A log with
flipped bits makes it refuse to open; one that was cut is taken as far as it goes, without a word. So we keep
count of what was acknowledged in a small file of our own (`.saved`), set damaged files aside under a name
with the time, read what can be read, and say what happened. Only an error that tells of damage leads to that:
any other (no memory, too many open files, a disk that does not answer) may pass, and no file is touched.
"""

import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from afloc.errors import StoreError
from afloc.feedback.store.log import UnreachableError

# What DuckDB says of a file that was cut, has other bits than were written, or is none of its own.
_DAMAGE = re.compile(
    "[Cc]orrupt|not a valid DuckDB database file|Could not read enough bytes|Failed to deserialize|"
    "WAL does not match|WAL checkpoint iteration does not match|Failed to read WAL of version|"
    "Invalid WAL entry type|map::at"
)
_FILE_NAMED = re.compile('file "[^"]*"')
_REASONS = (
    "Permission denied",
    "Read-only file system",
    "No space left",
    "No such file",
    "Is a directory",
    "Input/output error",
    "Too many open files",
    "Out of Memory",
)
_NO_LOCKS = re.compile(
    'Could not set lock on file ".*": '
    "(No locks available|Function not implemented|Operation not supported|Invalid argument)"
)
log = logging.getLogger(__name__)


class StoreInUseError(StoreError):
    """Another process holds the database file."""


def open_database(path: Path, notices: list[str]) -> tuple[duckdb.DuckDBPyConnection, bytes]:
    """Connect to `path`, setting aside what is damaged; `notices` gets a sentence for each file.

    Returns the connection and the log as it was before (empty where there was none or it is set aside
    already). UnreachableError where the folder cannot be used just now, StoreInUseError where another process
    has the file open, StoreError where a newer DuckDB wrote it.
    """
    wal = log_path(path)
    with _folder_used():
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = wal.read_bytes() if wal.exists() else b""
    try:
        return _connect(path), kept
    except duckdb.Error as error:
        first = str(error)
    if kept:
        aside = set_aside(wal)
        position = re.search(r"entry at byte position (\d+)", first)
        readable = int(position.group(1)) if position else 0
        notices.append(
            f"The log of the last answers was damaged and set aside as {aside.name}; "
            f"its first {readable:,} of {len(kept):,} bytes were read."
        )
        if readable:
            with _folder_used():
                wal.write_bytes(kept[:readable])
            try:
                return _connect(path), b""
            except duckdb.Error:
                wal.unlink(missing_ok=True)
        notices[-1] = f"The log of the last answers was damaged, set aside as {aside.name} and not read."
        try:
            return _connect(path), b""
        except duckdb.Error:
            pass
    set_database_aside(path, notices)
    try:
        return _connect(path), b""
    except duckdb.Error:
        raise UnreachableError("The data folder cannot be used: no database can be created in it.") from None


def is_damage(error: duckdb.Error) -> bool:
    """Whether DuckDB says that the content of the file or its log is at fault."""
    return bool(_DAMAGE.search(_FILE_NAMED.sub("file", str(error))))  # whatever the folder is called


def unreachable(error: duckdb.Error) -> UnreachableError:
    """What to raise for any other error of DuckDB's on opening."""
    reason = next((each for each in _REASONS if each in str(error)), None)
    if reason is None:
        log.warning("The database cannot be opened: %s", error)
        return UnreachableError("The data folder cannot be used just now.")
    return UnreachableError(f"The data folder cannot be used: {reason}.")


def log_path(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def set_aside(path: Path) -> Path:
    """Rename a damaged file to a name with the time; its new path."""
    aside = _damaged_name(path)
    with _folder_used():
        path.rename(aside)
    return aside


def set_database_aside(path: Path, notices: list[str]) -> None:
    """`set_aside` the database itself, and say so."""
    aside = set_aside(path)
    notices.append(
        f"The database was damaged and set aside as {aside.name}; an empty one was started in its place."
    )


def keep_copy(path: Path, content: bytes) -> Path:
    """Write what a damaged log held before it was read."""
    aside = _damaged_name(path)
    with _folder_used():
        aside.write_bytes(content)
    return aside


def copy_database(path: Path, name: str) -> Path:
    """Copy a database that is closed and has no log to `name`.duckdb beside it; no file is overwritten."""
    number, copy = 1, path.with_name(f"{name}.duckdb")
    while copy.exists():
        number += 1
        copy = path.with_name(f"{name}-{number}.duckdb")
    part = copy.with_name(copy.name + ".part")
    with _folder_used():
        try:
            shutil.copy2(path, part)
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
            part.rename(copy)
        finally:
            part.unlink(missing_ok=True)
    return copy


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
            # Opened at its beginning and not cut: there is no moment without a count. Windows has no pwrite.
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            try:
                os.write(file, f"{store_id} {count:>20}\n".encode())
            finally:
                os.close(file)
        except OSError:
            pass  # the rows are safe; only the check at the next start knows less


@contextmanager
def _folder_used() -> Iterator[None]:
    """UnreachableError where the operating system refuses."""
    try:
        yield
    except OSError as error:
        raise UnreachableError(f"The data folder cannot be used: {error.strerror}.") from None


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
        if _NO_LOCKS.search(text):
            raise StoreError(
                "The file system of the data folder keeps no locks: choose a folder on a local disk with "
                "AFLOC_DATA_DIR."
            ) from None
        if "Could not set lock" in text:
            raise StoreInUseError(
                "Another AFLoc has this data folder open: close it, or give this one a folder of its own "
                "with AFLOC_DATA_DIR."
            ) from None
        if is_damage(error):
            raise
        if "newer" in text and "version" in text:
            raise StoreError(
                "The database was written by a newer DuckDB: install the newer version."
            ) from None
        raise unreachable(error) from None
