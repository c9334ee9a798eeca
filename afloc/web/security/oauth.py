"""The optional sign-in with Hugging Face, on a Space: nobody else gets in, and feedback carries their name.

The exchange with the hub is gradio's (`gradio.oauth`): its routes, and a signed cookie that says who came in.
"""

import html
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI
from gradio.oauth import attach_oauth
from gradio.utils import get_space
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from afloc.errors import SettingsError
from afloc.web.paths import HUB_LOGIN, public_path
from afloc.web.security.password_sign_in import PLEASE, refuse

_LINK = """<a href="{}" target="{}">Sign in with Hugging Face</a>
<p class="note">Your user name is kept with your feedback.</p>"""


user: ContextVar[str | None] = ContextVar("user", default=None)
"""The name of who asks, where a request of somebody signed in is being answered."""


def check_place(password: str | None) -> None:
    """SettingsError unless this is a Space, without a password of its own."""
    if get_space() is None:  # gradio would sign everybody in as whoever runs the page
        raise SettingsError("AFLOC_SIGN_IN=oauth is for Hugging Face Spaces; elsewhere use AFLOC_PASSWORD.")
    if password:
        raise SettingsError("Give AFLOC_PASSWORD or AFLOC_SIGN_IN, not both.")


class HubSignIn:
    """ASGI: `app` for those who signed in; `public` paths for everybody. SettingsError where nobody could.

    `framed`: the sign-in opens a window of its own, since Hugging Face shows it in no frame.
    """

    def __init__(self, app: ASGIApp, public: tuple[str, ...], framed: bool):
        self._app, self._public = app, public
        way = public_path(HUB_LOGIN)
        if way != HUB_LOGIN:
            way += "?" + urlencode({"_target_url": public_path("/")})  # where gradio leads who comes back
        self._link = _LINK.format(html.escape(way), "_blank" if framed else "_self")
        try:
            from authlib.common.errors import AuthlibBaseError

            refusals: dict[Any, Any] = dict.fromkeys((AuthlibBaseError, httpx.HTTPError), self._try_again)
            self._exchange = FastAPI(openapi_url=None, exception_handlers=refusals)
            attach_oauth(self._exchange)
        except (ImportError, ValueError):
            raise SettingsError(
                "AFLOC_SIGN_IN=oauth needs gradio[oauth], and hf_oauth: true in the Space's README.md."
            ) from None
        self._exchange.mount("/", self._answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._exchange(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        user.set(name := user_name(scope["session"]))
        inside = name is not None or scope["path"] in self._public
        app = self._app if inside else refuse(Request(scope), PLEASE, 401, self._link)
        await app(scope, receive, send)

    async def _try_again(self, request: Request, _: Exception) -> Response:
        return refuse(request, "Hugging Face did not sign you in: please try again.", 401, self._link)


def user_name(session: Mapping[str, Any]) -> str | None:
    """Who signed in, None for nobody or where it is too long ago."""
    found = session.get("oauth_info") or {}
    return found["userinfo"]["preferred_username"] if found.get("expires_at", 0) > time.time() else None
