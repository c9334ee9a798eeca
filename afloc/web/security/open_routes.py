"""The white list of routes: what the page and `gradio_client` need.

Of gradio's other routes, some fetch addresses or send files for whoever asks.
"""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from afloc.web.errors import sentence_response
from afloc.web.paths import (
    CALL,
    FIGURES,
    HEALTH,
    HUB_CALLBACK,
    HUB_LOGIN,
    JOIN,
    LOGIN,
    LOGOUT,
    OWN,
    PAGE,
    SERVER_FUNCTIONS,
    UPLOAD,
)

STATIC = ("/assets/", "/static/", "/svelte/", f"{PAGE}/")
SIGN_IN = (LOGIN, LOGOUT, HUB_LOGIN, HUB_CALLBACK)
ROUTES = (
    *("/", HEALTH, FIGURES, *SIGN_IN),
    *("/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt"),
    *("/gradio_api/info", "/gradio_api/startup-events", SERVER_FUNCTIONS),
    *(JOIN, "/gradio_api/queue/data", "/gradio_api/cancel", "/gradio_api/reset", UPLOAD),
)
BELOW = (*STATIC, CALL, "/gradio_api/heartbeat/", *OWN)
UNKNOWN = "other"


class OpenRoutes:
    """ASGI: answers 404 for every route but the open ones. `sign_in`: those of SIGN_IN that are in use."""

    def __init__(self, app: ASGIApp, sign_in: Iterable[str] = ()):
        self._app = app
        self._closed = {UNKNOWN, *SIGN_IN}.difference(sign_in)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        closed = find_route(scope["path"]) in self._closed
        app = sentence_response("There is no such page.", 404) if closed else self._app
        await app(scope, receive, send)


def find_route(path: str) -> str:
    """The open route a path belongs to, without what varies in it: tokens, sessions; else "other"."""
    path = path.rstrip("/") or "/"
    if path in ROUTES:
        return path
    below = next((each for each in BELOW if f"{path}/".startswith(f"{each.rstrip('/')}/")), None)
    return UNKNOWN if below is None or "/../" in f"{path}/" else below
