"""The one thread that adds to a log.

It takes what is queued, commits it in one transaction, and only then lets the callers go.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from afloc.errors import StoreError
from afloc.feedback.store.events import ErasedError, SlotTakenError
from afloc.feedback.store.log import Batch, Log, Saved, UncertainError, UnfitError, UnreachableError, join

EVENTS_AT_ONCE = 200  # committed together, at most
SECONDS_TO_SAVE = 30.0


@dataclass(frozen=True)
class _Job:
    """What a caller wants saved, and where it waits for the answer."""

    batch: Batch
    done: Future

    def answer(self, saved: dict[str, Saved]) -> None:
        self.done.set_result([saved[event.id] for event in self.batch.events])


class Writer:
    """Opens a log and adds to it, until `close`.

    `problem`: why saving fails just now, or None. A log that cannot be reached on opening is no error: each
    `save` tries again.
    """

    def __init__(self, log: Log):
        self.problem: str | None = None
        self.closed = False
        self._log = log
        self._gate = threading.Lock()
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        try:
            log.open()
        except UnreachableError as error:
            self.problem = str(error)
        self._thread = threading.Thread(target=self._run, name="feedback-writer", daemon=True)
        self._thread.start()

    def save(self, batch: Batch) -> list[Saved]:
        """Where each event of the batch is, after the commit. StoreError: it is not saved, or not for certain
        where the sentence says so."""
        job = _Job(batch, Future())
        with self._gate:  # nothing may be queued behind the end
            if self.closed:
                raise StoreError("Not saved: the store is closed.")
            self._jobs.put(job)
        try:
            return job.done.result(SECONDS_TO_SAVE + len(batch.events) / 100)
        except TimeoutError:
            how = "in time" if job.done.cancel() else "for certain"  # it is being written: it may be yet
            raise StoreError(f"Not saved {how}: the disk is slow; please try again.") from None

    def close(self) -> None:
        """Save what is queued, then close the log."""
        with self._gate:
            if self.closed:
                return
            self.closed = True
            self._jobs.put(None)
        self._thread.join()
        self._log.close()

    def _run(self) -> None:
        for jobs in self._take():
            # Whoever has given up waiting was told that it is not saved.
            if jobs := [job for job in jobs if job.done.set_running_or_notify_cancel()]:
                self._save(jobs)

    def _take(self) -> Iterator[list[_Job]]:
        """What is queued, some jobs at a time, until the end."""
        while (job := self._jobs.get()) is not None:
            jobs, size = [], 0
            while job is not None:
                jobs.append(job)
                size += len(job.batch.events)
                if size >= EVENTS_AT_ONCE:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            yield jobs
            if job is None:
                return

    def _save(self, jobs: Sequence[_Job]) -> None:
        """Commit all, then answer the callers. Where one may be at fault each is tried alone."""
        try:
            saved = self._log.commit(join(job.batch for job in jobs))
        except (ErasedError, SlotTakenError, UnfitError, UncertainError) as error:
            if len(jobs) > 1:
                for job in jobs:
                    self._save([job])
            elif not isinstance(error, UncertainError):
                _refuse(jobs, error)
            elif (found := self._find(jobs[0])) is not None:
                jobs[0].answer(found)
            else:
                self.problem = str(error)
                _refuse(jobs, error)
        except StoreError as error:
            self.problem = str(error)
            _refuse(jobs, StoreError(f"Not saved: {self.problem[:1].lower()}{self.problem[1:]}"))
        except Exception as error:  # a bug: the callers learn of it and the thread lives on
            _refuse(jobs, error)
        else:
            self.problem = None
            for job in jobs:
                job.answer(saved)

    def _find(self, job: _Job) -> dict[str, Saved] | None:
        """After a commit that failed: where the events are, if the log holds them all the same."""
        try:
            saved = self._log.find(job.batch.events)
        except StoreError:
            return None
        return saved if saved and all(event.id in saved for event in job.batch.events) else None


def _refuse(jobs: Sequence[_Job], error: Exception) -> None:
    for job in jobs:
        job.done.set_exception(error)
