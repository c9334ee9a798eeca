"""What passed between a page and its PACS: a line for each search, fetch and send.

A line says when, what, by whom and with what outcome. It names UIDs, never a patient, and holds no pixels.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from afloc.errors import PacsError

NOT_WRITABLE = (
    "The audit log cannot be written, so nothing is exchanged with the PACS: tell whoever runs this page."
)
AUDIT = logging.getLogger("afloc.audit")


class Audit:
    """JSON lines that are only ever added to a file; `AUDIT` logs the same.

    Several processes may share the file: each line is one write.
    """

    def __init__(self, path: Path):
        self._path = path

    @contextmanager
    def record(self, action: str, who: str, **what: object) -> Iterator[None]:
        """Note what the block does. What cannot be noted is not done: PacsError before the block begins."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError:
            raise PacsError(NOT_WRITABLE) from None
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            time = datetime.now(UTC).isoformat(timespec="milliseconds")
            line = {"time": time, "action": action, "by": who, **what, "outcome": outcome}
            try:
                os.write(file, json.dumps(line).encode() + b"\n")
            finally:
                os.close(file)
            AUDIT.info("exchanged with the PACS", extra={"fields": line})
