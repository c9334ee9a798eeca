"""The optional sign-in of the whole page: one password, a form without a script, a cookie.

`POST /login` takes the form of the page and what `gradio_client`'s `auth=` sends; the name in it does not
count. The cookie is a random token known to this process only: a restart signs everybody out.
"""

import html
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from afloc.errors import AccessError
from afloc.passwords import matches
from afloc.web.errors import TooManyError, sentence_response
from afloc.web.page_files import read_asset
from afloc.web.paths import LOGIN, LOGOUT, public_path
from afloc.web.security.open_routes import find_route
from afloc.web.security.rate_limits import wrong_tries

COOKIE = "afloc-session"
HOURS = 12
MOST_SESSIONS = 10_000
PLEASE = "Please sign in."
_FORM = """<form method="post" action="{}">
<label>Password
<input type="password" name="password" autocomplete="current-password" required autofocus></label>
<button>Sign in</button>
</form>"""


class PasswordSignIn:
    """ASGI: `app` for those who signed in; `public` paths for everybody.

    `hashed`: the password, as `hash_password` makes it. `framed`: the page stands in another site's frame, as
    on Hugging Face Spaces.
    """

    def __init__(
        self,
        app: ASGIApp,
        public: tuple[str, ...],
        hashed: str,
        framed: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._app, self._public = app, public
        self._hashed, self._framed, self._clock = hashed, framed, clock
        self._ends: OrderedDict[str, float] = OrderedDict()  # by session
        self._lock = threading.Lock()
        self._tries = wrong_tries()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, request = find_route(scope["path"]), Request(scope, receive)
        app = self._app
        if route in self._public:
            pass
        elif route == LOGIN and request.method == "POST":
            app = await self._enter(request)
        elif not self._knows(request):
            app = refuse(request, PLEASE, 401, _form(request))
        elif route == LOGOUT:
            app = self._leave(request)
        await app(scope, receive, send)

    def _knows(self, request: Request) -> bool:
        token = request.cookies.get(COOKIE)
        with self._lock:
            return token is not None and self._ends.get(token, 0.0) > self._clock()

    async def _enter(self, request: Request) -> Response:
        """The answer to a password."""
        async with request.form(max_files=0, max_fields=4) as form:
            password = str(form.get("password", ""))
        try:
            with self._tries.attempt():
                if not await run_in_threadpool(matches, password, self._hashed):
                    raise AccessError("This is not the password: check it and try again.")
        except AccessError as error:
            status = 429 if isinstance(error, TooManyError) else 401
            return refuse(request, str(error), status, _form(request))
        page = wants_page(request)
        answer = (
            RedirectResponse(public_path("/") + _query(request), 303)
            if page
            else JSONResponse({"success": True})
        )
        answer.headers["Set-Cookie"] = self._cookie(request, self._begin(), HOURS * 3600)
        return answer

    def _leave(self, request: Request) -> Response:
        with self._lock:
            self._ends.pop(request.cookies.get(COOKIE, ""), None)
        answer = RedirectResponse(public_path("/"), 303)
        answer.headers["Set-Cookie"] = self._cookie(request, "", 0)
        return answer

    def _begin(self) -> str:
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._ends[token] = self._clock() + HOURS * 3600
            if len(self._ends) > MOST_SESSIONS:
                self._ends.popitem(last=False)
        return token

    def _cookie(self, request: Request, token: str, seconds: int) -> str:
        parts = [f"{COOKIE}={token}", "Path=/", f"Max-Age={seconds}", "HttpOnly"]
        if self._framed:  # a frame's cookies are third-party ones
            parts += ["SameSite=None", "Secure", "Partitioned"]
        else:
            parts += ["SameSite=Lax", *(["Secure"] if request.url.scheme == "https" else [])]
        return "; ".join(parts)


def _form(request: Request) -> str:
    return _FORM.format(html.escape(public_path(LOGIN) + _query(request)))


def _query(request: Request) -> str:
    """What the page's address asks for, as an image of the PACS: the sign-in leads back to it."""
    return f"?{request.url.query}" if request.url.query else ""


def refuse(request: Request, sentence: str, status: int, way: str) -> Response:
    """What somebody who is not signed in is told; `way`: the markup of the page that lets them in."""
    if not wants_page(request):
        return sentence_response(sentence, status)
    page = read_asset("shell/signin.html").replace("{{sentence}}", sentence).replace("{{way}}", way)
    return HTMLResponse(page, status)


def wants_page(request: Request) -> bool:
    """Whether a browser asks for a page to show, and no script or program for an answer."""
    return "text/html" in request.headers.get("accept", "")
