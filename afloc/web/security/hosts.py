"""Under which names the page may be asked for (DNS rebinding).

A site that somebody visits can have its own name lead to this computer a moment later. To the browser the
page then belongs to that site, whose scripts may read it. But such a request still carries the site's name.
An address of numbers, or a name without a dot, belongs to no site.
"""

import ipaddress
import os
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from afloc.web.errors import sentence_response
from afloc.web.paths import HEALTH
from afloc.web.security.open_routes import find_route

ANY = "*"
UNKNOWN = "The page is not served under this name. Whoever runs it can add the name to AFLOC_HOSTS."


@dataclass(frozen=True)
class Names:
    """The names of the page, beside those that belong to no site: "*.example.org" for all below one, "*" for
    any."""

    listed: frozenset[str] = frozenset()

    def has(self, host: str) -> bool:
        """Whether the page may be asked for under the name of a Host header; a port in it does not count."""
        return is_own(host_name(host)) or ANY in self.listed or self.lists(host)

    def lists(self, host: str) -> bool:
        """Whether the name itself is listed, or all below a part of it."""
        name = host_name(host)
        parts = name.split(".")
        above = (f"*.{'.'.join(parts[n:])}" for n in range(1, len(parts)))
        return name in self.listed or not self.listed.isdisjoint(above)


class HostCheck:
    """ASGI: refuses (421) what is asked for under a name that the page does not have; all but `/health`."""

    def __init__(self, app: ASGIApp, names: Names):
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope).getlist("host")
        known = find_route(scope["path"]) == HEALTH or all(map(self._names.has, asked))
        await (self._app if known else sentence_response(UNKNOWN, 421))(scope, receive, send)


def host_name(host: str) -> str:
    """The name in `name:port`, lower case, without the last dot."""
    host = host.strip().lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.removesuffix(".")


def is_own(name: str) -> bool:
    """Whether no site can have this name: it is an address, without a dot, or below localhost."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and ("." not in name or name.endswith(".localhost"))
    return True


def choose_names(setting: tuple[str, ...], host: str | None, on_spaces: bool) -> Names:
    """Those that AFLOC_HOSTS lists, and this computer's own. `host`: the name or address it listens on.

    On Hugging Face Spaces any name, if none is listed: the hub only passes on what is asked for under a
    name of the Space.
    """
    if on_spaces and not setting:
        return Names(frozenset({ANY}))
    computer = socket.gethostname().lower()
    root = urlsplit(os.environ.get("GRADIO_ROOT_PATH", "")).hostname
    found = (*setting, computer, f"{computer}.local", *filter(None, (host, root)))
    return Names(frozenset(each.lower() for each in found if each == ANY or not is_own(each)))
