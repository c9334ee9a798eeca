"""How large the body of a request may be, and how much may be on its way in at once."""

import asyncio

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afloc.web.errors import RefusedError, error_response, sentence_response
from afloc.web.paths import CALL, DICOM, IMAGES, JOIN, SERVER_FUNCTIONS, SETS, UPLOAD
from afloc.web.security.open_routes import find_route

FILES = (UPLOAD, IMAGES, SETS, DICOM)  # routes that take a file of an image or a set
CALLS = (CALL, JOIN)
MOST_OF_A_CALL_MB = 1  # a call names the file it sent before; drawn regions are half of the rest
MOST_ELSEWHERE_MB = 32  # of a body that is no image file: a request of a script, a dropped ground truth
BODIES_AT_ONCE = 8  # of the largest size, that may be on their way in
LEAST_IN_FLIGHT_MB = 512  # where uploads are small
STALL_SECONDS = 60.0  # without a byte, after which a body is given up
FULL = "The server is taking in as much as it can; please try again in a minute."
STALLED = "The rest of this did not arrive; please send it again."


class BodyError(RefusedError):
    """A body that is not taken any further."""


class BodyLimits:
    """ASGI: refuses a body that is too large, stalls, or is one too many at once.

    `upload_mb`: the most that a file of an image or a set may have.
    """

    def __init__(self, app: ASGIApp, upload_mb: int):
        self._app, self._upload_mb = app, upload_mb
        self._budget = Budget(max(BODIES_AT_ONCE * upload_mb, LEAST_IN_FLIGHT_MB) << 20)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = find_route(scope["path"])
        limit_mb = self._limit_of(route)
        if refused := _refuse(Headers(scope=scope), route, limit_mb):
            return await refused(scope, receive, send)
        body, started = Body(receive, limit_mb, self._budget), False

        async def send_on(message: Message) -> None:
            nonlocal started
            if started or not body.refusal:  # else we answer, whatever the app made of the error
                started = True
                await send(message)

        try:
            await self._app(scope, body.receive, send_on)
        except BodyError:
            pass
        finally:
            body.give_back()
        if body.refusal and not started:
            headers = {"Connection": "close"} if body.refusal.status == 408 else None
            await error_response(body.refusal, headers)(scope, receive, send)

    def _limit_of(self, route: str) -> int:
        elsewhere_mb = MOST_OF_A_CALL_MB if route in CALLS else MOST_ELSEWHERE_MB
        return self._upload_mb if route in FILES else min(self._upload_mb, elsewhere_mb)


class Budget:
    """Bytes that may be held at once; for one event loop."""

    def __init__(self, size: int):
        self._left = size

    def take(self, size: int) -> bool:
        """Whether there are so many left; then they are taken."""
        enough = size <= self._left
        if enough:
            self._left -= size
        return enough

    def give_back(self, size: int) -> None:
        self._left += size


class Body:
    """A request's body on its way in: at most `limit_mb`, counted in `budget` until `give_back`.

    `refusal`: why `receive` raised BodyError, once it did: the body is too large, too much comes in at once,
    or nothing came for STALL_SECONDS.
    """

    def __init__(self, receive: Receive, limit_mb: int, budget: Budget):
        self._receive, self._limit_mb, self._budget = receive, limit_mb, budget
        self._taken = 0
        self._complete = False
        self.refusal: BodyError | None = None

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout(None if self._complete else STALL_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise self._refuse(STALLED, 408) from None
        size = len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._taken + size > self._limit_mb << 20:
            raise self._refuse(too_large(self._limit_mb), 413)
        if not self._budget.take(size):
            raise self._refuse(FULL, 503)
        self._taken += size
        return message

    def give_back(self) -> None:
        self._budget.give_back(self._taken)
        self._taken = 0

    def _refuse(self, sentence: str, status: int) -> BodyError:
        self.refusal = BodyError(sentence, status)
        return self.refusal


def too_large(limit_mb: int) -> str:
    return f"This is larger than {limit_mb} MB; please send less."


def _refuse(headers: Headers, route: str, limit_mb: int) -> Response | None:
    """The answer to a body that is refused before it is read."""
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit_mb << 20:
        return sentence_response(too_large(limit_mb), 413)
    multipart = headers.get("content-type", "").lower().startswith("multipart/")
    if route == SERVER_FUNCTIONS and multipart:
        return sentence_response("Questions are sent as JSON.", 415)  # gradio would put a file elsewhere
    return None
