"""Decoding in processes of their own: what a hostile file does to its decoder ends there.

`ask` hands a file to one of a few worker processes (`decoder_process`), started when they are first
needed and used again and again. A worker has limits to its memory and its computing time, which the system
keeps, and to its time by the clock, which is kept here; one that is ended is replaced. It gets nothing of
this process but the path of its modules: none of its settings, no open file.

A message is two lengths (8 bytes each, little-endian), JSON of the first length and bytes of the second.
"""

import atexit
import contextlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from afloc.errors import ImageError

SECONDS = 2.0  # of computing for a small file; SECONDS_PER_MB more for each million bytes
SECONDS_PER_MB = 0.25
PATIENCE = 3  # times as long by the clock, on a machine that is busy
MEMORY = 4 << 30  # bytes of address space of a worker
LARGE = 16_000_000  # pixels; a larger picture is decoded when it has its part of MOST_LARGE
MOST_LARGE = 80_000_000  # pixels of large pictures that are decoded at once, here and in the workers some 11
# bytes each: so many at once need not more memory than one
WORKERS = min(4, os.cpu_count() or 1)
FILES_PER_WORKER = 1000  # so that what a decoder leaks does not add up

OUT_OF_MEMORY = 77  # exit code of a worker that ran out of it

NO_MEMORY = "There is no memory left to read the file: try again later, or give a smaller one."

_START_SECONDS = 60
_DTYPES = {"uint8": np.uint8, "uint16": np.uint16}
_LENGTHS = struct.Struct("<QQ")
_LONGEST_JSON = 1 << 16
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")


