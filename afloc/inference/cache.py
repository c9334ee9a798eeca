"""A cache that forgets what was unused longest once it holds more bytes than it may."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """Least recently used, safe to share between threads. A value larger than `budget` bytes is not kept.

    `hits` and `misses` count what was looked up and what had to be made.
    """

    def __init__(self, budget: int, size: Callable[[Value], int]):
        self.budget = budget
        self.used = 0
        self.hits = self.misses = 0
        self._size = size
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> Value | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                self.hits += 1
            return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        size = self._size(value)
        with self._lock:
            self.misses += 1
            if key in self._values or size > self.budget:
                return
            self._values[key] = value
            self.used += size
            while self.used > self.budget:
                _, oldest = self._values.popitem(last=False)
                self.used -= self._size(oldest)
