"""Every request counted and logged, by its route alone."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afloc.web.logs import log_request
from afloc.web.metrics import Metrics
from afloc.web.security.open_routes import find_route

METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH")


class RequestLog:
    """ASGI: the route, status and duration of each request go to the metrics and to the log."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, status = time.perf_counter(), 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            route, seconds = find_route(scope["path"]), time.perf_counter() - started
            self._metrics.request(route, status, seconds)
            log_request(route, scope["method"] if scope["method"] in METHODS else "other", status, seconds)
