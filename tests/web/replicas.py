"""Processes of the page that share a database, and the project's nginx in front of them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.web.nginx import answers, free_port, running_nginx

ROOT = Path(__file__).parents[2]


@contextmanager
def running_replicas(
    folder: Path, model: Path, database: str, count: int = 2, **settings: object
) -> Iterator[list[tuple[subprocess.Popen, int]]]:
    """Processes and their ports, each with folders of its own below `folder`; killed at the end."""
    started = []
    try:
        for number in range(count):
            own, port = folder / f"replica-{number}", free_port()
            own.mkdir()
            told = {"AFLOC_MODEL": model, "AFLOC_HOST": "127.0.0.1", "AFLOC_PORT": port} | settings
            told |= {"AFLOC_DATA_URL": database, "AFLOC_DATA_DIR": own, "GRADIO_TEMP_DIR": own / "uploads"}
            environment = os.environ | {name: str(value) for name, value in told.items()}
            with open(own / "log", "wb") as log:
                command = [sys.executable, "app.py"]
                process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
            started.append((process, port))
        for process, port in started:
            while not answers(f"http://127.0.0.1:{port}/"):
                assert process.poll() is None
                time.sleep(0.1)
        yield started
    finally:
        for process, _ in started:
            process.kill()
            process.wait()


@contextmanager
def running_proxy(folder: Path, ports: Sequence[int]) -> Iterator[str]:
    """The address of the project's nginx configuration before replicas at `ports`; `folder`/who is its log of
    who went where."""
    port = free_port()
    site = (ROOT / "deploy" / "nginx.conf").read_text().replace("listen 8080", f"listen 127.0.0.1:{port}")
    for number, of in enumerate(ports, 1):
        site = site.replace(f"page-{number}:7860", f"127.0.0.1:{of}")
    (folder / "site.conf").write_text(site)
    log = f"log_format who '$cookie_afloc_replica $upstream_addr'; access_log {folder}/who who;"
    with running_nginx(folder, port, f"{log} include {folder}/site.conf;") as url:
        yield url
