"""Folders that a process locks as long as it lives, so that what a killed one left is known and removed.

Beside each folder lies a file NAME.lock, locked by the process that made the folder. The system ends a lock
with its process, however that ends.
"""

import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from afloc.files import NO_LOCKS

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that a process has open
    fcntl = None  # type: ignore[assignment]  # no module


@dataclass(frozen=True)
class LockedFolder:
    """`path`: a folder that only its owner may enter."""

    path: Path
    lock: FileIO

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self.lock.close()
        with suppress(OSError):
            _lock_of(self.path).unlink()


def lock_folder(parent: Path, prefix: str) -> LockedFolder:
    """A new folder below `parent`, named `prefix` and 128 random bits. OSError where it cannot be made."""
    parent.mkdir(parents=True, exist_ok=True)
    path = parent / (prefix + secrets.token_urlsafe(16))
    locked = LockedFolder(path, FileIO(_lock_of(path), "w"))
    try:
        _lock(locked.lock)
        path.mkdir(mode=0o700)  # after its lock: a folder without one is left over
    except OSError:
        locked.remove()
        raise
    return locked


def _lock(file: FileIO) -> None:
    """OSError where another process holds it; nothing where the file system keeps no locks."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders below `parent` that `lock_folder` named with `prefix` and that no process locks.

    Where the file system keeps no locks nobody can tell, and they stay.
    """
    for path in parent.glob(f"{prefix}*"):
        if path.is_dir():
            with suppress(OSError):  # locked, or another process removes it just now
                _remove_free(path)


def _remove_free(path: Path) -> None:
    lock = _lock_of(path)
    if fcntl is None:
        lock.unlink(missing_ok=True)
    elif lock.exists():
        with open(lock, "rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    shutil.rmtree(path, ignore_errors=True)
    lock.unlink(missing_ok=True)


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")
