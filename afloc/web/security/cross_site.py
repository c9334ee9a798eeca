"""Another site's page may not change anything here, although the browser would send our cookie with it."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from afloc.web.errors import sentence_response
from afloc.web.paths import LOGIN
from afloc.web.security.hosts import Names
from afloc.web.security.open_routes import find_route

OWN_SITES = ("same-origin", "none")  # of Sec-Fetch-Site; "none": the user themselves, by an address typed


class CrossSiteCheck:
    """ASGI: refuses what a browser sends for another site's page, unless it only reads.

    A browser says so in Sec-Fetch-Site, or, where it leaves that out (without HTTPS, or an old one), names
    the site in Origin. `names`: those of the page, also where a proxy changes Host.
    """

    def __init__(self, app: ASGIApp, names: Names):
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["method"] in ("GET", "HEAD")
        app = self._app if reads or self._is_own(scope) else _REFUSED
        await app(scope, receive, send)

    def _is_own(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            return site in OWN_SITES
        if origin is None:  # no browser
            return True
        if origin == "null":  # our policy has a browser leave out where a form comes from
            return find_route(scope["path"]) == LOGIN
        here = (headers.get("host"), headers.get("x-forwarded-host"))
        place = urlsplit(origin).netloc
        return _place(place) in map(_place, filter(None, here)) or self._names.lists(place)


_REFUSED = sentence_response("This page takes no orders from other sites.", 403)


def _place(host: str) -> str:
    """A name and port, without the ports that browsers leave out."""
    host = host.strip().lower()
    return host.removesuffix(":80").removesuffix(":443")
