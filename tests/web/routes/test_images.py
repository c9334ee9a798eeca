"""Images on their way in, without a browser."""

import io
import json
import tracemalloc
import weakref

import numpy as np
import pytest
import tifffile
from anyio.from_thread import start_blocking_portal
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from afloc.imaging.examples import EXAMPLES
from afloc.imaging.image import Image, image_from_array
from afloc.web.paths import IMAGES
from afloc.web.routes.images import TEXT_FOUND, THUMBNAIL, image_routes
from afloc.web.routes.responses import read_body
from afloc.web.state.open_images import FEATURE_BYTES, IDLE_SECONDS, OpenImages
from tests.imaging.dicoms import dicom
from tests.web.tabs.test_probe import a_film, to_png

IMAGE = image_from_array(np.zeros((16, 16), np.uint8))


@pytest.fixture
def open_images():
    return OpenImages(64 << 20)


@pytest.fixture
def client(open_images):
    return TestClient(Starlette(routes=image_routes(open_images, limit_mb=1)))


def sent_pixels(answer):
    """What a browser makes of an answer: the pixels, and what the header says of them."""
    about = json.loads(answer.headers["X-AFLoc-Image"])
    values = np.frombuffer(answer.content, "<u2" if about["depth"] == 16 else "u1")
    shape = (about["height"], about["width"], about["channels"])
    return values.reshape(shape[:2] if about["channels"] == 1 else shape), about


DEEP = np.random.default_rng(0).integers(0, 1 << 12, (40, 30), np.uint16)
COLOUR = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)


def test_the_page_is_told_view_date_and_lengths(client):
    film = dicom(
        a_film(), Modality="DX", ViewPosition="PA", StudyDate="20210304", ImagerPixelSpacing=[0.2, 0.1]
    )
    _, about = sent_pixels(client.post(IMAGES, content=film))
    told = [about[name] for name in ("projection", "study_date", "spacing", "plane")]
    assert told == ["PA", "2021-03-04", [0.2, 0.1], "detector"]


@pytest.mark.parametrize("pixels", [a_film(), DEEP, COLOUR], ids=["gray", "16 bit", "colour"])
def test_an_image_comes_back_without_loss_under_a_token(client, open_images, pixels):
    answer = client.post(IMAGES, content=to_png(pixels))
    sent, about = sent_pixels(answer)
    np.testing.assert_array_equal(sent, pixels)
    assert answer.headers["Cache-Control"] == "no-store"
    opened = open_images.get(about["token"]).image
    np.testing.assert_array_equal(opened.pixels, pixels)
    assert about["window"] == list(opened.window)
    assert client.delete(f"{IMAGES}/{about['token']}").status_code == 204
    assert open_images.get(about["token"]) is None


def test_deep_colour_is_shown_with_8_bits_and_the_page_is_told(client, open_images):
    deep = np.random.default_rng(2).integers(0, 1 << 16, (20, 24, 3), np.uint16)
    out = io.BytesIO()
    tifffile.imwrite(out, deep, photometric="rgb")
    sent, about = sent_pixels(client.post(IMAGES, content=out.getvalue()))
    image = open_images.get(about["token"]).image
    assert image.pixels.dtype == np.uint16 and sent.dtype == np.uint8
    np.testing.assert_array_equal(sent, image.rgb())
    assert about["notes"][-1] == "Colour of 16 bits a channel is shown with 8."


def test_text_in_a_corner_is_told(client):
    picture = Pillow.fromarray(np.full((400, 300), 9, np.uint8))
    plain = sent_pixels(client.post(IMAGES, content=to_png(np.asarray(picture))))[1]
    ImageDraw.Draw(picture).text((5, 5), "DOE^JANE 1961-03-12", 250, ImageFont.load_default(14))
    named = sent_pixels(client.post(IMAGES, content=to_png(np.asarray(picture))))[1]
    assert (plain["burned_in"], plain["notes"]) == (None, [])
    assert (named["burned_in"], named["notes"]) == (True, [TEXT_FOUND])


def test_deep_colour_is_windowed_once_an_opening(client, monkeypatch):
    windowed, rgb = [], Image.rgb
    monkeypatch.setattr(Image, "rgb", lambda image: windowed.append(image) or rgb(image))
    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((20, 24, 3), np.uint16), photometric="rgb")
    assert client.post(IMAGES, content=out.getvalue()).status_code == 200
    assert len(windowed) == 1


