"""The gate in front of the page: what every request passes before anything else sees it.

Each concern is a middleware with a file of its own. They are put together here, and their order counts.
"""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from afloc.web.metrics import Metrics
from afloc.web.paths import FIGURES, HEALTH, HUB_CALLBACK, HUB_LOGIN, LOGIN, LOGOUT
from afloc.web.security.body_limits import BodyLimits
from afloc.web.security.cross_site import CrossSiteCheck
from afloc.web.security.error_sentences import ErrorSentences
from afloc.web.security.headers import FixedHeaders
from afloc.web.security.hosts import ANY, HostCheck, Names
from afloc.web.security.oauth import HubSignIn
from afloc.web.security.open_routes import OpenRoutes
from afloc.web.security.password_sign_in import PasswordSignIn
from afloc.web.security.rate_limits import RateLimits
from afloc.web.security.request_log import RequestLog

PUBLIC = (HEALTH, FIGURES)  # open without a sign-in; FIGURES has a token of its own


class Gate:
    """ASGI: `app` behind the gate.

    `upload_mb`: the most that a file may have. `rates`: requests a second of one client and of all together.
    `password`: the hash of the page's, where it has one. `framed`: the page stands in Hugging Face's frame.
    `by_hub`: people sign in with Hugging Face. `metrics`: where the requests are counted.
    `names`: those of the page, None for any.
    """

    def __init__(
        self,
        app: ASGIApp,
        upload_mb: int,
        rates: tuple[float, float],
        password: str | None = None,
        framed: bool = False,
        by_hub: bool = False,
        metrics: Metrics | None = None,
        names: Names | None = None,
    ):
        names = names or Names(frozenset({ANY}))
        layers = [  # a request passes them from the first to the last
            Middleware(RequestLog, metrics or Metrics()),
            Middleware(FixedHeaders, framed),
            Middleware(ErrorSentences),
            Middleware(RateLimits, rates),
            Middleware(HostCheck, names),
            Middleware(CrossSiteCheck, names),
            Middleware(BodyLimits, upload_mb),
        ]
        if password:
            layers += [
                Middleware(PasswordSignIn, PUBLIC, password, framed),
                Middleware(OpenRoutes, (LOGIN, LOGOUT)),
            ]
        elif by_hub:
            layers += [
                Middleware(OpenRoutes, (HUB_LOGIN, HUB_CALLBACK, LOGOUT)),
                Middleware(HubSignIn, PUBLIC, framed),
            ]
        else:
            layers.append(Middleware(OpenRoutes))
        self._app = self._gated = app
        for layer, arguments, named in reversed(layers):
            self._gated = layer(self._gated, *arguments, **named)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._gated(scope, receive, send)
        else:  # nothing here speaks over a websocket
            await send({"type": "websocket.close", "code": 1008})
