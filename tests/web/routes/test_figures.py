"""The files of an image with ground truth, as the page asks for them."""

import csv
import io
import json
import zipfile

import numpy as np
import PIL.Image
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from afloc import load_model
from afloc.evaluation.image_report import ALL, FILES
from afloc.imaging.image import image_from_array
from afloc.web.paths import FIGURE
from afloc.web.routes.figures import figure_routes
from afloc.web.state.fair_queue import FairQueue
from afloc.web.state.open_images import OpenImages

ENTRY = {"label": "Effusion", "boxes": [[30, 40, 50, 30]]}
PIXELS = np.random.default_rng(0).integers(60, 190, (120, 160), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(small_folder):
    return load_model(small_folder)


@pytest.fixture(scope="module")
def ask(model):
    images = OpenImages(1 << 30)
    token = images.add(image_from_array(PIXELS))
    client = TestClient(Starlette(routes=figure_routes(model, images, FairQueue())))

    def ask(file, **changes):
        request = {"image": token, "file": file, "truths": [ENTRY], "name": "film-07.png"}
        return client.post(FIGURE, json=request | changes)

    return ask


def test_every_file_is_had_and_all_of_them_at_once(ask, model):
    archive = zipfile.ZipFile(io.BytesIO(ask(ALL).content))
    assert archive.namelist() == list(FILES)
    for name in ("figure.svg", "curve.csv", "numbers.json"):
        alone = ask(name)
        assert alone.content == archive.read(name) and alone.headers["content-type"].startswith(FILES[name])
    told = json.loads(archive.read("numbers.json"))
    (finding,) = told["findings"]
    assert told["fingerprint"] == model.fingerprint and told["image"] == "film-07.png"
    assert finding["finding"] == "Effusion" and finding["threshold"] == 0.3
    assert told["measures"]["iou"]["scale"] == "0 … 1, higher is better"
    assert archive.read("figure.pdf")[:5] == b"%PDF-"
    assert PIL.Image.open(io.BytesIO(archive.read("figure.png"))).size[0] == 2125
    assert "film-07" not in archive.read("figure.svg").decode()  # a figure may be published


def test_the_numbers_are_those_of_every_finding_and_reader(ask):
    x, y, width, height = ENTRY["boxes"][0]
    reader = {"boxes": [[x + 20, y, width - 20, height]]}
    nodule = {"label": "Nodule", "boxes": [[100, 60, 40, 40]]}
    answer = ask("numbers.csv", truths=[ENTRY | {"readers": [reader]}, nodule], compare=True)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["finding"], row["style"]) for row in rows] == [
        (finding, style) for finding in ("Effusion", "Nodule") for style in ("simple", "precise")
    ]
    assert float(rows[0]["readers_iou"]) == pytest.approx((width - 20) / width)
    assert rows[2]["readers_iou"] == ""


def test_how_the_page_shows_it_is_how_it_is_drawn(ask):
    def panel(**display):
        picture = PIL.Image.open(io.BytesIO(ask("figure.png", display=display, threshold=0.9).content))
        return np.asarray(picture.convert("L"))[200:500, 100:500].mean()  # of the image alone

    plain = panel()
    assert panel(invert=True) == pytest.approx(255 - plain, abs=3)
    assert panel(window=[200, 255]) < plain / 2


@pytest.mark.parametrize(
    "changes, status, said",
    [
        ({"file": "../../etc/passwd"}, 404, "no such file"),
        ({"image": "gone"}, 410, "no longer holds this image"),
        ({"chosen": 3}, 422, "no such finding"),
        ({"truths": []}, 422, "no such finding"),
        ({"truths": [ENTRY | {"descriptions": ["", ""]}]}, 422, "please describe it"),
        ({"truths": [ENTRY | {"label": ""}]}, 422, "name"),
        ({"truths": [ENTRY | {"readers": [{"boxes": [[5000, 5, 9, 9]]}]}]}, 422, "outside its image"),
        ({"threshold": 7.0}, 422, "threshold"),
        ({"display": {"window": [1.0]}}, 422, "of another length"),
        ({"scale": "log"}, 422, "of another kind"),
    ],
)
def test_what_cannot_be_drawn_is_said(ask, changes, status, said):
    answer = ask(changes.pop("file", "figure.svg"), **changes)
    assert answer.status_code == status and said in answer.json()["error"]
