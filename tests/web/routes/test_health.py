"""Health, metrics, the log and the end of a server: of a process as it is run in earnest."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import duckdb
import httpx
import pytest
from gradio_client import Client, handle_file

from afloc.errors import SettingsError
from afloc.feedback.store.store import FILE_NAME
from tests.web.conftest import serve
from tests.web.tabs.test_probe import a_film, to_png

ROOT = Path(__file__).parents[3]
LINE = re.compile(r'^[a-z_]+(\{[a-z]+="[^"{}]*"(,[a-z]+="[^"{}]*")*\})? [0-9.e+-]+$')


@contextmanager
def running_app(log, **environment):
    """`python app.py` as a process, and its address once it answers. `log`: for what it imports and says."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "app.py"],
        cwd=ROOT,
        env=os.environ | {"AFLOC_HOST": "127.0.0.1"} | environment,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        yield process, process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.communicate()


def figures(url, **headers):
    answer = httpx.get(f"{url}metrics", headers=headers)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert all(LINE.match(line) for line in lines)
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_health_and_metrics_say_what_happened(tiny_folder, tmp_path):
    film = tmp_path / "Doe_Jane.png"
    film.write_bytes(to_png(a_film(5)))
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path)) as url:
        health = httpx.get(f"{url}health").json()
        assert (health["status"], health["model"], health["store"]) == ("ok", "tiny 0", "writable")
        assert re.fullmatch("[0-9a-f]{12}", health["fingerprint"])
        before = figures(url)
        session = Client(url, verbose=False)
        for _ in range(3):
            session.predict(handle_file(film), "edema", api_name="/locate")
        session.predict(handle_file(film), "edema", "yes", api_name="/feedback")
        after = figures(url)
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    assert grown["afloc_located_total"] == 3
    assert grown["afloc_saved_rows"] == 1 and grown["afloc_store_failing"] == 0
    assert (grown["afloc_image_cache_hits_total"], grown["afloc_image_cache_misses_total"]) == (3, 1)
    assert grown["afloc_text_cache_misses_total"] == 1
    assert grown['afloc_requests_total{route="/gradio_api/upload",status="200"}'] == 4
    assert after['afloc_request_seconds_bucket{le="+Inf"}'] == after["afloc_request_seconds_count"]
    assert grown["afloc_errors_total"] == 0


def test_metrics_are_for_this_computer_or_for_the_token(tiny_folder, tmp_path):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path)) as url:
        assert httpx.get(f"{url}metrics", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 404
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path), AFLOC_METRICS_TOKEN="the token") as url:
        assert figures(url, Authorization="Bearer the token")
        for wrong in ("", "the token", "Bearer the tokens", "Bearer tök"):
            headers = {"Authorization": wrong.encode()}
            assert httpx.get(f"{url}metrics", headers=headers).status_code == 404


def test_it_loads_what_it_needs_and_a_signal_ends_it_once_everything_acknowledged_is_on_the_disk(
    tiny_folder, tmp_path
):
    film = tmp_path / "Doe_Jane.png"
    film.write_bytes(to_png(a_film(6)))
    data = tmp_path / "data"
    acknowledged, enough = [], threading.Event()
    own = {"AFLOC_MODEL": str(tiny_folder), "AFLOC_DATA_DIR": str(data), "AFLOC_LOG": "json"}
    with open(tmp_path / "log", "wb") as file, running_app(file, **own) as (process, url):

        def answer_on(reader):
            session = Client(url, verbose=False)
            while True:
                try:
                    image = handle_file(film)
                    row = session.predict(image, f"secret {reader}", "yes", api_name="/feedback")
                except Exception:  # the server is gone
                    return
                acknowledged.append(row["id"])
                if len(acknowledged) >= 12:
                    enough.set()

        readers = [threading.Thread(target=answer_on, args=(number,)) for number in range(4)]
        for reader in readers:
            reader.start()
        with httpx.stream("GET", f"{url}gradio_api/heartbeat/open-page"):  # as every open page has one
            assert enough.wait(60)
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
        for reader in readers:
            reader.join()
    assert process.returncode in (0, -signal.SIGTERM)
    with duckdb.connect(str(data / FILE_NAME)) as database:
        saved = {str(row[0]) for row in database.execute("SELECT id FROM events").fetchall()}
    assert len(acknowledged) >= 12 and set(acknowledged) <= saved
    assert not (data / f"{FILE_NAME}.wal").exists()  # the store was closed, not left
    written = (tmp_path / "log").read_text().splitlines()
    log = [line for line in written if not line.startswith("import time:")]
    lines = [json.loads(line) for line in log]
    requests = [line for line in lines if line["message"] == "request"]
    assert {"time", "level", "route", "method", "status", "ms"} <= requests[0].keys()
    assert {line["route"] for line in requests} >= {"/gradio_api/upload", "/gradio_api/queue/join"}
    secret = ("secret", "Doe", "Jane", str(tmp_path), "127.0.0.1", "Traceback")
    assert not any(word in line for word in secret for line in log)
    at_start = takewhile(lambda line: line.startswith("import time:"), written)
    loaded = {line.rsplit("|", 1)[1].strip() for line in at_start}
    without_pacs = {"highdicom", "dicomweb_client", "pydicom", "retrying"}
    assert "afloc.web.page" in loaded and not without_pacs & {name.split(".")[0] for name in loaded}
    ours = {name for name in loaded if name.startswith("afloc.pacs.")}
    assert ours == {"afloc.pacs.audit", "afloc.pacs.extra", "afloc.pacs.place"}  # a page of code in all


def test_a_port_that_is_taken_is_one_sentence(tiny_folder, tmp_path):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "a")) as url:
        port = str(httpx.URL(url).port)
        with (
            pytest.raises(SettingsError, match=f"^Port {port} "),
            serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "b"), AFLOC_PORT=port),
        ):
            pass


def test_a_port_that_is_taken_costs_one_sentence_and_no_model(tmp_path):
    """Libraries that are loaded for nothing would have words of their own at the end."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        own = {"AFLOC_PORT": str(taken.getsockname()[1]), "AFLOC_MODEL": str(tmp_path / "no model")}
        own |= {"AFLOC_DATA_DIR": str(tmp_path / "data"), "AFLOC_HOST": "127.0.0.1"}
        command = [sys.executable, "app.py"]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True)
    assert done.returncode == 1 and re.fullmatch(r"afloc: Port \d+ of 127.0.0.1 .*\n", done.stderr)
