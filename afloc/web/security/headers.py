"""The headers of every answer, and what the page's scripts may do (Content-Security-Policy).

Gradio builds its components with `new Function`, so 'unsafe-eval' stays; its scripts in the page itself are
named by their hashes, so that markup that got in would still not run: no handler in an attribute, no script
tag, no `javascript:` address.
"""

import base64
import hashlib
import re
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SPACES = "https://huggingface.co https://*.hf.space"
NAME = "Content-Security-Policy"
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'self'",
    "frame-ancestors": "'self'",
}
_INLINE = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


def policy(framed: bool, scripts: Iterable[bytes] = ()) -> str:
    """`framed`: Hugging Face may show the page in a frame. `scripts`: the text of those inside the page."""
    hashes = (base64.b64encode(hashlib.sha256(each).digest()).decode() for each in scripts)
    parts = dict(_POLICY)
    parts["script-src"] += "".join(f" 'sha256-{each}'" for each in hashes)
    parts["frame-ancestors"] += f" {SPACES}" if framed else ""
    return "; ".join(f"{name} {value}" for name, value in parts.items())


def fixed_headers(framed: bool) -> dict[str, str]:
    headers = {
        NAME: policy(framed),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return headers if framed else headers | {"X-Frame-Options": "SAMEORIGIN"}


class FixedHeaders:
    """ASGI: gives every answer the headers of the page, where it has none of that name."""

    def __init__(self, app: ASGIApp, framed: bool):
        self._app, self._headers = app, fixed_headers(framed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class DressPage:
    """ASGI: adds to the head and the body of an HTML page; its policy names the scripts in it.

    `narrow`: what is added to the head for who may use the reader's page alone (`StudyOnly`).
    """

    def __init__(self, app: ASGIApp, framed: bool, head: bytes = b"", body: bytes = b"", narrow: bytes = b""):
        self._app, self._framed = app, framed
        self._head, self._body, self._narrow = head, body, narrow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None  # of an HTML page, held back until the page is whole
        body = b""

        async def send_named(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                kind = MutableHeaders(scope=message).get("content-type", "")
                if kind.startswith("text/html"):
                    start = message
                    return
            elif start:
                body += message.get("body", b"")
                if message.get("more_body"):
                    return
                more = self._narrow if scope.get("study_only") else b""
                body = body.replace(b"</head>", self._head + more + b"</head>", 1)
                body = body.replace(b"<gradio-app", self._body + b"<gradio-app", 1)
                headers = MutableHeaders(scope=start)
                headers[NAME] = policy(self._framed, _INLINE.findall(body))
                headers["Content-Length"] = str(len(body))
                await send(start)
                message = {**message, "body": body}
            await send(message)

        await self._app(scope, receive, send_named)
