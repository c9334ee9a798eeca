"""The log on stderr, as JSON, a line an event, where AFLOC_LOG asks for it.

A line says what happened where in the code, never what somebody typed or sent: no message of an exception,
no path, no address, no file name.
"""

import json
import logging
from datetime import UTC, datetime

REQUESTS = logging.getLogger("afloc.requests")
AUDIT = logging.getLogger("afloc.audit")  # what passes between the page and its PACS


class JsonLines(logging.Formatter):
    """`fields` of a record beside its time, level and message; an exception by its kind alone.

    Of a library's record only the place: its message may quote a file.
    """

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname.lower(), "logger": record.name}
        own = record.name.startswith("afloc")
        line["message"] = record.getMessage() if own else f"{record.module}, line {record.lineno}"
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line | getattr(record, "fields", {}))


def set_up_log(style: str) -> None:
    """`style`: text (warnings and errors) or json (requests too, as JSON lines)."""
    if style != "json":
        return
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    REQUESTS.setLevel(logging.INFO)
    AUDIT.setLevel(logging.INFO)


def log_request(route: str, method: str, status: int, seconds: float) -> None:
    fields = {"route": route, "method": method, "status": status, "ms": round(1000 * seconds, 1)}
    REQUESTS.info("request", extra={"fields": fields})
