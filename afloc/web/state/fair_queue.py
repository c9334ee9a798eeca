"""The queue before the model: one request at a time, and the sessions take turns."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class Superseded(Exception):
    """A newer request of the same session took the place of this one before its turn came."""


class _Call:
    def __init__(self, live: bool):
        self.live = live
        self.called = threading.Event()
        self.superseded = False


class FairQueue:
    """A queue that is fair between sessions, however many requests one of them has; safe between threads.

    Of a session's live requests (those that follow its typing) only the newest waits. It takes the place of
    the older one, so that a reader who types without a pause is answered, too.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Hashable, list[_Call]] = OrderedDict()  # sessions, the next one first
        self._busy = False

    @contextmanager
    def turn(self, session: Hashable, live: bool = False) -> Iterator[None]:
        """Wait for the session's turn and hold it for the `with` block; Superseded where a newer one came."""
        call = self._join(session, live)
        call.called.wait()
        if call.superseded:
            raise Superseded
        try:
            yield
        finally:
            with self._lock:
                self._call_next()

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def _join(self, session: Hashable, live: bool) -> _Call:
        call = _Call(live)
        with self._lock:
            calls = self._waiting.setdefault(session, [])
            at = next((n for n, other in enumerate(calls) if live and other.live), len(calls))
            for other in calls[at : at + 1]:
                other.superseded = True
                other.called.set()
            calls[at : at + 1] = [call]
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
