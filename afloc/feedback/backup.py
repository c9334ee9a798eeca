"""A Parquet copy of the store somewhere else, from time to time, and back from there at the start.

The database itself needs a local disk; where that does not outlive the machine (a container, a Space), this
copy on a mounted bucket or in a dataset repository on the Hugging Face hub does.
"""

import logging
import threading
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from pyarrow import parquet

from afloc.errors import AFLocError, DataError
from afloc.feedback.export import export, import_rows
from afloc.feedback.store.events import NAMES
from afloc.feedback.store.store import Store
from afloc.files import folder_beside, temporary_folder

COPY_NAME = "feedback.parquet"
COPY_FILES = ("feedback.*",)
ATTEMPTS = 5  # to write where others do
_COMMITTED_SINCE = (409, 412)  # the hub's statuses where a commit came in between
log = logging.getLogger(__name__)


class BackupTarget(Protocol):
    """Where the copy is kept. Each method raises where it cannot be read or written."""

    def version(self) -> Hashable | None:
        """Another value whenever the copy is another; None where there is no copy yet."""

    def fetched(self, version: Hashable | None) -> AbstractContextManager[Path | None]:
        """A context with the path of the copy of that version, None where there is no copy yet."""

    def put(self, store: Store, over: Hashable | None) -> Hashable | None:
        """Write the copy and what explains it over version `over`; returns the new version.

        None where the version is no longer `over`; then nothing is written.
        """

    def forget(self, before: datetime) -> Hashable | None:
        """Give up what the target keeps of earlier copies, if any is from before a time (UTC).

        Returns the new version, None where there was nothing to give up.
        """


class Folder:
    """A folder, such as a mounted bucket; each file appears whole. It is made if its parent is there."""

    def __init__(self, path: Path):
        self.path = path

    def version(self) -> Hashable | None:
        if not self.path.parent.is_dir():
            raise DataError("the folder around its folder is not there: mount it, or make it.")
        try:
            return _version_of(self.path / COPY_NAME)
        except (FileNotFoundError, NotADirectoryError):
            return None

    @contextmanager
    def fetched(self, version: Hashable | None) -> Iterator[Path | None]:
        yield None if version is None else self.path / COPY_NAME

    def put(self, store: Store, over: Hashable | None) -> Hashable | None:
        self.path.mkdir(exist_ok=True)
        with folder_beside(self.path / COPY_NAME) as fresh:  # two pages may write at once
            written = export(store, fresh / COPY_NAME, "parquet")
            version = _version_of(written[0])
            if self.version() != over:
                return None
            for path in reversed(written):  # the rows last: what explains them is there before
                path.replace(self.path / path.name)
        return version

    def forget(self, before: datetime) -> Hashable | None:
        return None  # a folder has no history


class Repository:
    """A private dataset repository on the hub, "owner/name"; a copy is a commit there."""

    def __init__(self, name: str):
        self.name = name

    def version(self) -> Hashable | None:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            return HfApi().repo_info(self.name, repo_type="dataset").sha
        except RepositoryNotFoundError:
            return None

    @contextmanager
    def fetched(self, version: Hashable | None) -> Iterator[Path | None]:
        from huggingface_hub import snapshot_download

        if version is None:
            yield None
            return
        with temporary_folder() as folder:
            snapshot_download(
                self.name,
                repo_type="dataset",
                revision=str(version),
                allow_patterns=list(COPY_FILES),
                local_dir=folder,
            )
            path = folder / COPY_NAME
            yield path if path.is_file() else None

    def put(self, store: Store, over: Hashable | None) -> Hashable | None:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        api = HfApi()
        if over is None:
            api.create_repo(self.name, repo_type="dataset", private=True, exist_ok=True)
            return None  # it has a version now, and another page may have written to it already
        with temporary_folder() as folder:
            export(store, folder / COPY_NAME, "parquet")
            try:
                commit = api.upload_folder(
                    repo_id=self.name,
                    repo_type="dataset",
                    folder_path=folder,
                    commit_message="Copy of the feedback",
                    parent_commit=str(over),
                )

            except HfHubHTTPError as error:
                if error.response.status_code in _COMMITTED_SINCE:
                    return None
                raise
        return commit.oid

    def forget(self, before: datetime) -> Hashable | None:
        from huggingface_hub import HfApi

        api = HfApi()
        commits = api.list_repo_commits(self.name, repo_type="dataset")
        if all(each.created_at >= before for each in commits):
            return None
        api.super_squash_history(self.name, repo_type="dataset")
        return self.version()


def backup_target(text: str | Path) -> BackupTarget:
    """The repository of "hf:owner/name", or a folder."""
    name = str(text)
    return Repository(name.removeprefix("hf:")) if name.startswith("hf:") else Folder(Path(name))


