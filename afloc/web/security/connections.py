"""The connections to the server: how many there may be, and how long one may stay silent.

uvicorn waits for a header for ever, and takes connections until the process may open no more files. Here a
connection has HEADER_SECONDS for its first header, whole, whatever part of it has come. Once it has asked,
an answer may last as long as it needs (a stream of events, hours); then the next header has the time that an
idle connection has.

Where there is no room for another connection, one that waits makes room: so whoever opens many and says
nothing only closes their own.
"""

import asyncio
import logging
import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from afloc.web.security.rate_limits import name_client

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]  # no module


HEADER_SECONDS = 20.0
MOST_CONNECTIONS = 4096
SHARE = 4  # one address has at most this part of them: 1/4
ACCEPTED_AT_ONCE = 16  # connections, before those in excess are closed
ACCEPT_LOG_SECONDS = 600.0
_FILES = 2 * MOST_CONNECTIONS  # half of them for the model, the database, uploads
log = logging.getLogger(__name__)


class Room:
    """The connections there are: at most `most`, and of one address a quarter of that, except where `shared`
    says that many clients stand behind it (a proxy). For one event loop."""

    def __init__(self, most: int, shared: Callable[[str], bool], header_seconds: float = HEADER_SECONDS):
        self.header_seconds = header_seconds
        self._most, self._shared = most, shared
        self._names: dict[Connection, str] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: OrderedDict[Connection, None] = OrderedDict()  # the longest first

    def __contains__(self, connection: "Connection") -> bool:
        return connection in self._names

    def enter(self, connection: "Connection", address: str) -> bool:
        """Whether there is room for a new connection; one that waits is closed for it, if need be."""
        name = name_client(address)
        limited = not self._shared(address) and self._counts[name] >= max(1, self._most // SHARE)
        if limited or len(self._names) >= self._most:
            closed = self._find_waiting(name if limited else None)
            if closed is None:
                return False
            self.leave(closed)
            closed.transport.abort()
        self._names[connection] = name
        self._counts[name] += 1
        return True

    def leave(self, connection: "Connection") -> None:
        self._waiting.pop(connection, None)
        name = self._names.pop(connection, None)
        if name is not None:
            self._counts[name] -= 1
            if not self._counts[name]:
                del self._counts[name]

    def wait(self, connection: "Connection") -> None:
        """From now on the connection waits for a header."""
        self._waiting[connection] = None
        self._waiting.move_to_end(connection)

    def ask(self, connection: "Connection") -> None:
        """It has sent one."""
        self._waiting.pop(connection, None)

    def _find_waiting(self, name: str | None) -> "Connection | None":
        """The one that has waited longest, of one client or of all; rather one that never asked anything."""
        found = None
        for each in self._waiting:
            if name is None or self._names[each] == name:
                if each.cycle is None:
                    return each
                found = found or each
        return found


class Connection(H11Protocol):
    """uvicorn's, in a `Room`."""

    def __init__(self, *arguments: Any, room: Room, **named: Any):
        super().__init__(*arguments, **named)
        self._room = room
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        if self._room.enter(self, self.client[0] if self.client else ""):
            self._wait(self._room.header_seconds)
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_waiting():
            self._end_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_waiting() and self in self._room:
            self._wait(self.timeout_keep_alive)

    def connection_lost(self, error: Exception | None) -> None:
        self._end_waiting()
        self._room.leave(self)
        super().connection_lost(error)

    def _is_waiting(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self, seconds: float) -> None:
        self._end_waiting()
        self._room.wait(self)
        self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _end_waiting(self) -> None:
        self._room.ask(self)
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None


def most_connections() -> int:
    """Raise the limit on this process's open files as far as it is wanted and may be; how many connections
    fit below it."""
    if resource is None:
        return MOST_CONNECTIONS
    soft, hard = (_FILES if each == resource.RLIM_INFINITY else each for each in _file_limits())
    wanted = min(hard, _FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, _file_limits()[1]))
    return min(max(soft, wanted) // 2, MOST_CONNECTIONS)


def _file_limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)


class AcceptErrors:
    """An event loop's exception handler: where the system has no room for a connection, it says so once in
    ACCEPT_LOG_SECONDS, not with a traceback for each try."""

    def __init__(self):
        self._silent_until = -math.inf

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not (isinstance(context.get("exception"), OSError) and "accept()" in context.get("message", "")):
            loop.default_exception_handler(context)
        elif loop.time() >= self._silent_until:
            self._silent_until = loop.time() + ACCEPT_LOG_SECONDS
            log.error("New connections wait: the system lets this process open no more files.")
