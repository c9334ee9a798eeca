"""For whoever runs the server: /health and /metrics."""

import hmac

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from afloc.feedback.store.store import Store
from afloc.inference.model import Model
from afloc.web.errors import NotFoundError, answering_errors
from afloc.web.metrics import Metrics
from afloc.web.paths import FIGURES, HEALTH
from afloc.web.state.call_queue import CallQueue
from afloc.web.state.fair_queue import FairQueue

THREADS = 4
LOOPBACK = ("127.0.0.1", "::1")


def health_routes(
    model: Model, store: Store, calls: CallQueue, queue: FairQueue, metrics: Metrics, token: str | None
) -> list[Route]:
    """GET /health, for anybody: 200, or 503 where nothing can be saved or no call is answered.
    GET /metrics: with the token. Both have threads of their own, whatever else the server does."""
    threads = CapacityLimiter(THREADS)

    async def health(_: Request) -> Response:
        problem = await run_sync(store.check, limiter=threads)
        failing = problem is not None or not calls.working
        report = {
            "status": "failing" if failing else "ok",
            "model": f"{model.name} {model.config.version}",
            "fingerprint": model.fingerprint,
            "device": str(model.device),
            "store": problem or "writable",
            "calls": "answered" if calls.working else "not answered",
        }
        return JSONResponse(report, 503 if failing else 200, {"Cache-Control": "no-store"})

    @answering_errors
    async def figures(request: Request) -> Response:
        return await run_sync(write_figures, request, limiter=threads)

    def write_figures(request: Request) -> Response:
        if not _may_see(request, token):
            raise NotFoundError("There is no such page.")
        failing = store.problem is not None
        others = [
            ("image_cache_hits_total", "counter", "Images already encoded.", model.images.hits),
            ("image_cache_misses_total", "counter", "Images encoded.", model.images.misses),
            ("text_cache_hits_total", "counter", "Descriptions already encoded.", model.texts.hits),
            ("text_cache_misses_total", "counter", "Descriptions encoded.", model.texts.misses),
            ("saved_rows", "gauge", "Rows of feedback on the disk.", store.last_seq),
            (
                "calls_under_way",
                "gauge",
                "Calls of named endpoints not answered yet.",
                calls.under_way,
            ),
            ("questions_waiting", "gauge", "Questions that wait for the model.", queue.waiting),
            ("store_failing", "gauge", "1 where the last attempt to save failed.", int(failing)),
        ]
        return PlainTextResponse(metrics.text(others), headers={"Cache-Control": "no-store"})

    return [Route(HEALTH, health), Route(FIGURES, figures)]


def _may_see(request: Request, token: str | None) -> bool:
    if token is None:
        near = request.client is not None and request.client.host in LOOPBACK
        return near and "x-forwarded-for" not in request.headers
    given = request.headers.get("authorization", "")
    return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
