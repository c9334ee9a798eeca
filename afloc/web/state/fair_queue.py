"""Whose turn it is: one question at a time is put to the model, and the sessions take turns."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class Overtaken(Exception):
    """A newer question of the same session took this one's place before its turn came."""


class _Call:
    def __init__(self, live: bool):
        self.live = live
        self.called = threading.Event()
        self.overtaken = False


class Turns:
    """A queue that is fair between sessions, however many questions one of them asks; safe between threads.

    Of a session's live questions (those that follow its typing) only the newest waits, in the place of the
    one it overtakes, so that who types without a pause is answered too.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Hashable, list[_Call]] = OrderedDict()  # sessions, the next one first
        self._busy = False

    @contextmanager
    def turn(self, session: Hashable, live: bool = False) -> Iterator[None]:
        """Wait for the session's turn and hold it for the `with` block; Overtaken where it will not come."""
        call = self._join(session, live)
        call.called.wait()
        if call.overtaken:
            raise Overtaken
        try:
            yield
        finally:
            with self._lock:
                self._call_next()

    @property
    def waiting(self) -> int:
        """How many questions wait for their turn."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def _join(self, session: Hashable, live: bool) -> _Call:
        call = _Call(live)
        with self._lock:
            calls = self._waiting.setdefault(session, [])
            place = next((place for place, other in enumerate(calls) if live and other.live), len(calls))
            for other in calls[place : place + 1]:
                other.overtaken = True
                other.called.set()
            calls[place : place + 1] = [call]
            if not self._busy:
                self._call_next()
        return call

    def _call_next(self) -> None:
        self._busy = bool(self._waiting)
        if self._busy:
            session, (call, *others) = self._waiting.popitem(last=False)
            if others:
                self._waiting[session] = others  # at the end of the line
            call.called.set()
