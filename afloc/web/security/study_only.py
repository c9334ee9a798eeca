"""While a study is open that says so (`exclusive`), only coordinators may use anything but the reader's page.

Readers are not signed in on the server, and anybody can open another window. So the rest is closed to
everybody, however it is asked for, but for those who signed in as a coordinator: they carry a cookie, which
any process that knows the code can check, and which does not hold it.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Collection, Iterable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afloc.web.errors import sentence_response
from afloc.web.paths import CALL, EDITOR, EXPORT, JOIN, OWN, PAGE, PLOTLY, SERVER_FUNCTIONS, STUDY, UPLOAD
from afloc.web.security.open_routes import find_route

COOKIE = "afloc-coordinator"
HOURS = 12
CLOSED = "A reader study is under way: until it ends only its coordinator may use this part of the page."
# Of our own routes; export and results ask for a code themselves.
OPEN = (STUDY, EDITOR, EXPORT, PLOTLY, PAGE)
ASKED = (UPLOAD, CALL, JOIN)
HEAD = b"""<style>#tabs [role="tab"]:not(:nth-child(3)) { display: none !important; }</style>
<script>new MutationObserver((_, watcher) => {
  const tab = document.querySelector('#tabs [role="tab"]:nth-child(3)');
  if (tab) { watcher.disconnect(); tab.click(); }
}).observe(document, { childList: true, subtree: true });</script>"""


class StudyOnly:
    """ASGI: `app`, closed but for the reader's page where `is_on()` and no coordinator asks.

    `codes`: the coordinators' codes. `components`: gradio's numbers of the parts whose functions stay open.
    """

    def __init__(
        self,
        app: ASGIApp,
        is_on: Callable[[], bool],
        codes: Callable[[], Iterable[str]],
        components: Collection[int],
    ):
        self._app, self._is_on, self._codes, self._components = app, is_on, codes, components

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._is_on() or knows(Request(scope).cookies, self._codes()):
            return await self._app(scope, receive, send)
        scope["study_only"] = True  # for `DressPage`
        route = find_route(scope["path"])
        if route == SERVER_FUNCTIONS:
            body = await Request(scope, receive).body()
            receive = _again(body)
            closed = _component(body) not in self._components
        else:
            closed = route in ASKED or (route in OWN and route not in OPEN)
        await (sentence_response(CLOSED, 403) if closed else self._app)(scope, receive, send)


def knows(cookies: dict[str, str], codes: Iterable[str]) -> bool:
    """Whether one of the codes made the cookie, and it is not too old."""
    ends, _, mac = cookies.get(COOKIE, "").partition(".")
    if not (ends.isascii() and ends.isdigit() and len(ends) < 12) or int(ends) < time.time():
        return False
    known = [hmac.compare_digest(mac.encode(), _mac(code, ends).encode()) for code in codes if code]
    return any(known)


def cookie(code: str, secure: bool, framed: bool) -> str:
    """The header that keeps a coordinator signed in at this browser for HOURS."""
    ends = str(int(time.time()) + HOURS * 3600)
    parts = [f"{COOKIE}={ends}.{_mac(code, ends)}", "Path=/", f"Max-Age={HOURS * 3600}", "HttpOnly"]
    if framed:  # a frame's cookies are third-party ones
        parts += ["SameSite=None", "Secure", "Partitioned"]
    else:
        parts += ["SameSite=Lax", *(["Secure"] if secure else [])]
    return "; ".join(parts)


def _mac(code: str, ends: str) -> str:
    return hmac.new(code.strip().encode(), f"afloc coordinator {ends}".encode(), hashlib.sha256).hexdigest()


def _component(body: bytes) -> int | None:
    try:
        found = json.loads(body)["component_id"]
        return found if type(found) is int else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _again(body: bytes) -> Receive:
    """What has been read, for the app to read."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
