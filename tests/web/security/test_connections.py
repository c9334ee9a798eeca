"""Connections that say nothing, or not enough, or are too many."""

import asyncio
import resource
import socket
import subprocess
import sys
import textwrap
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import uvicorn

from afloc.web.security.connections import Connection, Room

ROOT = Path(__file__).parents[3]
ASK = b"GET / HTTP/1.1\r\nHost: afloc\r\n\r\n"
FOREVER = 1000


class Site:
    """A small server: `/` is answered at once, `/stream` with b"first", and b"last" once `ended` is set."""

    def __init__(self, stack, most=100, shared=False, header_seconds=FOREVER, idle_seconds=FOREVER):
        self.stack, self.ended = stack, threading.Event()
        room = Room(most, lambda address: shared, header_seconds)
        config = uvicorn.Config(
            self.app,
            http=partial(Connection, room=room),
            timeout_keep_alive=idle_seconds,
            log_config=None,
            lifespan="off",
            interface="asgi3",
        )
        self.listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=500))
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([self.listening],), daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(setattr, server, "should_exit", True)
        stack.callback(self.ended.set)

    async def app(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            await asyncio.to_thread(self.ended.wait)
        await send({"type": "http.response.body", "body": b"last"})

    def connect(self, said=b"", source="127.0.0.1"):
        connection = socket.create_connection(
            self.listening.getsockname(), timeout=60, source_address=(source, 0)
        )
        self.stack.callback(connection.close)
        connection.sendall(said)
        return connection


@pytest.fixture
def site():
    with ExitStack() as stack:
        yield partial(Site, stack)


def answer(connection, end=b"0\r\n\r\n") -> bytes:
    """What comes until `end`, or until the server closes the connection."""
    found = b""
    while not found.endswith(end):
        try:
            piece = connection.recv(4096)
        except ConnectionResetError:
            break
        if not piece:
            break
        found += piece
    return found


@pytest.mark.parametrize("said", [b"", b"G", ASK[:-2]], ids=["nothing", "a byte", "all but an empty line"])
def test_a_header_that_does_not_come(site, said):
    assert answer(site(header_seconds=0.2).connect(said)) == b""


@pytest.mark.parametrize("before", [b"", ASK], ids=["first", "second request"])
def test_a_byte_now_and_then_gives_no_more_time(site, before):
    connection = site(header_seconds=0.5, idle_seconds=0.5).connect(before)
    if before:
        assert b"last" in answer(connection)
    connection.settimeout(0.02)
    for byte in b"GET / HTTP/1.1\r\nHost: afloc\r\nX-Long: " + b"x" * 500:
        try:
            connection.sendall(bytes([byte]))
            assert connection.recv(1) == b""
            return
        except TimeoutError:
            continue
        except ConnectionError:  # it was closed while the byte was on its way
            return
    pytest.fail("it is still open")


def test_the_rest_of_an_unread_body_gives_no_more_time(site):
    connection = site(header_seconds=0.2, idle_seconds=0.2).connect(
        ASK.replace(b"\r\n\r\n", b"\r\nContent-Length: 1000\r\n\r\n") + b"x"
    )
    assert b"last" in answer(connection)
    connection.sendall(b"x")
    assert answer(connection) == b""


def test_an_answer_may_last(site):
    """Longer than a header and an idle connection may: others that begin after it are closed by then."""
    here = site(header_seconds=0.2, idle_seconds=0.2)
    stream = here.connect(ASK.replace(b"/", b"/stream", 1))
    assert answer(stream, b"first\r\n").endswith(b"first\r\n")
    idle = here.connect(ASK)
    assert b"last" in answer(idle) and answer(idle) == b""
    assert answer(here.connect()) == b""
    here.ended.set()
    assert b"last" in answer(stream)


def test_a_silent_one_makes_room(site):
    here = site(most=8, shared=True)
    asked = here.connect(ASK)
    assert b"last" in answer(asked)
    silent = [here.connect() for _ in range(7)]
    assert b"last" in answer(here.connect(ASK))
    assert answer(silent[0]) == b""  # the one that has been silent longest
    asked.sendall(ASK)  # rather than one that has asked before
    assert b"last" in answer(asked)


def test_one_address_does_not_fill_the_room(site):
    here = site(most=16)
    streams = [here.connect(ASK.replace(b"/", b"/stream", 1), "127.0.0.2") for _ in range(4)]
    for each in streams:
        assert answer(each, b"first\r\n").endswith(b"first\r\n")
    assert answer(here.connect(ASK, "127.0.0.2")) == b""
    assert b"last" in answer(here.connect(ASK, "127.0.0.3"))
    here.ended.set()
    assert b"last" in answer(streams[0])
    assert b"last" in answer(here.connect(ASK, "127.0.0.2"))


def test_a_proxy_may_fill_it(site):
    here = site(most=16, shared=True)
    streams = [here.connect(ASK.replace(b"/", b"/stream", 1)) for _ in range(16)]
    for each in streams:
        assert answer(each, b"first\r\n").endswith(b"first\r\n")
    assert answer(here.connect(ASK)) == b""


def test_a_full_system_is_said_once():
    """A loop whose process may open no more files, as it accepts the connections that wait."""
    script = """
        import asyncio, resource, socket
        from afloc.web.security.connections import AcceptErrors

        async def accept():
            loop, errors = asyncio.get_running_loop(), AcceptErrors()
            tried = asyncio.Event()

            def count(loop, context):
                errors(loop, context)
                tried.set()

            loop.set_exception_handler(count)
            server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, backlog=50)
            waiting = socket.create_connection(server.sockets[0].getsockname())
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno() + 1, limits[1]))
            await tried.wait()
            tried.clear()
            await tried.wait()  # it tries again
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            loop.call_exception_handler({"message": "another"})

        asyncio.run(accept())
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = [line for line in ended.stderr.splitlines() if line[:4].lower() != "task"]  # asyncio's, at its end
    assert said[:2] == ["New connections wait: the system lets this process open no more files.", "another"]
    assert said.count(said[0]) == 1


def test_the_limit_on_files_is_raised():
    script = """
        import resource
        from afloc.web.security.connections import most_connections
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 3000))
        print(most_connections(), resource.getrlimit(resource.RLIMIT_NOFILE))
    """
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 3000:
        pytest.skip("this process may not open so many files")
    command = [sys.executable, "-c", textwrap.dedent(script)]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == "1500 (3000, 3000)\n"