def ask(
    task: str, content: bytes, file_bytes: int, **options: int
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Have a worker do a task of `decoder_process` with `content`: its answer, and pixels if it sends some.

    `file_bytes`: the size of the file, which decides how long it may take. ImageError where the worker
    refuses the file, or dies of it.
    """
    seconds = SECONDS + SECONDS_PER_MB * file_bytes / 1e6
    return _pool.ask({"task": task, "seconds": seconds} | options, content)


def send(file: BinaryIO, message: dict[str, Any], content: bytes | memoryview = b"") -> None:
    text = json.dumps(message).encode()
    file.write(_LENGTHS.pack(len(text), len(content)) + text)
    file.write(content)
    file.flush()


def receive(file: BinaryIO, most: int) -> tuple[dict[str, Any], bytes]:
    """A message; EOFError where the other side is gone, ValueError for more than `most` bytes of content."""
    text_length, length = _LENGTHS.unpack(_read(file, _LENGTHS.size))
    if text_length > _LONGEST_JSON or length > most:
        raise ValueError("a message longer than is sent")
    return json.loads(_read(file, text_length)), _read(file, length)


def _read(file: BinaryIO, length: int) -> bytes:
    content = file.read(length)
    if len(content) < length:
        raise EOFError
    return content


class _Worker:
    """One process, asked by one thread at a time. `alive`: whether it can be asked again."""

    def __init__(self):
        paths = [*filter(None, sys.path), str(Path(__file__).resolve().parents[2])]
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # each reserves memory
        self.files = 0
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "afloc.imaging.decoder_process",
            ],  # -P: nothing of the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self._requests = cast(io.BufferedWriter, self._process.stdin)
        self._replies = cast(io.BufferedReader, self._process.stdout)
        self._late = False
        _everyone.add(self)
        try:
            with self._within(_START_SECONDS):
                receive(self._replies, 0)
        except BaseException:
            self.end()
            raise

    @property
    def alive(self) -> bool:
        return not self._late and self.files < FILES_PER_WORKER and self._process.poll() is None

    def ask(
        self, room: Callable[[int], AbstractContextManager[None]], request: dict[str, Any], content: bytes
    ) -> tuple[dict[str, Any], np.ndarray | None]:
        """`room`: what a large picture is decoded in, by its pixels."""
        self.files += 1
        refusal: str | None
        try:
            answer, sent = self._say(request, content)
            if "pixels" in answer:  # of a large picture, before it is decoded
                with room(answer["pixels"]):
                    answer, sent = self._say(request)
            if "shape" in answer:
                return answer, np.frombuffer(sent, _DTYPES[answer["dtype"]]).reshape(answer["shape"])
        except (OSError, EOFError, ValueError, LookupError, TypeError):
            refusal = self._cause_of_death(request["seconds"])
        else:
            refusal = answer.get("error")
        if refusal is None:
            return answer, None
        raise ImageError(refusal)  # out here, so that nothing is chained to it

    def _say(self, request: dict[str, Any], content: bytes = b"") -> tuple[dict[str, Any], bytes]:
        with self._within(PATIENCE * request["seconds"]):
            send(self._requests, request, content)
            return receive(self._replies, MEMORY)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self.release()

    def release(self) -> None:
        """Close this side of the pipes; a worker that nobody else holds on to then ends by itself."""
        for pipe in (self._requests, self._replies):
            pipe.raw.close()  # in a forked child, what is buffered is the parent's to send

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Kill the worker if the block takes longer, or if it is left by an exception."""

        def be_late() -> None:
            self._late = True
            self._process.kill()

        timer = threading.Timer(seconds, be_late)
        timer.daemon = True
        timer.start()
        try:
            yield
        except BaseException:
            self._process.kill()
            self._process.wait()  # until then it would look alive
            raise
        finally:
            timer.cancel()

    def _cause_of_death(self, seconds: float) -> str:
        code = self._process.wait()
        if self._late or code == -getattr(signal, "SIGPROF", 0):
            return f"The file could not be read within {seconds:.0f} seconds: give a smaller one."
        if code == -9:  # the system ends a worker before it ends the process that asks
            return NO_MEMORY
        if code == OUT_OF_MEMORY:
            return f"The file needs more memory than {MEMORY >> 30} GB to be read: give a smaller one."
        return "The file broke the program that decodes it: export it again as PNG or TIFF."


class _Budget:
    """What large pictures share: one is decoded at any time, others beside it as far as there is room."""

    def __init__(self, most: int):
        self._most, self._taken = most, 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def part(self, size: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + size <= self._most)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()


class _Pool:
    """At most WORKERS workers, each started when all others are busy."""

    def __init__(self):
        self._turns = threading.BoundedSemaphore(WORKERS)
        self._idle: list[_Worker] = []

    def ask(self, *request) -> tuple[dict[str, Any], np.ndarray | None]:
        with self._turns:
            worker = self._take()
            try:
                return worker.ask(self._room, *request)
            finally:
                if worker.alive and len(self._idle) < WORKERS:
                    self._idle.append(worker)
                else:
                    worker.end()

    @contextlib.contextmanager
    def _room(self, pixels: int) -> Iterator[None]:
        """A part of the budget. Who waits for it keeps a worker, but lets others have the turn."""
        self._turns.release()
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(_budget.part(pixels))
            finally:
                self._turns.acquire()
            yield

    def _take(self) -> _Worker:
        with contextlib.suppress(IndexError):
            while True:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                worker.end()
        try:
            return _Worker()
        except (OSError, EOFError, ValueError, TypeError):  # no memory, no processes, no Python to run
            pass
        raise ImageError("The image cannot be read, as no process could be started to decode it: try again.")


_everyone: weakref.WeakSet[_Worker] = weakref.WeakSet()


_pool, _budget = _Pool(), _Budget(MOST_LARGE)


def _end_all() -> None:
    for worker in list(_everyone):
        worker.end()


def _start_anew() -> None:
    """In a forked child: the workers are the parent's."""
    global _pool, _budget
    for worker in list(_everyone):
        worker.release()
    _everyone.clear()
    _pool, _budget = _Pool(), _Budget(MOST_LARGE)


atexit.register(_end_all)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