@dataclass(frozen=True)
class _Rows:
    """The rows of a store up to a number: how many, and the last one's number and id."""

    count: int
    seq: int | None
    id: str | None


class Backup:
    """Copies `store` to a target every `minutes` while there is something new, and once more on closing.

    The copy never holds less than it held. Whenever the one that is there is not the one last read or written
    here (at the start; where another page writes to the same target; where a mount came late), and when rows
    that had been copied are lost, the store first takes what it lacks from the copy. While that does not work
    nothing is copied. `problem`: why the last attempt failed, in one sentence, or None. Close it before the
    store.
    """

    def __init__(self, store: Store, target: Path | str, minutes: float):
        self.problem: str | None = None
        self._store = store
        self._target = backup_target(target)
        self._version: Hashable | None = None  # of the copy that was last read or written here
        self._held: _Rows | None = None  # rows among which all of that copy are; None before there was one
        self._complete = False  # whether that copy has all of `_held`
        self._end = threading.Event()
        self._take_over()
        self._thread = threading.Thread(
            target=self._run, args=(minutes * 60,), name="feedback-backup", daemon=True
        )
        self._thread.start()

    def copy(self) -> bool:
        """Copy now, if there is anything new; whether the copy is up to date."""
        for _ in range(ATTEMPTS):
            if not self._take_over():
                return False
            try:
                rows = self._rows()
                done = self._complete and rows == self._held
                if not done and (version := self._target.put(self._store, self._version)) is not None:
                    self._version, self._held, self._complete = version, rows, True
                    done = True
                if done:
                    self._forget_erased()
            except Exception as error:  # the hub fails in a dozen types; the page goes on
                return self._fail("The copy of the feedback failed", error)
            if done:
                self.problem = None
                return True
        return self._fail("The copy of the feedback failed", DataError("others kept writing to its place."))

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self.copy()

    def _take_over(self) -> bool:
        """Take from the copy what the store lacks, unless it holds all of it; whether it does now."""
        try:
            version = self._target.version()
            if self._held and version == self._version and self._rows(self._held.seq) == self._held:
                return True
            with self._target.fetched(version) as path:
                if path is not None:
                    count = _count_rows(path)
                    import_rows(self._store, path)
                    self._held = self._rows()
                    self._complete = self._held.count == count and not self._lacking(path)
                elif self._held:
                    raise DataError(
                        "it is no longer there. Bring it back (mount its folder), or start AFLoc again for a "
                        "new one."
                    )
            self._version = version
        except Exception as error:
            return self._fail("The copy of the feedback could not be read", error)
        return True

    def _lacking(self, path: Path) -> bool:
        """Whether the store has rows that a copy has not; after an erasure the copy has others instead."""
        query = "SELECT 1 FROM events WHERE id NOT IN (SELECT id FROM read_parquet(?)) LIMIT 1"
        return bool(self._store.rows(query, [str(path)]))

    def _forget_erased(self) -> None:
        """Earlier copies may have what was erased. Asked anew each time, so that it is done in the end."""
        query = "SELECT max(time) AS time FROM events WHERE kind = 'erasure'"
        last = self._store.rows(query)[0]["time"]
        if last and (version := self._target.forget(last.replace(tzinfo=UTC))) is not None:
            self._version = version

    def _rows(self, until: int | None = None) -> _Rows:
        """The store's rows up to a number, or all."""
        query = "SELECT count(*) AS count, max(seq) AS seq, arg_max(id, seq) AS id FROM events"
        (found,) = self._store.rows(f"{query} WHERE seq <= coalesce(?, seq)", [until])
        return _Rows(**found)

    def _fail(self, what: str, error: Exception) -> bool:
        why = f": {error}" if isinstance(error, AFLocError) else f": {type(error).__name__}."
        self.problem = what + why
        log.warning(self.problem)
        return False

    def _run(self, seconds: float) -> None:
        while not self._end.wait(seconds):
            self.copy()


def _version_of(path: Path) -> tuple[int, int, int]:
    """Another value once another file has replaced it; moving a file does not change it."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _count_rows(path: Path) -> int:
    """How many rows a copy has; DataError where it is not whole, or has columns that would be lost here."""
    try:
        with parquet.ParquetFile(path) as copy:
            names, count = copy.schema_arrow.names, copy.metadata.num_rows
    except (pa.ArrowException, OSError):
        raise DataError(
            "it is damaged or half written. If it stays so, move it away to begin a new one."
        ) from None
    if not set(names) <= set(NAMES):
        raise DataError("it was written by a newer AFLoc: update this one.")
    return count
