"""Folders that a process locks as long as it lives, so that what a killed one left is known and removed.

Beside each folder lies a file NAME.lock, locked by the process that made the folder. The system ends a lock
with its process, however that ends.
"""

import os
import secrets
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from afloc.errors import SettingsError

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
        if fcntl:
            fcntl.flock(locked.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.mkdir(mode=0o700)  # after its lock: a folder without one is left over
    except OSError:
        locked.remove()
        raise
    return locked


def remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders below `parent` that `lock_folder` named with `prefix` and that no process locks."""
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


def private_folder(name: str) -> Path:
    """This user's folder `name` among the system's temporary ones, the same at each start.

    SettingsError where another user made it.
    """
    user = os.getuid() if hasattr(os, "getuid") else None  # Windows has a temporary folder for each user
    path = Path(tempfile.gettempdir()) / (name if user is None else f"{name}-{user}")
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or user not in (None, found.st_uid):
        raise SettingsError(f"{path} was made by another user: remove it, or set TMPDIR to another folder.")
    path.chmod(0o700)
    return path
