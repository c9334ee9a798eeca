"""Sets that are uploaded: a table and its images, or a ZIP file of them, kept only while their page is open.

POST /afloc/sets?name=NAME[&set=SET]  takes one file as the body, for a new set or one begun before, and
                                      answers {"set": SET}
DELETE /afloc/sets/SET                drops it

The readers of sets need files, so these lie in a folder of their own until the set is dropped, unused for
half an hour, or the server starts again.
"""

import io
import re
import secrets
import shutil
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from afloc.errors import AFLocError, DataError
from afloc.web.answers import explain, read_body
from afloc.web.store import IDLE_SECONDS

PATH = "/afloc/sets"
PREFIX = "upload-"  # of the names of uploaded sets
MOST_FILES = 4000
MOST_SETS = 8
TABLES = (".csv", ".json")


@dataclass
class Uploaded:
    """A set's folder, what it weighs, and when it was last asked for."""

    folder: Path
    size: int = 0
    files: int = 0
    last_used: float = 0.0


class SetUploads:
    """Uploaded sets by name, below `folder`, each of at most `limit` bytes unpacked; safe among threads.

    A name holds 128 random bits and is the only way to a set.
    """

    def __init__(self, folder: Path, limit: int, clock: Callable[[], float] = time.monotonic):
        self._folder = folder
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._sets: dict[str, Uploaded] = {}
        shutil.rmtree(folder, ignore_errors=True)  # of a server that was killed

    def add(self, content: bytes, name: str, key: str | None = None) -> str:
        """Put a file, or what a ZIP file holds, into a set (without `key`: a new one); the set's name.

        DataError where it is too much, or no file of a set.
        """
        with self._lock:
            self._drop_stale()
            if key is None:
                if len(self._sets) >= MOST_SETS:
                    raise DataError("Too many sets are open on this server; please try again later.")
                key = PREFIX + secrets.token_urlsafe(16)
                self._sets[key] = Uploaded(self._folder / key, last_used=self._clock())
            found = self._sets.get(key)
            if found is None:
                raise DataError("The server no longer holds this set; please open it again.")
            try:
                if Path(name).suffix.lower() == ".zip":
                    self._unpack(content, found)
                else:
                    self._write(found, name, len(content), lambda: content)
            except (DataError, OSError) as error:
                self._drop(key)
                if isinstance(error, DataError):
                    raise
                raise DataError("The server has no room for this set.") from None
        return key

    def folder(self, key: str) -> Path | None:
        """The folder of a set, or None where there is none (any more)."""
        with self._lock:
            self._drop_stale()
            found = self._sets.get(key)
            if found is None:
                return None
            found.last_used = self._clock()
            return found.folder

    def table(self, key: str) -> Path | None:
        """What `read_dataset` reads of a set: its one table, or the folder where it has none."""
        folder = self.folder(key)
        if folder is None:
            return None
        if not (folder / "set").is_dir():
            raise DataError("There is no file of a set in it: please give a table and its images.")
        root = _root(folder / "set")
        tables = [path for path in sorted(root.iterdir()) if path.suffix.lower() in TABLES]
        if len(tables) > 1:
            names = ", ".join(path.name for path in tables)
            raise DataError(f"There are several tables, {names}: please give one with its images.")
        return tables[0] if tables else root

    def drop(self, key: str) -> None:
        with self._lock:
            self._drop(key)

    def sweep(self) -> None:
        """Drop the sets unused for IDLE_SECONDS, and what a run still wrote of one that was dropped."""
        with self._lock:
            self._drop_stale()
            for folder in self._folder.glob(f"{PREFIX}*"):
                if folder.name not in self._sets:
                    shutil.rmtree(folder, ignore_errors=True)

    def _unpack(self, content: bytes, into: Uploaded) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for entry in archive.infolist():
                    if not entry.is_dir():
                        self._write(into, entry.filename, entry.file_size, lambda e=entry: archive.read(e))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError):
            raise DataError("The ZIP file is damaged or locked: please pack it again.") from None

    def _write(self, into: Uploaded, name: str, size: int, read: Callable[[], bytes]) -> None:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if any(part.startswith((".", "__MACOSX")) for part in parts):
            return  # what desktops leave in ZIP files; "..", too
        into.size += size
        into.files += 1
        if into.size > self._limit or into.files > MOST_FILES:
            most = f"{self._limit >> 20} MB or {MOST_FILES} files"
            raise DataError(f"The set is larger than {most}: use python -m afloc evaluate.")
        path = into.folder.joinpath("set", *(re.sub(r"[/\x00:]", "_", part)[-120:] for part in parts))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read())

    def _drop(self, key: str) -> None:
        found = self._sets.pop(key, None)
        if found:
            shutil.rmtree(found.folder, ignore_errors=True)

    def _drop_stale(self) -> None:
        oldest = self._clock() - IDLE_SECONDS
        for key in [key for key, each in self._sets.items() if each.last_used < oldest]:
            self._drop(key)


def _root(folder: Path) -> Path:
    """The folder, or the one that everything in it lies in."""
    inside = list(folder.iterdir())
    while len(inside) == 1 and inside[0].is_dir():
        folder = inside[0]
        inside = list(folder.iterdir())
    return folder


def set_routes(uploads: SetUploads, limit_mb: int) -> list[Route]:
    async def add(request: Request) -> Response:
        asked = request.query_params
        try:
            content = await read_body(request, limit_mb)
            key = await run_in_threadpool(uploads.add, content, asked.get("name", ""), asked.get("set"))
            return JSONResponse({"set": key})
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return JSONResponse({"error": explain(error)}, 422 if isinstance(error, AFLocError) else 500)

    async def drop(request: Request) -> Response:
        await run_in_threadpool(uploads.drop, request.path_params["set"])
        return Response(status_code=204)

    return [Route(PATH, add, methods=["POST"]), Route(PATH + "/{set}", drop, methods=["DELETE"])]
