"""A real nginx in front of the page."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def running_nginx(folder: Path, port: int, http: str, path: str = "/") -> Iterator[str]:
    """The address of `path`, once nginx with these lines in its http block answers there."""
    if (nginx := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")) is None:
        pytest.skip("nginx is not installed (for example: apt-get install nginx)")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/errors; {'user root;' if os.getuid() == 0 else ''}"
        f"events {{}} http {{ {places} {http} }}"
    )
    process = subprocess.Popen([nginx, "-c", folder / "nginx.conf", "-e", folder / "errors"])
    url = f"http://127.0.0.1:{port}{path}"
    while not answers(url):
        assert process.poll() is None
        time.sleep(0.05)
    yield url
    process.terminate()
    process.wait()
