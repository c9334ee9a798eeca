"""An error as one sentence with one HTTP status, the same for every route and server function."""

import functools
import inspect
import logging
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from afloc.errors import AccessError, AFLocError, ChangedError, PacsError, StoreError
from afloc.web.metrics import METRICS

UNEXPECTED = "Something went wrong on the server; please try again."
NO_MEMORY = "The server has no memory left for this; please try again later, or with a smaller image."


class MessageError(AFLocError):
    """A request of the page or of a client lacks a value, or holds one of the wrong kind."""


class NotFoundError(AFLocError):
    """There is nothing at the address that was asked for."""


class TooManyError(AccessError):
    """Somebody asks more often than is allowed."""


class RefusedError(AFLocError):
    """A request that is refused for its size or for the load of the server. `status`: of the answer."""

    def __init__(self, sentence: str, status: int):
        super().__init__(sentence)
        self.status = status


STATUSES: dict[type[Exception], int] = {
    TooManyError: 429,
    AccessError: 403,
    NotFoundError: 404,
    ChangedError: 409,
    StoreError: 503,
    PacsError: 502,
    AFLocError: 422,  # any other: an image, a description, a message that is not accepted
    Exception: 500,
}
"""The HTTP status of each kind of error; a kind stands before the kinds that it belongs to."""

log = logging.getLogger(__name__)


def status_of(error: Exception) -> int:
    if isinstance(error, RefusedError):
        return error.status
    return next(status for kind, status in STATUSES.items() if isinstance(error, kind))


def explain(error: Exception) -> str:
    """One sentence for the user.

    An unexpected error is logged by its kind and place alone: its message may hold what someone typed or what
    a file contained.
    """
    if isinstance(error, AFLocError):
        return str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # PyTorch's RuntimeError
        return NO_MEMORY
    METRICS.count("unexpected")
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s in %s, line %s", type(error).__name__, Path(place.filename).name, place.lineno)
    return UNEXPECTED


def sentence_response(sentence: str, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer that says what went wrong, as the page and every client read it."""
    return JSONResponse({"error": sentence}, status, headers)


def error_response(error: Exception, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer to an error: its sentence under its status."""
    return sentence_response(explain(error), status_of(error), headers)


def answering_errors(
    endpoint: Callable[[Request], Any],
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a route with every error turned into an answer; run in a thread if it is not async."""

    @functools.wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            if inspect.iscoroutinefunction(endpoint):
                return await endpoint(request)
            return await run_in_threadpool(endpoint, request)
        except ClientDisconnect:  # the sender went away; nobody is left to answer
            return Response(status_code=400)
        except Exception as error:
            return error_response(error)

    return answer
