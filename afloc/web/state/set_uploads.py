"""Sets that are uploaded: a table and its images, or a ZIP file of them, kept only while their page is open.

The readers of sets need files, so these lie in a folder of their own until the set is dropped, unused for
half an hour, or its server was killed and one starts or goes on in the same data folder.
"""

import errno
import io
import re
import struct
import threading
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from afloc.errors import DataError
from afloc.evaluation.datasets.dataset import TABLES
from afloc.web.security.rate_limits import client
from afloc.web.state.locked_folders import LockedFolder, lock_folder, remove_abandoned
from afloc.web.state.open_images import IDLE_SECONDS

PREFIX = "upload-"  # of the names of uploaded sets
MOST_FILES = 4000
MOST_ENTRIES = 4 * MOST_FILES  # of a ZIP file: folders and what desktops leave in it, too
MOST_SETS = 8
IN_USE_SECONDS = 120.0  # since a set was last asked for; the page asks every second while one is evaluated
LONGEST_NAME = 255  # bytes; file systems take no more
CHUNK = 1 << 20
DAMAGED = "The ZIP file is damaged or locked: please pack it again."
UNUSUAL = "The ZIP file is packed in an unusual way: please pack it with Deflate."
GONE = "The server no longer holds this set; please open it again."
_DAMAGE = (  # what zipfile raises over a file that is none
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, ArithmeticError, LookupError),
)
_NAME_TROUBLE = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EINVAL)


@dataclass
class Uploaded:
    """A set's folder, who sent it, what it weighs, and whether and when it was last asked for.

    `turn`: one file at a time goes in.
    """

    locked: LockedFolder
    owner: str = ""
    size: int = 0
    files: int = 0
    last_used: float = 0.0
    asked: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)


