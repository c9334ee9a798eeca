"""Who asks, where reverse proxies stand before the page: X-Forwarded-For, read from the right.

Each proxy appends the address it was asked from. So only the entries on the right are written by proxies; a
client may write whatever it likes on the left.
"""

import ipaddress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from afloc.settings import Networks

PRIVATE: Networks = tuple(
    ipaddress.ip_network(each)
    for each in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
    + ("::1/128", "fc00::/7", "fe80::/10")
)


@dataclass(frozen=True)
class Proxies:
    """The reverse proxies before the page: how many there are, or in which networks they are.

    `count`: whoever connects is one of so many, and each has appended an address. None: an address in
    `networks` is a proxy's. `hidden`: whoever connects is a proxy, too.
    """

    count: int | None = None
    networks: Networks = ()
    hidden: bool = False

    def believes(self, peer: str) -> bool:
        """Whether what `peer` says about who asked it is believed."""
        return self.count is not None or self.hidden or self._has(peer)

    def find_client(self, peer: str, forwarded: list[str]) -> str:
        """The address of who asks. `peer` connects; `forwarded`: what X-Forwarded-For says, from the left."""
        if not forwarded or not self.believes(peer):
            return peer
        if self.count is not None:
            return forwarded[-min(self.count, len(forwarded))]
        outside = (each for each in reversed(forwarded) if not self._has(each))
        return next(outside, forwarded[-1])

    def _has(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self.networks)


def choose_proxies(setting: int | Networks | None, on_spaces: bool) -> Proxies:
    """Those that AFLOC_PROXIES names, or the usual ones.

    On Hugging Face Spaces it is not said how many there are. They are inside the hub's private network, so
    the address farthest right that is not private is the visitor's.
    """
    if setting is None:
        return Proxies(networks=PRIVATE, hidden=True) if on_spaces else Proxies(networks=PRIVATE[:1])
    return Proxies(count=setting) if isinstance(setting, int) else Proxies(networks=setting)


class ForwardedClient:
    """ASGI: `app` with the client and the scheme that the proxies tell, where they are believed."""

    def __init__(self, app: ASGIApp, proxies: Proxies):
        self._app, self._proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = (scope.get("client") or ("",))[0]
        if scope["type"] == "http" and self._proxies.believes(peer):
            headers = Headers(scope=scope)
            said = ",".join(headers.getlist("x-forwarded-for")).split(",")
            forwarded = [_address(each) for each in said if each.strip()]
            scheme = headers.get("x-forwarded-proto", "").strip()
            scope = {**scope, "client": (self._proxies.find_client(peer, forwarded), 0)}
            scope["scheme"] = scheme if scheme in ("http", "https") else scope["scheme"]
        await self._app(scope, receive, send)


def _address(entry: str) -> str:
    """Without the port that some proxies add: 192.0.2.1:4711, [2001:db8::1]:4711."""
    entry = entry.strip()
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
