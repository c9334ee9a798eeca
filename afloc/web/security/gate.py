"""The door of the page: what every request passes before anything else sees it.

Only the routes that the page and `gradio_client` need are open: of gradio's others, some fetch addresses or
send files for whoever asks. Beyond that: how large a body may be, how often a client may ask, the sign-in,
the headers of every answer, and one sentence where an answer would have been an error page.
"""

import asyncio
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afloc.errors import AFLocError
from afloc.web.errors import explain
from afloc.web.logs import log_request
from afloc.web.metrics import METRICS
from afloc.web.page_files import PATH as PAGE
from afloc.web.paths import FIGURES, HEALTH, LOGOUT
from afloc.web.security import oauth
from afloc.web.security import password_sign_in as signin
from afloc.web.security.headers import fixed_headers
from afloc.web.security.password_sign_in import SignIn
from afloc.web.security.rate_limits import Budget, Limit, TooManyError, client, name_client

QUESTIONS = "/gradio_api/component_server"  # where the page calls functions of the server
FILES = ("/gradio_api/upload", "/afloc/images", "/afloc/sets")  # what takes a file of an image or a set
STATIC = ("/assets/", "/static/", "/svelte/", f"{PAGE}/")
ROUTES = (
    *("/", HEALTH, FIGURES, signin.PATH, *oauth.PATHS),
    *("/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt"),
    *("/gradio_api/info", "/gradio_api/startup-events", QUESTIONS),
    *("/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/cancel", "/gradio_api/reset"),
    "/gradio_api/upload",
)
OWN = ("/afloc/images", "/afloc/runs", "/afloc/sets", "/afloc/study", "/afloc/export", "/afloc/plotly.js")
BELOW = (*STATIC, "/gradio_api/call/", "/gradio_api/heartbeat/", *OWN)
CALLS = ("/gradio_api/call/", "/gradio_api/queue/join")  # of named endpoints
MOST_OF_A_CALL_MB = 1  # which names the file it sent before; an answer's drawn regions are half of it
MOST_ELSEWHERE_MB = 32  # of a body that is no image file: a question, a dropped ground truth
BURST = 10  # seconds' worth of requests that may come at once
BODIES_AT_ONCE = 8  # of the largest size, that may be on their way in
LEAST_IN_FLIGHT_MB = 512  # where uploads are small
STALL_SECONDS = 60.0  # without a byte, after which a body is given up
FULL = "The server is taking in as much as it can; please try again in a minute."
STALLED = "The rest of this did not arrive; please send it again."


class BodyError(AFLocError):
    """A body that is not taken any further. `status`: of the answer."""

    def __init__(self, sentence: str, status: int):
        super().__init__(sentence)
        self.status = status


class Door:
    """ASGI: `app` behind the door. `rates`: requests a second of one client and of all together.

    `by_hub`: the app's sign-in is that with Hugging Face (`oauth`).
    """

    def __init__(
        self,
        app: ASGIApp,
        upload_mb: int,
        rates: tuple[float, float],
        sign_in: SignIn | None = None,
        framed: bool = False,
        by_hub: bool = False,
    ):
        self._app = app
        self._upload_mb = upload_mb
        self._budget = Budget(max(BODIES_AT_ONCE * upload_mb, LEAST_IN_FLIGHT_MB) << 20)
        self._limit = Limit(*((rate, BURST * rate) for rate in rates))
        self._sign_in = sign_in
        used = oauth.PATHS if by_hub else (signin.PATH, LOGOUT) if sign_in else ()
        self._closed = {_UNKNOWN, signin.PATH, *oauth.PATHS}.difference(used)
        self._headers = fixed_headers(framed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # nothing here speaks over a websocket
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, started, status = find_route(scope["path"]), time.perf_counter(), 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        async def send_from_app(message: Message) -> None:
            if status or not body.refusal:  # else the door answers, whatever the app made of the error
                await send_on(message)

        client.set(name_client(scope["client"][0] if scope.get("client") else ""))
        elsewhere_mb = MOST_OF_A_CALL_MB if route in CALLS else MOST_ELSEWHERE_MB
        limit_mb = self._upload_mb if route in FILES else min(self._upload_mb, elsewhere_mb)
        body = Body(receive, limit_mb, self._budget)
        try:
            answer = await self._refuse(Request(scope, body.receive), route, limit_mb)
            await (answer or self._app)(scope, body.receive, send_from_app)
            if body.refusal:
                raise body.refusal
        except BodyError as refusal:
            if not status:
                headers = {"Connection": "close"} if refusal.status == 408 else None
                await _say(str(refusal), refusal.status, headers)(scope, receive, send_on)
        except ClientDisconnect:  # whoever sent went away; nobody is left to answer
            pass
        except Exception as error:
            sentence = explain(error)
            if status:  # the answer broke off: the connection must, too
                raise ConnectionError(sentence) from None
            await _say(sentence, 500)(scope, receive, send_on)
        finally:
            body.give_back()
            seconds = time.perf_counter() - started
            METRICS.request(route, status, seconds)
            log_request(route, scope["method"] if scope["method"] in _METHODS else "other", status, seconds)

    async def _refuse(self, request: Request, route: str, limit_mb: int) -> Response | None:
        """The answer to a request that does not get in; None where it may."""
        if route == HEALTH:
            return None
        try:
            if route not in STATIC:
                self._limit.take(client.get())
        except TooManyError as error:
            return _say(str(error), 429, {"Retry-After": "1"})
        if request.method not in ("GET", "HEAD") and _from_elsewhere(request.headers):
            return _say("This page takes no orders from other sites.", 403)
        if _declared(request.headers) > limit_mb << 20:
            return _say(too_large(limit_mb), 413)
        if route == QUESTIONS and request.headers.get("content-type", "").lower().startswith("multipart/"):
            return _say("Questions are sent as JSON.", 415)  # gradio would put a file elsewhere
        if self._sign_in and route != FIGURES:
            if route == signin.PATH and request.method == "POST":
                return await self._sign_in.enter(request)
            if not self._sign_in.knows(request):
                return self._sign_in.ask(request)
            if route == LOGOUT:
                return self._sign_in.leave(request)
        return _say("There is no such page.", 404) if route in self._closed else None


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


_UNKNOWN = "other"
_METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH")


def find_route(path: str) -> str:
    """The open route a path belongs to, without what varies in it: tokens, sessions; else "other"."""
    path = path.rstrip("/") or "/"
    if path in ROUTES:
        return path
    below = next((each for each in BELOW if f"{path}/".startswith(f"{each.rstrip('/')}/")), None)
    return _UNKNOWN if below is None or "/../" in f"{path}/" else below


def too_large(limit_mb: int) -> str:
    return f"This is larger than {limit_mb} MB; please send less."


def _declared(headers: Headers) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


def _from_elsewhere(headers: Headers) -> bool:
    """Whether a browser says that another site's page asks."""
    return headers.get("sec-fetch-site") == "cross-site"


def _say(sentence: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": sentence}, status, headers)
