"""The door of the page: what every request passes before anything else sees it.

Only the routes that the page and `gradio_client` need are open: of gradio's others, some fetch addresses or
send files for whoever asks. Beyond that: how large a body may be, how often a client may ask, the sign-in,
the headers of every answer, and one sentence where an answer would have been an error page.
"""

import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afloc.errors import ImageError
from afloc.web import oauth, signin
from afloc.web.answers import explain
from afloc.web.limits import Limit, TooManyError, client, name_client
from afloc.web.logs import log_request
from afloc.web.metrics import METRICS
from afloc.web.policy import fixed_headers
from afloc.web.signin import SignIn

HEALTH, FIGURES, LOGOUT = "/health", "/metrics", "/logout"
FILES = ("/gradio_api/upload", "/afloc/images", "/afloc/sets")  # what takes a file of an image or a set
STATIC = ("/assets/", "/static/", "/svelte/")
ROUTES = (
    *("/", HEALTH, FIGURES, signin.PATH, *oauth.PATHS),
    *("/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt"),
    *("/gradio_api/info", "/gradio_api/startup-events", "/gradio_api/component_server"),
    *("/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/cancel", "/gradio_api/reset"),
    "/gradio_api/upload",
)
OWN = ("/afloc/images", "/afloc/runs", "/afloc/sets", "/afloc/study", "/afloc/export", "/afloc/plotly.js")
BELOW = (*STATIC, "/gradio_api/call/", "/gradio_api/heartbeat/", *OWN)
MOST_ELSEWHERE_MB = 32  # of a body that is no image file: a question, a dropped ground truth
BURST = 10  # seconds' worth of requests that may come at once


class TooLargeError(ImageError):
    """A body grew past what is allowed."""


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

        client.set(name_client(scope["client"][0] if scope.get("client") else ""))
        limit_mb = self._upload_mb if route in FILES else min(self._upload_mb, MOST_ELSEWHERE_MB)
        receive = _bounded(receive, limit_mb)
        try:
            answer = await self._refuse(Request(scope, receive), route, limit_mb)
            await (answer or self._app)(scope, receive, send_on)
        except TooLargeError as error:
            if not status:
                await _say(str(error), 413)(scope, receive, send_on)
        except ClientDisconnect:  # whoever sent went away; nobody is left to answer
            pass
        except Exception as error:
            sentence = explain(error)
            if status:  # the answer broke off: the connection must, too
                raise ConnectionError(sentence) from None
            await _say(sentence, 500)(scope, receive, send_on)
        finally:
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
        if self._sign_in and route != FIGURES:
            if route == signin.PATH and request.method == "POST":
                return await self._sign_in.enter(request)
            if not self._sign_in.knows(request):
                return self._sign_in.ask(request)
            if route == LOGOUT:
                return self._sign_in.leave(request)
        return _say("There is no such page.", 404) if route in self._closed else None


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


def _bounded(receive: Receive, limit_mb: int) -> Receive:
    seen = 0

    async def receive_some() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit_mb << 20:
            raise TooLargeError(too_large(limit_mb))
        return message

    return receive_some


def _say(sentence: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": sentence}, status, headers)
