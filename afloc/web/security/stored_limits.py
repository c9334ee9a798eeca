"""How much text and how many outlines visitors may have saved: of a row, of one address, and of all."""

import math
import time
from collections.abc import Callable

from afloc.feedback.store.events import Event
from afloc.web.errors import RefusedError, TooManyError
from afloc.web.security.rate_limits import Bucket, client

MOST_OF_A_ROW = 200_000  # bytes; an outline of 1,000 points has some 15,000
EACH = 8_000, 32_000_000  # bytes a second and at once of one address: a ward that answers all day
EVERYBODY = 16_000, 256_000_000  # of all together: 1.4 GB a day at most


class StoredLimits:
    """Is asked before an event is saved. Safe among threads.

    `each`, `everybody`: (rate, burst) of a `Bucket`, in bytes.
    """

    def __init__(
        self,
        each: tuple[float, float] = EACH,
        everybody: tuple[float, float] = EVERYBODY,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._each, self._everybody = Bucket(*each, clock), Bucket(*everybody, clock)

    def __call__(self, event: Event) -> None:
        """RefusedError or TooManyError where the event of the current client may not be saved."""
        size = sum(len(value.encode()) for value in event.row(0) if isinstance(value, str))
        if size > MOST_OF_A_ROW:
            most = f"{MOST_OF_A_ROW // 1000} kB"
            raise RefusedError(f"Not saved: an answer and what is drawn in it have at most {most}.", 413)
        name = client.get()
        wait = self._each.add(name, -size)
        if not wait and (wait := self._everybody.add("", -size)):
            self._each.add(name, size)
        if wait:
            raise TooManyError(
                f"Not saved: too much is being saved; please try again in {math.ceil(wait)} s."
            )
