"""What the server counts of its own work, in Prometheus' text format. Counts only: nothing anybody typed."""

import threading
from collections import Counter
from collections.abc import Iterable

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Requests by route and status, with their durations, and what happened beside. Safe among threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._within: Counter[float] = Counter()
        self._seconds = 0.0
        self._events: Counter[str] = Counter()

    def request(self, route: str, status: int, seconds: float) -> None:
        with self._lock:
            self._requests[route, status] += 1
            self._seconds += seconds
            self._within[next((top for top in SECONDS if seconds <= top), float("inf"))] += 1

    def count(self, event: str) -> None:
        """`event`: located (a description answered) or unexpected (an error that is a bug)."""
        with self._lock:
            self._events[event] += 1

    def text(self, others: Iterable[tuple[str, str, str, float]]) -> str:
        """All of it; `others` as (name, type, help, value)."""
        with self._lock:
            lines = _head("requests_total", "counter", "Requests answered.")
            for (route, status), number in sorted(self._requests.items()):
                lines.append(f'afloc_requests_total{{route="{route}",status="{status}"}} {number}')
            lines += _head("request_seconds", "histogram", "Time until a request was answered whole.")
            total = 0
            for top in (*SECONDS, float("inf")):
                total += self._within[top]
                bound = "+Inf" if top == float("inf") else f"{top:g}"
                lines.append(f'afloc_request_seconds_bucket{{le="{bound}"}} {total}')
            lines.append(f"afloc_request_seconds_sum {self._seconds:.6f}")
            lines.append(f"afloc_request_seconds_count {total}")
            located, errors = self._events["located"], self._events["unexpected"]
        own = (
            ("located_total", "counter", "Descriptions located in an image.", located),
            ("errors_total", "counter", "Errors that nobody expected.", errors),
        )
        for name, kind, meaning, value in (*own, *others):
            lines += [*_head(name, kind, meaning), f"afloc_{name} {value}"]
        return "\n".join(lines) + "\n"


METRICS = Metrics()
"""Those of this process."""


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP afloc_{name} {meaning}", f"# TYPE afloc_{name} {kind}"]
