"""Another site's page may not change anything here, although the browser would send our cookie with it."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from afloc.web.errors import sentence_response


class CrossSiteCheck:
    """ASGI: refuses what a browser sends for another site's page, unless it only reads."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["method"] in ("GET", "HEAD")
        app = self._app
        if not reads and Headers(scope=scope).get("sec-fetch-site") == "cross-site":
            app = sentence_response("This page takes no orders from other sites.", 403)
        await app(scope, receive, send)
