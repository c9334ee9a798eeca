"""Many clients at one process, and one process for a long time. `--long` runs the full numbers."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import httpx
import numpy as np
import pytest

from afloc import load_model
from afloc.feedback.store.store import FILE_NAME
from afloc.imaging.image import image_from_array
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
    client = httpx.Client(base_url=url, timeout=120)
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
    pages, asked = (500, 20) if long else (24, 10)
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
