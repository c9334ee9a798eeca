"""Images on their way in, without a browser."""

import io
import json
import tracemalloc
import weakref

import numpy as np
import pytest
import tifffile
from anyio.from_thread import start_blocking_portal
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from afloc.imaging.image import image_from_array
from afloc.web.routes.images import PATH, image_routes
from afloc.web.routes.responses import read_body
from afloc.web.state.open_images import FEATURE_BYTES, IDLE_SECONDS, ImageStore
from tests.web.tabs.test_probe import a_film, to_png

IMAGE = image_from_array(np.zeros((16, 16), np.uint8))


@pytest.fixture
def store():
    return ImageStore(64 << 20)


@pytest.fixture
def client(store):
    return TestClient(Starlette(routes=image_routes(store, limit_mb=1)))


def sent_pixels(answer):
    """What a browser makes of an answer: the pixels, and what the header says of them."""
    about = json.loads(answer.headers["X-AFLoc-Image"])
    values = np.frombuffer(answer.content, "<u2" if about["depth"] == 16 else "u1")
    shape = (about["height"], about["width"], about["channels"])
    return values.reshape(shape[:2] if about["channels"] == 1 else shape), about


DEEP = np.random.default_rng(0).integers(0, 1 << 12, (40, 30), np.uint16)
COLOUR = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)


@pytest.mark.parametrize("pixels", [a_film(), DEEP, COLOUR], ids=["gray", "16 bit", "colour"])
def test_an_image_comes_back_without_loss_under_a_token(client, store, pixels):
    answer = client.post(PATH, content=to_png(pixels))
    sent, about = sent_pixels(answer)
    np.testing.assert_array_equal(sent, pixels)
    assert answer.headers["Cache-Control"] == "no-store"
    opened = store.get(about["token"]).image
    np.testing.assert_array_equal(opened.pixels, pixels)
    assert about["window"] == list(opened.window)
    assert client.delete(f"{PATH}/{about['token']}").status_code == 204
    assert store.get(about["token"]) is None


def test_deep_colour_is_shown_with_8_bits_and_the_page_is_told(client, store):
    deep = np.random.default_rng(2).integers(0, 1 << 16, (20, 24, 3), np.uint16)
    out = io.BytesIO()
    tifffile.imwrite(out, deep, photometric="rgb")
    sent, about = sent_pixels(client.post(PATH, content=out.getvalue()))
    image = store.get(about["token"]).image
    assert image.pixels.dtype == np.uint16 and sent.dtype == np.uint8
    np.testing.assert_array_equal(sent, image.rgb())
    assert about["notes"][-1] == "Colour of 16 bits a channel is shown with 8."


@pytest.mark.parametrize(
    "content, words", [(b"", "empty"), (b"text" * 50, "not an image"), (bytes(2 << 20), "larger than 1 MB")]
)
def test_what_is_no_image_is_refused_with_a_sentence(client, content, words):
    answer = client.post(PATH, content=content)
    assert answer.status_code == 422
    assert words in answer.json()["error"]


def test_a_body_is_in_memory_once():
    chunk, count = bytes(1 << 16), 128
    sent = iter(range(count))

    async def receive():
        return {"type": "http.request", "body": chunk, "more_body": next(sent) < count - 1}

    async def measure():
        tracemalloc.start()
        body = await read_body(Request({"type": "http"}, receive), limit_mb=8)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return len(body), peak

    with start_blocking_portal() as portal:
        size, peak = portal.call(measure)
    assert size == count * len(chunk) and peak < 1.5 * size


def test_unknown_example_names_those_there_are(client):
    answer = client.post(PATH, params={"example": "x"})
    assert answer.status_code == 422 and "retina" in answer.json()["error"]


def test_store_drops_the_longest_unused():
    store = ImageStore(3 * FEATURE_BYTES)
    first, second = store.add(IMAGE), store.add(IMAGE)
    store.get(first)
    third = store.add(IMAGE)
    assert store.get(second) is None
    assert store.get(first) and store.get(third)


def test_store_forgets_what_nobody_uses():
    now = [0.0]
    store = ImageStore(64 << 20, clock=lambda: now[0])
    token = store.add(IMAGE)
    now[0] += IDLE_SECONDS - 1
    store.sweep()
    opened = weakref.ref(store.get(token))
    now[0] += IDLE_SECONDS + 1
    store.sweep()
    assert opened() is None  # not only out of reach: out of memory, also where the server stands idle
    assert store.get(token) is None
