"""Many clients at one process, and one process for a long time. `--long` runs the full numbers."""

import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import httpx
import numpy as np
import pytest

from afloc import load_model
from afloc.feedback.store.store import FILE_NAME
from afloc.imaging.image import image_from_array
from afloc.web.page import build_site
from tests.web import typing_users
from tests.web.conftest import serve
from tests.web.routes.test_images import sent_pixels
from tests.web.tabs.test_probe import a_film, to_png


def server_function(client, name, **said):
    """What the page's own script calls; the component's number is found in the page's config."""
    if not hasattr(client, "probe"):
        components = client.get("/config").json()["components"]
        client.probe = next(each["id"] for each in components if each["props"].get("elem_id") == "probe")
    body = {"data": said, "component_id": client.probe, "session_hash": client.session, "fn_name": name}
    answer = client.post("/gradio_api/component_server", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def visitor(url, number):
    client = httpx.Client(base_url=url, timeout=120, limits=httpx.Limits(max_connections=None))
    client.session = f"visitor-{number}"
    return client


def open_image(client, film):
    answer = client.post("/afloc/images", content=to_png(film))
    assert answer.status_code == 200, answer.text
    pixels, about = sent_pixels(answer)
    np.testing.assert_array_equal(pixels, film)
    return about["token"]


def test_many_clients_at_once_get_their_own_answers(tiny_folder, tmp_path, long):
    clients, asked = (50, 20) if long else (8, 5)
    model = load_model(tiny_folder, "cpu")
    start = threading.Barrier(clients)

    def visit(number):
        """One client: an image of its own, descriptions of its own; the ids of its acknowledged answers."""
        film = a_film(number)
        view = model.encode(image_from_array(film), modality="chest_xray")
        ids = []
        with visitor(url, number) as client:
            token = open_image(client, film)
            start.wait()
            for turn in range(asked):
                text = f"finding {turn} of {number}"
                reply = server_function(
                    client, "locate", image=token, description=text, modality="chest_xray"
                )
                expected = view.locate(text)
                assert reply["finding"]["text"] == text
                assert reply["finding"]["score"] == pytest.approx(expected.score, abs=1e-5)
                np.testing.assert_allclose(reply["finding"]["grid"], expected.grid, atol=1e-4)
                said = {
                    "token": token,
                    "description": text,
                    "modality": "chest_xray",
                    "session": client.session,
                }
                kept = server_function(client, "feedback", agreement="yes", comment=text, **said)
                ids.append((kept["id"], client.session, text))
        return ids

    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path)) as url:
        before = refusals(url)
        with ThreadPoolExecutor(clients) as pool:
            acknowledged = [each for ids in pool.map(visit, range(clients)) for each in ids]
        assert refusals(url) == before
    with duckdb.connect(str(tmp_path / FILE_NAME)) as database:
        rows = database.execute("SELECT id, session, description, comment FROM events").fetchall()
    assert {(str(row[0]), row[1], row[2]) for row in rows} == set(acknowledged)
    assert len(rows) == len(acknowledged) == clients * asked
    assert all(row[2] == row[3] for row in rows)


def refusals(url):
    """What `/metrics` counts of requests that were told to wait, or failed."""
    lines = httpx.get(f"{url}metrics").text.splitlines()
    return [line for line in lines if 'status="429"' in line or 'status="500"' in line]


def held():
    """Memory (MB) and open files of this process."""
    status = Path("/proc/self/status").read_text()
    memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
    return memory, len(os.listdir("/proc/self/fd"))


def test_memory_and_open_files_stay_where_they_are(tiny_folder, tmp_path, long):
    """Pages come and go: each a session, an image, descriptions never asked before, an answer."""
    pages, asked = (500, 20) if long else (16, 4)
    marks = []
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path), AFLOC_IMAGE_MEMORY_MB="64") as url:
        for number in range(pages):
            with visitor(url, number) as client:
                token = open_image(client, a_film(number, 600, 500))
                for turn in range(asked):
                    said = {"description": f"finding {turn} of {number}", "modality": "chest_xray"}
                    assert server_function(client, "locate", image=token, **said)["finding"]
                assert server_function(client, "feedback", token=token, agreement="no", **said)["error"]
                assert server_function(client, "feedback", token=token, agreement="yes", **said)["id"]
                client.delete(f"/afloc/images/{token}")
            if (number + 1) % (pages // 8) == 0:
                marks.append(held())
                print(f"{(number + 1) * asked:6} descriptions: {marks[-1][0]:.0f} MB, {marks[-1][1]} files")
    (memory, files), (last_memory, last_files) = marks[len(marks) // 2], marks[-1]
    assert last_files <= files + 4
    assert last_memory <= memory + 0.1 * memory


def test_saving_and_health_go_on_while_many_scans_wait(tiny_folder, tmp_path, monkeypatch, long):
    sites, scans = [], 300 if long else 30
    film = a_film()

    def build_and_keep(*settings):
        sites.append(build_site(*settings))
        return sites[-1]

    def scan(client, token):
        return server_function(client, "scan", image=token, modality="chest_xray")

    monkeypatch.setattr("afloc.web.serve.build_site", build_and_keep)
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path), AFLOC_PROXIES="1") as url:
        greedy, other = visitor(url, 1), visitor(url, 2)
        greedy.headers["X-Forwarded-For"], other.headers["X-Forwarded-For"] = "192.0.2.1", "192.0.2.2"
        tokens, token = [open_image(greedy, film) for _ in range(10)], open_image(other, film)
        said = {"token": token, "description": "edema", "modality": "chest_xray", "session": "s"}
        saved = server_function(other, "feedback", agreement="yes", **said)["id"]
        answered = []
        with ThreadPoolExecutor(scans + 1) as pool:
            with sites[0].queue.turn("holds the model"):
                waiting = [pool.submit(scan, greedy, tokens[n % 10]) for n in range(scans)]
                while sites[0].queue.waiting < scans:
                    assert httpx.get(f"{url}health", timeout=60).json()["status"] == "ok"
                taken = server_function(other, "withdraw", replaces=saved, session="s")
                assert uuid.UUID(taken["id"]) and open_image(other, film)
                assert f"questions_waiting {scans}\n" in httpx.get(f"{url}metrics").text
                for each in waiting:
                    each.add_done_callback(lambda _: answered.append("scan"))
                key = pool.submit(server_function, other, "locate", image=token, description="edema")
                key.add_done_callback(lambda _: answered.append("key"))
                while sites[0].queue.waiting <= scans:
                    pass
            assert all("findings" in each.result() for each in waiting) and key.result()["finding"]
        assert answered.index("key") < 5  # after one or two turns of the scans, not after all


@pytest.mark.long
def test_one_who_types_alone_is_measured(capsys):
    """`python -m tests.web.typing_users --users 1`."""
    typing_users.main(["--users", "1", "--keys", "4"])
    assert "the reader in Chromium, one of 1: p50 " in capsys.readouterr().out
    with pytest.raises(SystemExit):
        typing_users.main(["--users", "0"])