@pytest.mark.parametrize("query", [{}, {"example": EXAMPLES[0].name}])
def test_an_image_sent_again_gets_a_token_without_its_pixels(client, open_images, query):
    content = b"" if query else to_png(DEEP)
    whole = client.post(IMAGES, params=query, content=content)
    again = client.post(IMAGES, params=query | {"again": "true"}, content=content)
    about, renewed = (json.loads(answer.headers["X-AFLoc-Image"]) for answer in (whole, again))
    assert (again.status_code, again.content, set(renewed)) == (200, b"", {"token"}) and whole.content
    first, second = open_images.get(about["token"]).image, open_images.get(renewed["token"]).image
    assert about["token"] != renewed["token"] and first.digest == second.digest
    refused = client.post(IMAGES, params={"again": "true"}, content=b"no image at all")
    assert refused.status_code == 422


@pytest.mark.parametrize(
    "content, words", [(b"", "empty"), (b"text" * 50, "not an image"), (bytes(2 << 20), "larger than 1 MB")]
)
def test_what_is_no_image_is_refused_with_a_sentence(client, content, words):
    answer = client.post(IMAGES, content=content)
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
    answer = client.post(IMAGES, params={"example": "x"})
    assert answer.status_code == 422 and "retina" in answer.json()["error"]


def test_the_longest_unused_image_is_dropped():
    open_images = OpenImages(3 * FEATURE_BYTES)
    first, second = open_images.add(IMAGE), open_images.add(IMAGE)
    open_images.get(first)
    third = open_images.add(IMAGE)
    assert open_images.get(second) is None
    assert open_images.get(first) and open_images.get(third)


def test_an_image_that_nobody_uses_is_forgotten():
    now = [0.0]
    open_images = OpenImages(64 << 20, clock=lambda: now[0])
    token = open_images.add(IMAGE)
    now[0] += IDLE_SECONDS - 1
    open_images.sweep()
    opened = weakref.ref(open_images.get(token))
    now[0] += IDLE_SECONDS + 1
    open_images.sweep()
    assert opened() is None  # not only out of reach: out of memory, also where the server stands idle
    assert open_images.get(token) is None


def test_frames_are_read_from_the_file_that_was_sent(client, open_images):
    frames = np.random.default_rng(4).integers(0, 256, (3, 20, 30), np.uint8)
    sent, about = sent_pixels(client.post(IMAGES, content=dicom(frames)))
    assert (about["frame"], about["frames"], about["notes"]) == (0, 3, [])
    np.testing.assert_array_equal(sent, frames[0])
    assert open_images.get(about["token"]).size > FEATURE_BYTES + frames.nbytes  # the file counts, too
    other, shown = sent_pixels(client.post(IMAGES, params={"of": about["token"], "frame": 2}))
    np.testing.assert_array_equal(other, frames[2])
    assert shown["frame"] == 2 and shown["token"] != about["token"]
    client.delete(f"{IMAGES}/{about['token']}")
    again, _ = sent_pixels(client.post(IMAGES, params={"of": shown["token"], "frame": 1}))
    np.testing.assert_array_equal(again, frames[1])
    for frame in ("3", "-1", "x", "9" * 5000):
        refused = client.post(IMAGES, params={"of": shown["token"], "frame": frame})
        assert refused.status_code == 422 and "from 0 to 2" in refused.json()["error"]
    for token in (about["token"], "unknown"):
        assert client.post(IMAGES, params={"of": token, "frame": 1}).status_code == 410
    sent, _ = sent_pixels(client.post(IMAGES, params={"frame": 1}, content=dicom(frames)))
    np.testing.assert_array_equal(sent, frames[1])


def test_of_a_file_with_one_picture_nothing_is_kept_beside_it(client, open_images):
    _, about = sent_pixels(client.post(IMAGES, content=to_png(DEEP)))
    assert open_images.get(about["token"]).file is None
    assert client.post(IMAGES, params={"of": about["token"], "frame": 0}).status_code == 410


def test_a_thumbnail_is_small_and_leaves_nothing_behind(client, open_images):
    wide = np.tile(np.linspace(0, 4095, 700).astype(np.uint16), (300, 1))
    answer = client.post(IMAGES, params={"thumbnail": "true"}, content=dicom(wide, bits=12))
    assert answer.headers["Content-Type"] == "image/jpeg" and answer.headers["Cache-Control"] == "no-store"
    assert json.loads(answer.headers["X-AFLoc-Image"]) == {"width": 700, "height": 300, "frames": 1}
    picture = Pillow.open(io.BytesIO(answer.content))
    assert picture.size == (THUMBNAIL, round(THUMBNAIL * 3 / 7)) and len(answer.content) < 4000
    row = np.asarray(picture)[20].mean(1)
    assert row[0] < 20 and row[-1] > 235 and (np.diff(row) > -8).all()  # in the window it opens with
    assert not open_images._images
    tall = client.post(IMAGES, params={"thumbnail": "true"}, content=to_png(np.zeros((20, 17), np.uint8)))
    assert Pillow.open(io.BytesIO(tall.content)).size == (17, 20)
    assert client.post(IMAGES, params={"thumbnail": "true"}, content=b"text").status_code == 422
