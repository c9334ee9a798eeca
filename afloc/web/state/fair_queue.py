"""The queue before the model: one request at a time; clients take turns, and so do the sessions of each."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from afloc.web.errors import RefusedError
from afloc.web.security.rate_limits import client

MOST_OF_A_CLIENT = 400  # requests of one address that wait; a large ward has some tens
MOST_WAITING = 600  # of all; each holds a thread


class Superseded(Exception):
    """A newer request of the same session took the place of this one before its turn came."""


class _Call:
    def __init__(self, live: bool):
        self.live = live
        self.called = threading.Event()
        self.superseded = False


_Sessions = OrderedDict[Hashable, list[_Call]]


class FairQueue:
    """A queue that is fair between clients, however many sessions one has, and between the sessions of a
    client, however many requests one of them has; safe between threads.

    Of a session's live requests (those that follow its typing) only the newest waits. It takes the place of
    the older one, so that a reader who types without a pause is answered, too.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, _Sessions] = OrderedDict()  # by client, the next ones first
        self._busy = False

    @contextmanager
    def turn(self, session: Hashable, live: bool = False) -> Iterator[None]:
        """Wait for the session's turn and hold it for the `with` block; Superseded where a newer one came.

        RefusedError where too many wait already, of the current client or of all.
        """
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
            return sum(map(_count, self._waiting.values()))

    def _join(self, session: Hashable, live: bool) -> _Call:
        call, name = _Call(live), client.get()
        with self._lock:
            sessions = self._waiting.get(name, OrderedDict())
            calls = sessions.get(session, [])
            at = next((n for n, other in enumerate(calls) if live and other.live), len(calls))
            if at == len(calls):
                self._check(sessions)
            for other in calls[at : at + 1]:
                other.superseded = True
                other.called.set()
            calls[at : at + 1] = [call]
            self._waiting[name], sessions[session] = sessions, calls
            if not self._busy:
                self._call_next()
        return call

    def _check(self, sessions: _Sessions) -> None:
        if _count(sessions) >= MOST_OF_A_CLIENT:
            raise RefusedError("Too many of your questions wait already; please try again in a minute.", 429)
        if sum(map(_count, self._waiting.values())) >= MOST_WAITING:
            raise RefusedError("The server is busy; please try again in a minute.", 503)

    def _call_next(self) -> None:
        self._busy = bool(self._waiting)
        if self._busy:
            name, sessions = self._waiting.popitem(last=False)
            session, (call, *others) = sessions.popitem(last=False)
            if others:
                sessions[session] = others  # at the end of the line
            if sessions:
                self._waiting[name] = sessions
            call.called.set()


def _count(sessions: _Sessions) -> int:
    return sum(map(len, sessions.values()))
