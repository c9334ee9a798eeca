"""A Parquet copy of the store in another place, from time to time, and back from there at the start.

The database itself needs a local disk; where that does not outlive the machine (a container, a Space), this
copy on a mounted bucket or in a dataset repository on the Hugging Face hub does.
"""

import logging
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from afloc.errors import AFLocError
from afloc.feedback.export import export, import_rows
from afloc.feedback.store import Store

COPY_NAME = "feedback.parquet"
COPY_FILES = ("feedback.*",)
_LAST_ROW = "SELECT seq, id FROM events ORDER BY seq DESC LIMIT 1"
log = logging.getLogger(__name__)


class Place(Protocol):
    """Where the copy is kept."""

    def put(self, store: Store) -> None:
        """Write the copy and what explains it, in place of the one before."""

    def fetched(self):
        """A context with the path of the copy, None where there is none yet."""


class Folder:
    """A folder, such as a mounted bucket; each file appears whole."""

    def __init__(self, path: Path):
        self.path = path

    def put(self, store: Store) -> None:
        fresh = self.path / f"new.{COPY_NAME}"
        for path in export(store, fresh, "parquet"):
            path.replace(path.with_name(path.name.removeprefix("new.")))

    @contextmanager
    def fetched(self) -> Iterator[Path | None]:
        path = self.path / COPY_NAME
        yield path if path.is_file() else None


class Repository:
    """A private dataset repository on the hub, "owner/name"; a copy is a commit there."""

    def __init__(self, name: str):
        self.name = name

    def put(self, store: Store) -> None:
        from huggingface_hub import HfApi

        api = HfApi()
        api.create_repo(self.name, repo_type="dataset", private=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            export(store, Path(folder) / COPY_NAME, "parquet")
            api.upload_folder(
                repo_id=self.name,
                repo_type="dataset",
                folder_path=folder,
                commit_message="Copy of the feedback",
            )

    @contextmanager
    def fetched(self) -> Iterator[Path | None]:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import RepositoryNotFoundError

        with tempfile.TemporaryDirectory() as folder:
            try:
                snapshot_download(
                    self.name, repo_type="dataset", allow_patterns=list(COPY_FILES), local_dir=folder
                )
            except RepositoryNotFoundError:
                yield None
                return
            path = Path(folder) / COPY_NAME
            yield path if path.is_file() else None


def place_of(text: str | Path) -> Place:
    """ "hf:owner/name" or a folder."""
    name = str(text)
    return Repository(name.removeprefix("hf:")) if name.startswith("hf:") else Folder(Path(name))


class Backup:
    """Copies `store` to a place every `minutes` while there is something new, and once more on closing.

    At the start, and when rows that had been copied are lost, the store takes what it lacks from the copy.
    While that has not worked nothing is copied, so that no copy is overwritten by less than it holds.
    `problem`: why the last attempt failed, in one sentence, or None. Close it before the store.
    """

    def __init__(self, store: Store, place: Path | str, minutes: float):
        self.problem: str | None = None
        self._store = store
        self._place = place_of(place)
        self._copied: list[dict] | None = None  # the last row of the copy, none of an empty one
        self._restored = False
        self._end = threading.Event()
        self._restore()
        self._thread = threading.Thread(
            target=self._run, args=(minutes * 60,), name="feedback-backup", daemon=True
        )
        self._thread.start()

    def copy(self) -> bool:
        """Copy now, if there is anything new; whether the copy is up to date."""
        try:
            self._restored = self._restored and self._holds_what_was_copied()
            if not self._restore():
                return False
            last = self._store.rows(_LAST_ROW)
            if last != self._copied:
                self._place.put(self._store)
                self._copied = last
        except Exception as error:  # the hub fails in a dozen types; the page goes on
            return self._fail("The copy of the feedback failed", error)
        self.problem = None
        return True

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self.copy()

    def _restore(self) -> bool:
        """Take from the copy what the store lacks, unless that is done; whether it is."""
        if self._restored:
            return True
        try:
            with self._place.fetched() as path:
                if path is not None and import_rows(self._store, path) == self._store.last_seq:
                    self._copied = self._store.rows(_LAST_ROW)  # all there is came from the copy
        except Exception as error:
            return self._fail("The copy of the feedback could not be read", error)
        self._restored = True
        return True

    def _holds_what_was_copied(self) -> bool:
        """Whether the store still has the last row of the copy, at its place: a damaged one has not."""
        place = "SELECT 1 FROM events WHERE seq = ? AND id = ?"
        return not self._copied or bool(self._store.rows(place, [*self._copied[0].values()]))

    def _fail(self, what: str, error: Exception) -> bool:
        why = f": {error}" if isinstance(error, AFLocError) else f": {type(error).__name__}."
        self.problem = what + why
        log.warning(self.problem)
        return False

    def _run(self, seconds: float) -> None:
        while not self._end.wait(seconds):
            self.copy()
