"""How often somebody may ask: token buckets, one for each client and one for all of them together."""

import hashlib
import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

from afloc.web.errors import TooManyError, error_response
from afloc.web.paths import HEALTH
from afloc.web.security.open_routes import STATIC, find_route

MOST_CLIENTS = 10_000
BURST = 10  # seconds' worth of requests that may come at once
UNLIMITED = (HEALTH, *STATIC)


client: ContextVar[str] = ContextVar("client", default="")
"""Who asks, where a request is being answered; `RateLimits` sets it."""


class Bucket:
    """`rate` tokens a second, up to `burst` saved, for each key. Safe among threads.

    The keys unused for longest are forgotten beyond `MOST_CLIENTS`, so memory is bounded.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic):
        self._rate, self._burst, self._clock = rate, burst, clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when that was so
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._levels)

    def add(self, key: str, tokens: float) -> float:
        """Put tokens in, or with a negative number take them out; 0.0, or the seconds until they can be."""
        now = self._clock()
        with self._lock:
            level, then = self._levels.get(key, (self._burst, now))
            level = min(self._burst, level + max(0.0, now - then) * self._rate)
            wait = max(0.0, -(level + tokens) / self._rate)
            self._levels[key] = (level if wait else min(self._burst, level + tokens), now)
            self._levels.move_to_end(key)
            if len(self._levels) > MOST_CLIENTS:
                self._levels.popitem(last=False)
        return wait


class Limit:
    """A bucket for each client and one for everybody."""

    def __init__(
        self,
        each: tuple[float, float],
        everybody: tuple[float, float],
        clock: Callable[[], float] = time.monotonic,
        first: tuple[float, float] | None = None,
    ):
        """All as (rate, burst) of a `Bucket`. `first`: what each network has for itself where the others have
        left nothing in the bucket of everybody."""
        self._each, self._everybody = Bucket(*each, clock), Bucket(*everybody, clock)
        self._first = Bucket(*first, clock) if first else None
        self._right: OrderedDict[bytes, None] = OrderedDict()  # hashes of (client, code), the latest last
        self._lock = threading.Lock()

    def take(self, name: str) -> Callable[[], None]:
        """One token, and how to give it back; TooManyError, which says how long to wait, for none."""
        shared, key = self._everybody, ""
        wait = self._each.add(name, -1)
        if not wait:
            wait = shared.add(key, -1)
            if wait and self._first is not None:  # an empty bucket is false
                shared, key = self._first, name_network(name)
                wait = wait if shared.add(key, -1) else 0.0
            if wait:
                self._each.add(name, 1)
        if wait:
            raise TooManyError(f"Too many requests: please wait {math.ceil(wait)} s and try again.")

        def give_back() -> None:
            self._each.add(name, 1)
            shared.add(key, 1)

        return give_back

    @contextmanager
    def attempt(self, tried: object = None) -> Iterator[None]:
        """A try by the current client that costs a token only where it fails.

        The token is taken first, so that many tries at once are not checked before the first is counted.
        `tried`: the code that is tried, if it may be remembered (hashed). A code that was right for this
        client before costs no token: so wrong tries of others at the same address lock out nobody who is in.
        """
        name = client.get()
        pair = hashlib.sha256(repr((name, tried)).encode()).digest() if isinstance(tried, str) else None
        if pair and self._was_right(pair):
            yield
            return
        give_back = self.take(name)
        yield
        give_back()
        if pair:
            self._remember(pair)

    def _was_right(self, pair: bytes) -> bool:
        with self._lock:
            found = pair in self._right
            if found:
                self._right.move_to_end(pair)
            return found

    def _remember(self, pair: bytes) -> None:
        with self._lock:
            self._right[pair] = None
            if len(self._right) > MOST_CLIENTS:
                self._right.popitem(last=False)


class RateLimits:
    """ASGI: refuses a client that asks too often. `rates`: requests a second of one client and of all."""

    def __init__(self, app: ASGIApp, rates: tuple[float, float]):
        self._app = app
        each, everybody = ((rate, BURST * rate) for rate in rates)
        self._limit = Limit(each, everybody)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client.set(name_client(scope["client"][0] if scope.get("client") else ""))
        app = self._app
        try:
            if find_route(scope["path"]) not in UNLIMITED:
                self._limit.take(client.get())
        except TooManyError as error:
            app = error_response(error, {"Retry-After": "1"})
        await app(scope, receive, send)


def wrong_tries() -> Limit:
    """For passwords and reader codes: ten wrong ones, then one a minute; 300 among all, then one a second,
    and one a minute of each network that the others cannot take away: who comes with the right code gets in
    while somebody guesses from many addresses."""
    return Limit((1 / 60, 10), (1, 300), first=(1 / 60, 1))


def name_client(address: str) -> str:
    """The address, of IPv6 the network: one customer has 2^64 addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:  # a socket for both kinds
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)


def name_network(name: str) -> str:
    """The network of a client, as `name_client` names it, that somebody may have whole: of IPv6 a /48."""
    return str(ipaddress.ip_network(name).supernet(new_prefix=48)) if ":" in name else name
