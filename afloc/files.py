"""Files and folders that appear whole or not at all, and temporary ones of this user alone.

The first are written in a temporary folder on the same disk and moved in place at the end. An error in
between leaves what was there before, and no temporary folder.
"""

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from afloc.errors import SettingsError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # no module

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
SECONDS_TO_DIE = 30.0  # after which a file that stands for a lock belongs to nobody any more
SECONDS_TO_LOOK = 0.02
_work: Path | None = None


def work_in(folder: Path | None) -> None:
    """Have `temporary_folder` make its folders in this one; None: among the system's."""
    global _work
    _work = folder


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for what may not stay, removed at the end. A server has it in a folder that the next one
    removes, should this one be killed (`work_in`)."""
    with tempfile.TemporaryDirectory(dir=_work) as folder:
        yield Path(folder)


@contextmanager
def folder_beside(path: Path, alone: bool = False) -> Iterator[Path]:
    """A temporary folder beside `path`, removed at the end.

    `alone`: True where only one process at a time writes `path`. The temporary folder then has a fixed name,
    and what a killed process left there is removed first.
    """
    if alone:
        folder = path.with_name(f".writing-{path.name}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    else:
        folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def whole_file(path: Path, alone: bool = False) -> Iterator[Path]:
    """Give the path to write to; at the end of the block the file takes the place of `path`.

    `alone`: as of `folder_beside`. Without it several processes may write `path` at once: the last one stays.
    """
    with folder_beside(path, alone) as folder:
        yield folder / path.name
        (folder / path.name).replace(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill; at the end of the block it becomes `path`.

    Several processes may write the same folder at once: the first one stays. OSError where `path` is a file.
    """
    with folder_beside(path) as folder:
        written = folder / path.name
        written.mkdir()
        yield written
        try:
            written.rename(path)
        except OSError:  # another process was faster
            if not path.is_dir():
                raise


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let one process at a time into the block; others wait. `path`: an empty file that names the lock.

    Where the file system keeps no locks, as some network drives, a second file stands for one. Threads of a
    process need a lock of their own.
    """
    with open(path, "w") as lock:
        if _locks(lock.fileno()):
            yield
            return
        held = path.with_name(f"{path.name}.held")
        _make_alone(held)
        try:
            yield
        finally:
            held.unlink(missing_ok=True)


def _locks(file: int) -> bool:
    """Lock the file; False where the file system keeps no locks."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return fcntl is not None


def _make_alone(path: Path) -> None:
    """Make a file that is not there; wait while it is. One that a process left behind when it was killed is
    told by not changing for SECONDS_TO_DIE, as this process counts them: clocks may differ."""
    seen, since = None, time.monotonic()
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return
        except FileExistsError:
            with suppress(FileNotFoundError):
                found = path.stat()
                if (found.st_ino, found.st_mtime_ns) != seen:
                    seen, since = (found.st_ino, found.st_mtime_ns), time.monotonic()
                elif time.monotonic() > since + SECONDS_TO_DIE:
                    path.unlink()
        time.sleep(SECONDS_TO_LOOK)


def write_text(path: Path, text: str) -> None:
    """Write `text` and a line end in UTF-8, whole or not at all."""
    with whole_file(path) as written:
        written.write_text(text + "\n", encoding="utf-8")


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
