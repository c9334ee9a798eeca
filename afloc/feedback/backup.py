"""A Parquet copy of the store in another folder, from time to time.

The database itself needs a local disk; where that does not outlive the machine (a container), this copy on a
mounted bucket does. `python -m afloc feedback import` brings it back.
"""

import logging
import threading
from pathlib import Path

from afloc.errors import AFLocError
from afloc.feedback.export import export
from afloc.feedback.store import Store

COPY_NAME = "feedback.parquet"
log = logging.getLogger(__name__)


class Backup:
    """Copies `store` to `folder` every `minutes` while there is something new, and once more on closing.

    `problem`: why the last copy failed, in one sentence, or None. Close it before the store.
    """

    def __init__(self, store: Store, folder: Path | str, minutes: float):
        self.problem: str | None = None
        self._store = store
        self._path = Path(folder) / COPY_NAME
        self._copied = -1
        self._end = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(minutes * 60,), name="feedback-backup", daemon=True
        )
        self._thread.start()

    def copy(self) -> bool:
        """Copy now, if there is anything new; whether the copy is up to date."""
        last = self._store.last_seq
        if last == self._copied:
            return True
        fresh = self._path.with_name("new." + COPY_NAME)
        try:
            for path in export(self._store, fresh, "parquet"):
                path.replace(path.with_name(path.name.removeprefix("new.")))
        except (OSError, AFLocError) as error:
            self.problem = f"The copy of the feedback failed: {type(error).__name__}."
            log.warning(self.problem)
            return False
        self.problem, self._copied = None, last
        return True

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self.copy()

    def _run(self, seconds: float) -> None:
        while not self._end.wait(seconds):
            self.copy()
