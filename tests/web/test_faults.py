"""The faults of docs/operations.md, row by row: each is really brought about, but for the GPU's."""

import os
import resource
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
import torch
from playwright.sync_api import expect

from afloc.errors import ModelError
from afloc.feedback.store.events import Event
from afloc.feedback.store.recovery import StoreInUseError
from afloc.feedback.store.store import FILE_NAME, Store
from afloc.imaging.examples import EXAMPLES
from afloc.settings import read_settings
from afloc.web.page import build_site
from tests.web.conftest import serve
from tests.web.tabs.test_probe import a_film, insist, to_png

ROOT = Path(__file__).parents[2]


def test_model_missing(tmp_path):
    """What `app.py` makes of the error: tests/web/routes/test_health.py, where a port is taken."""
    with pytest.raises(ModelError, match=r"^[^\n]+\.$"):
        build_site(read_settings({"AFLOC_MODEL": str(tmp_path / "nowhere")}))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_model_damaged(small_folder, tmp_path, name):
    for path in small_folder.iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[: len(content) // 2] if path.name == name else content)
    with pytest.raises(ModelError, match=r"^[^\n]+\.$"):
        build_site(read_settings({"AFLOC_MODEL": str(tmp_path)}))


@pytest.fixture
def disk(tmp_path):
    """A small disk: its folder, and a function that fills it or empties it again."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], stderr=subprocess.DEVNULL
    ).returncode
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    filler = folder / "filler"

    def fill(full):
        if not mounted:  # not root: no file may grow
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 if full else soft, hard))
        elif full:
            with open(filler, "wb", buffering=0) as file, pytest.raises(OSError):
                while file.write(bytes(4096)):
                    pass
        else:
            filler.unlink()

    yield folder, fill
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_full(tiny_folder, chromium, disk):
    folder, fill = disk
    saved = "#probe .feedback .saved"
    with serve(tiny_folder, AFLOC_DATA_DIR=str(folder)) as url:
        page = chromium.new_page()
        page.goto(url)
        page.wait_for_selector(".viewer[data-answer='1'][data-state='ready']")
        insist(page)
        page.click("[data-there=yes]")
        expect(page.locator(saved)).to_contain_text("saved")
        fill(True)
        for number in range(20):  # what the log's last page has room for is saved
            page.click(f"[data-there={('unsure', 'yes')[number % 2]}]")
            page.wait_for_function(f"!document.querySelector('{saved}').textContent.startsWith('saving')")
            if page.inner_text(saved).startswith("Not saved: "):
                break
        expect(page.locator(saved)).to_contain_text("Not saved: ")
        health = httpx.get(f"{url}health")
        assert health.status_code == 503 and health.json()["store"].startswith("Not saved: ")
        fill(False)
        page.click("[data-there=no]")
        page.wait_for_function("s => /^saved /.test(document.querySelector(s).textContent)", arg=saved)
        page.close()
    with Store(folder) as store:
        said = [row["there"] for row in store.rows("SELECT there FROM events ORDER BY seq")]
        assert said[0] == "yes" and said[-1] == "no" and not store.notices


@pytest.mark.long
def test_silent_connections(tiny_folder, tmp_path):
    """1,100 for a minute, more than the process may open files."""
    files, count, seconds = 1024, 1100, 60
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * count:
        pytest.skip("this process may not open so many connections itself")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * count), hard))
    own = {"AFLOC_MODEL": str(tiny_folder), "AFLOC_DATA_DIR": str(tmp_path), "AFLOC_HOST": "127.0.0.1"}
    command = ["bash", "-c", f'ulimit -n {files}; exec "$0" app.py', sys.executable]
    with (
        open(tmp_path / "log", "wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=os.environ | own, stdout=subprocess.PIPE, stderr=log) as app,
        ExitStack() as stack,
    ):
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        stack.callback(app.terminate)
        address = httpx.URL(app.stdout.readline().split()[-1].decode())

        def open_silent():
            connection = socket.create_connection((address.host, address.port), timeout=60)
            connection.send(b"GET / HT")
            return connection

        silent = [open_silent() for _ in range(count)]
        end, asked = time.monotonic() + seconds, 0
        while not asked or time.monotonic() < end:
            for path in ("health", ""):
                assert httpx.get(address.join(path), timeout=60).status_code == 200
                asked += 1
            for number, each in enumerate(silent):  # whoever was closed comes again, as long as it lasts
                with suppress(BlockingIOError, ConnectionError):
                    assert each.recv(1, socket.MSG_DONTWAIT) == b""
                    each.close()
                    silent[number] = open_silent()
        for each in silent:
            each.close()
        size = (tmp_path / "log").stat().st_size
        print(f"{count} silent connections, {files} files: {asked} pages answered, {size} bytes of log")
        assert size < 100_000


def test_no_memory_for_an_image():
    """In a process of its own, whose memory is limited once everything is loaded."""
    script = """
        import resource, numpy as np
        from starlette.applications import Starlette
        from starlette.testclient import TestClient
        from afloc.web.errors import NO_MEMORY
        from afloc.web.state.open_images import OpenImages
        from afloc.web.paths import IMAGES
        from afloc.web.routes.images import image_routes
        from tests.web.tabs.test_probe import a_film, to_png

        with TestClient(Starlette(routes=image_routes(OpenImages(1 << 30), 64))) as client:
            assert client.post(IMAGES, content=to_png(a_film())).status_code == 200
            film = to_png(np.zeros((8900, 8900), np.uint8))
            size = next(line for line in open("/proc/self/status") if line.startswith("VmSize"))
            limits = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, ((int(size.split()[1]) << 10) + (60 << 20), limits[1]))
            refused = client.post(IMAGES, content=film)
            resource.setrlimit(resource.RLIMIT_AS, limits)
            print(refused.status_code, refused.json()["error"])
            assert client.post(IMAGES, content=to_png(a_film())).status_code == 200
            assert client.post(IMAGES, content=film).status_code == 200
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert not ended.returncode, ended.stderr
    status, sentence = ended.stdout.strip().split(" ", 1)
    assert status in ("422", "500") and ("memory" in sentence or "too large" in sentence)


