"""Images on their way in, without a browser."""

import io
import json

import numpy as np
import PIL.Image
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from afloc.images import image_from_array
from afloc.web.store import FEATURE_BYTES, IDLE_SECONDS, ImageStore
from afloc.web.uploads import PATH, image_routes
from tests.web.test_page import a_film, to_png

IMAGE = image_from_array(np.zeros((16, 16), np.uint8))


@pytest.fixture
def store():
    return ImageStore(64 << 20)


@pytest.fixture
def client(store):
    return TestClient(Starlette(routes=image_routes(store, limit_mb=1)))


def test_an_image_comes_back_without_loss_under_a_token(client, store):
    pixels = a_film()
    answer = client.post(PATH, content=to_png(pixels))
    about = json.loads(answer.headers["X-AFLoc-Image"])
    assert (about["width"], about["height"]) == (240, 300)
    assert answer.headers["Cache-Control"] == "no-store"
    np.testing.assert_array_equal(PIL.Image.open(io.BytesIO(answer.content)), pixels)
    np.testing.assert_array_equal(store.get(about["token"]).image.pixels, pixels)
    assert client.delete(f"{PATH}/{about['token']}").status_code == 204
    assert store.get(about["token"]) is None


@pytest.mark.parametrize(
    "content, words", [(b"", "empty"), (b"text" * 50, "not an image"), (bytes(2 << 20), "larger than 1 MB")]
)
def test_what_is_no_image_is_refused_with_a_sentence(client, content, words):
    answer = client.post(PATH, content=content)
    assert answer.status_code == 422
    assert words in answer.json()["error"]


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
    assert store.get(token)
    now[0] += IDLE_SECONDS + 1
    assert store.get(token) is None
