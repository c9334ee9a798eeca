"""The server: the page on a port, until it is told to stop; then what is under way is finished first."""

import asyncio
import gc
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn

from afloc.inference.model import Model
from afloc.settings import Settings
from afloc.web.listening import BACKLOG, listen
from afloc.web.page import Site, build_site
from afloc.web.security.connections import ACCEPTED_AT_ONCE, AcceptErrors, Connection, Room, most_connections
from afloc.web.security.forwarded import ForwardedClient, choose_proxies

IDLE_SECONDS = 75  # of a connection; proxies keep theirs for 60, and must not find ours just closed
GRACE_SECONDS = 20  # for requests under way when the server is told to stop


class Server(uvicorn.Server):
    """uvicorn's, for a `Site`."""

    def __init__(self, site: Site, settings: Settings):
        proxies = choose_proxies(settings.proxies, on_spaces())
        super().__init__(
            uvicorn.Config(
                ForwardedClient(site.app, proxies),
                http=partial(Connection, room=Room(most_connections(), proxies.believes)),  # type: ignore[arg-type]  # is called as a class is
                loop="asyncio",
                backlog=ACCEPTED_AT_ONCE,
                log_config=None if settings.log == "json" else uvicorn.config.LOGGING_CONFIG,
                log_level="error",  # a line for each malformed request would be anybody's to write
                access_log=False,
                server_header=False,
                ws="none",
                proxy_headers=False,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._site = site

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(AcceptErrors())
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(BACKLOG)  # uvicorn has set it to what is accepted at once

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._site.end_streams()
        await super().shutdown(sockets)


def launch(settings: Settings, model: Model, listening: socket.socket) -> None:
    """Serve the page until a signal (SIGINT, SIGTERM) says stop. Raises AFLocError."""
    server = Server(build_site(settings, on_spaces(), model), settings)
    gc.freeze()  # what is there by now is no garbage, and need not be looked through again
    gc.enable()
    print(f"* Running on local URL:  {_address(listening)}", flush=True)
    server.run([listening])


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """The address of the page, served from a thread while the context lasts. Raises AFLocError."""
    listening = listen(settings)
    server = Server(build_site(settings, on_spaces()), settings)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield _address(listening)
    finally:
        server.should_exit = True
        thread.join()


def on_spaces() -> bool:
    return bool(os.environ.get("SPACE_ID"))


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
