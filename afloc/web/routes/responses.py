"""What the server says: a finding as JSON, an error as one sentence."""

import functools
import io
import json
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from afloc.errors import AFLocError, DescriptionError, ImageError
from afloc.inference.finding import Finding
from afloc.web.errors import explain
from afloc.web.metrics import METRICS

GONE = {"gone": True, "error": "The server no longer holds this image; please open it again."}
LONGEST_DESCRIPTION = 4000  # characters, the text field's limit too


def describe(finding: Finding) -> dict:
    """A finding with its map as `grid`: rows of numbers 0 … 1 that cover exactly the image."""
    METRICS.count("located")
    entry = {
        "text": finding.text,
        "score": finding.score,
        "probability": finding.probability,
        "present": finding.present,
        "operating_point": finding.operating_point,
        "grid": [[round(value, 4) for value in row] for row in finding.grid.tolist()],
    }
    return entry | {"warning": finding.warning} if finding.warning else entry


def read_description(value: object) -> str:
    """A description that came from outside; DescriptionError where it is no text, or too long."""
    if not isinstance(value, str):
        raise DescriptionError("The description should be a text.")
    if len(value) > LONGEST_DESCRIPTION:
        raise DescriptionError(f"Please describe it in at most {LONGEST_DESCRIPTION} characters.")
    return value


def answering(function: Callable[..., dict]) -> Callable[..., dict]:
    """The function with every error turned into {"error": sentence}."""

    @functools.wraps(function)
    def answer(*arguments):
        try:
            return function(*arguments)
        except Exception as error:
            return {"error": explain(error)}

    return answer


async def read_body(request: Request, limit_mb: int) -> bytes:
    """The body, refused with ImageError as soon as it grows past the limit."""
    body = io.BytesIO()
    async for chunk in request.stream():
        body.write(chunk)
        if body.tell() > limit_mb << 20:
            raise ImageError(f"The file is larger than {limit_mb} MB; please open a smaller one.")
    return body.getvalue()  # its own memory, not a copy


def post_route(path: str, function: Callable[[dict], Response]) -> Route:
    """A route that answers the JSON object of a POST; an error comes as {"error": sentence}."""

    async def answer(request: Request) -> Response:
        try:
            said = json.loads(await request.body())
            return await run_in_threadpool(function, said if isinstance(said, dict) else {})
        except Exception as error:
            return JSONResponse({"error": explain(error)}, 403 if isinstance(error, AFLocError) else 500)

    return Route(path, answer, methods=["POST"])
