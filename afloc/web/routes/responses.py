"""What the server says: a finding as JSON, an error as one sentence."""

import io
import json
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afloc.errors import ImageError
from afloc.inference.finding import Finding
from afloc.web.errors import MessageError, answering_errors, explain, status_of
from afloc.web.messages import M, parse
from afloc.web.metrics import METRICS

GONE = {
    "gone": True,
    "error": "The server no longer holds this image; please open it again.",
    "status": 410,
}


def describe(finding: Finding) -> dict:
    """A finding with its map as `grid`: rows of numbers 0 … 1 that cover exactly the image."""
    METRICS.count("located")
    grid = [[round(value, 4) for value in row] for row in finding.grid.tolist()]
    return finding.as_json() | {"grid": grid}


def answering(message: type[M]) -> Callable[[Callable[[M], dict]], Callable[[object], dict]]:
    """Makes a server function of a function: it takes what a script sends, as a `message`, and every error
    is turned into {"error": sentence, "status": the one of HTTP that stands for it}."""

    def decorate(function: Callable[[M], dict]) -> Callable[[object], dict]:
        def answer(sent: object = None) -> dict:
            try:
                return function(parse(message, sent))
            except Exception as error:
                return {"error": explain(error), "status": status_of(error)}

        answer.__name__ = function.__name__  # the scripts call it so
        return answer

    return decorate


async def read_body(request: Request, limit_mb: int) -> bytes:
    """The body, refused with ImageError as soon as it grows past the limit."""
    body = io.BytesIO()
    async for chunk in request.stream():
        body.write(chunk)
        if body.tell() > limit_mb << 20:
            raise ImageError(f"The file is larger than {limit_mb} MB; please open a smaller one.")
    return body.getvalue()  # its own memory, not a copy


def post_route(path: str, message: type[M], function: Callable[[M], Response]) -> Route:
    """A route that answers the JSON object of a POST, read as a `message`."""

    @answering_errors
    async def answer(request: Request) -> Response:
        try:
            sent = json.loads(await request.body())
        except (ValueError, RecursionError):
            raise MessageError("This should be sent as JSON.") from None
        return await run_in_threadpool(function, parse(message, sent))

    return Route(path, answer, methods=["POST"])