def test_gpu_out_of_memory_falls_back_to_the_cpu_and_says_so(small_model, monkeypatch):
    """Simulated: the first call of each encoder raises what PyTorch raises then."""
    film = EXAMPLES[0].load()
    expected = small_model.encode(film).locate("edema")
    small_model.images.__init__(small_model.images.budget, small_model.images._size)
    small_model.texts.__init__(small_model.texts.budget, small_model.texts._size)
    small_model.device = torch.device("meta")  # what is computed there would be no numbers
    small_model.encoders = small_model.network  # as on a GPU
    encode, moved = small_model.network.encode_images, []

    def fail_first(pixels, encoder):
        if not moved:
            moved.append(True)
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        assert pixels.device.type == "cpu"
        return encode(pixels, encoder)

    monkeypatch.setattr(small_model.network, "encode_images", fail_first)
    finding = small_model.encode(film).locate("edema")
    assert finding.score == pytest.approx(expected.score, abs=1e-6)
    assert small_model.device.type == "cpu"
    assert expected.warning is None and "on the CPU" in finding.warning


def test_browser_gone_in_the_middle_of_an_upload(tiny_folder, tmp_path, caplog):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path)) as url:
        before = httpx.get(f"{url}metrics").text
        host, port = httpx.URL(url).host, httpx.URL(url).port
        part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="Doe.png"\r\n\r\n' + bytes(
            10_000
        )
        for path in ("afloc/images", "gradio_api/upload", "gradio_api/component_server"):
            for _ in range(5):
                with socket.create_connection((host, port)) as connection:
                    kind = "multipart/form-data; boundary=x"
                    head = f"POST /{path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
                    connection.sendall(f"{head}Content-Length: 99999\r\n\r\n".encode() + part)
        answer = httpx.post(f"{url}afloc/images", content=to_png(a_film()))
        assert answer.status_code == 200
        after = httpx.get(f"{url}metrics").text
        errors = [line for line in before.splitlines() if line.startswith("afloc_errors_total")]
        assert errors[0] in after and "Doe" not in caplog.text


def test_database_in_use_by_another_process(tiny_folder, tmp_path):
    hold = "import sys, duckdb; held = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    command = [sys.executable, "-c", hold, str(tmp_path / FILE_NAME)]
    settings = read_settings({"AFLOC_MODEL": str(tiny_folder), "AFLOC_DATA_DIR": str(tmp_path)})
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline()
        with pytest.raises(StoreInUseError, match=r"^Another AFLoc [^\n]+\.$"):
            build_site(settings)
        holder.communicate(b"\n")


def test_clock_going_back(tmp_path):
    now = datetime(2026, 3, 29, 12)
    with Store(tmp_path) as store:
        first = store.record(
            Event("feedback", session="s", answers={"agreement": "yes"}, visible_ms=900, time=now)
        )
        event = Event(
            "feedback",
            session="s",
            answers={"agreement": "absent"},
            replaces=first.id,
            visible_ms=1500,
            time=now - timedelta(hours=1),
        )
        second = store.record(event)
        assert (second.seq, second.time) == (first.seq + 1, now - timedelta(hours=1))
        (standing,) = store.rows("SELECT * FROM answers")
        assert (standing["id"], standing["visible_ms"]) == (second.id, 1500)


def test_visible_time_does_not_follow_the_clock_of_the_computer(tiny_folder, tmp_path, chromium):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path)) as url:
        page = chromium.new_page()
        page.add_init_script("let now = 1e12; Date.now = () => (now -= 3600000); ")
        page.goto(url)
        page.wait_for_selector(".viewer[data-answer='1'][data-state='ready']")
        insist(page)
        for _ in range(2):
            page.click("[data-there=yes]")
            page.click("[data-there=no]")
        page.wait_for_function(
            "/^saved /.test(document.querySelector('#probe .feedback .saved').textContent)"
        )
        page.close()
    with Store(tmp_path) as store:
        times = [row["visible_ms"] for row in store.rows("SELECT visible_ms FROM events ORDER BY seq")]
        assert times and all(0 <= time < 600_000 for time in times) and times == sorted(times)