class SetUploads:
    """Uploaded sets by name, below `folder`, each of at most `limit` bytes unpacked; safe among threads.

    A name holds 128 random bits and is the only way to a set. Several processes may share the folder.
    """

    def __init__(self, folder: Path, limit: int, clock: Callable[[], float] = time.monotonic):
        self._folder = folder
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._sets: dict[str, Uploaded] = {}
        remove_abandoned(folder, PREFIX)

    def add(self, content: bytes, name: str, key: str | None = None) -> str:
        """Put a file, or what a ZIP file holds, into a set (without `key`: a new one); the set's name.

        DataError where it is too much, or no file of a set. The set is dropped where anything goes wrong.
        """
        if not name.strip():
            raise DataError("The file has no name; please send it with its own.")
        try:
            key, found = self._begin() if key is None else (key, self._find(key))
            if found is None:
                raise DataError(GONE)
            with found.turn:
                if Path(name).suffix.lower() == ".zip":
                    self._unpack(content, found)
                else:
                    self._write(found, name, io.BytesIO(content))
        except OSError as error:
            dropped = key is not None and self._find(key) is None  # by its page, in the middle
            self.drop(key)
            raise DataError(GONE if dropped else _explain_disk(error)) from None
        except BaseException:
            self.drop(key)
            raise
        return key

    def folder(self, key: str) -> Path | None:
        """The folder of a set, or None where there is none (any more)."""
        found = self._find(key)
        return None if found is None else found.locked.path

    def table(self, key: str) -> Path | None:
        """What `read_dataset` reads of a set: the one table beside everything else, or the folder."""
        folder = self.folder(key)
        if folder is None:
            return None
        if not (folder / "set").is_dir():
            raise DataError("There is no file of a set in it: please give a table and its images.")
        root = _root(folder / "set")
        tables = [path for path in sorted(root.iterdir()) if path.suffix.lower() in TABLES]
        return tables[0] if len(tables) == 1 else root

    def drop(self, key: str | None) -> None:
        with self._lock:
            self._drop(key)

    def sweep(self) -> None:
        """Drop the sets unused for IDLE_SECONDS, and what a run still wrote of one that was dropped."""
        with self._lock:
            self._drop_stale()
        remove_abandoned(self._folder, PREFIX)

    def _begin(self) -> tuple[str, Uploaded]:
        with self._lock:
            self._drop_stale()
            if len(self._sets) >= MOST_SETS:
                self._make_room(client.get())
            begun = Uploaded(lock_folder(self._folder, PREFIX), client.get(), last_used=self._clock())
            key = begun.locked.path.name
            self._sets[key] = begun
            return key, begun

    def _make_room(self, owner: str) -> None:
        """Drop a set of the client who has most, so that nobody keeps the others out: one that nobody asked
        for since it was begun, or else the longest unused.

        DataError where that would be a set in use of a client who has no more than this one.
        """
        counts = Counter(each.owner for each in self._sets.values())
        greedy = max(counts, key=lambda name: (counts[name], name == owner))
        of_greedy = (key for key, each in self._sets.items() if each.owner == greedy)
        key = min(of_greedy, key=lambda each: (self._sets[each].asked, self._sets[each].last_used))
        found = self._sets[key]
        idle = not found.asked or self._clock() - found.last_used > IN_USE_SECONDS
        if not idle and counts[greedy] <= counts[owner] + 1:
            raise DataError("Too many sets are open on this server; please try again in a few minutes.")
        self._drop(key)

    def _find(self, key: str) -> Uploaded | None:
        with self._lock:
            self._drop_stale()
            found = self._sets.get(key)
            if found:
                found.last_used, found.asked = self._clock(), True
            return found

    def _unpack(self, content: bytes, into: Uploaded) -> None:
        entry = zipfile.stringCentralDir  # type: ignore[attr-defined]  # not in typeshed
        if content.count(entry) > MOST_ENTRIES:  # zipfile makes an object of each first
            raise self._too_large()
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for entry in archive.infolist():
                    if entry.is_dir():
                        continue
                    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                        # zipfile reads the other methods without a bound of what comes out at once
                        raise DataError(UNUSUAL)
                    with archive.open(entry) as source:
                        self._write(into, entry.filename, source)
        except _DAMAGE:
            raise DataError(DAMAGED) from None

    def _write(self, into: Uploaded, name: str, source: IO[bytes]) -> None:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if not parts or any(part.startswith((".", "__MACOSX")) for part in parts):
            return  # what desktops leave in ZIP files; "..", too
        into.files += 1
        if into.files > MOST_FILES:
            raise self._too_large()
        path = into.locked.path.joinpath("set", *(_file_name(part) for part in parts))
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            while chunk := source.read(CHUNK):
                into.size += len(chunk)
                if into.size > self._limit:
                    raise self._too_large()
                file.write(chunk)

    def _too_large(self) -> DataError:
        most = f"{self._limit >> 20} MB or {MOST_FILES} files"
        return DataError(f"The set is larger than {most}: use python -m afloc evaluate.")

    def _drop(self, key: str | None) -> None:
        found = self._sets.pop(key or "", None)
        if found:
            found.locked.remove()

    def _drop_stale(self) -> None:
        oldest = self._clock() - IDLE_SECONDS
        for key in [key for key, each in self._sets.items() if each.last_used < oldest]:
            self._drop(key)


def _file_name(part: str) -> str:
    """A part of a name as file systems take it; of one too long the end, which says what kind it is."""
    return re.sub(r"[/\x00:]", "_", part).encode()[-LONGEST_NAME:].decode(errors="ignore")


def _explain_disk(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The server has no room for this set."
    if error.errno in _NAME_TROUBLE:
        return "A name in the set is too long, or stands for a file and a folder: please rename it."
    return "The server cannot write to its folder for sets."


def _root(folder: Path) -> Path:
    """The folder, or the one that everything in it lies in."""
    inside = list(folder.iterdir())
    while len(inside) == 1 and inside[0].is_dir():
        folder = inside[0]
        inside = list(folder.iterdir())
    return folder
