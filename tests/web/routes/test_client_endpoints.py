"""The named endpoints, through the client people use."""

import json
import shutil

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from afloc.cli.main import main
from afloc.imaging.examples import EXAMPLES
from afloc.imaging.image import read_image
from tests.evaluation.sets import write_set
from tests.web.tabs.test_probe import to_png

TEXT = "small left pleural effusion"


@pytest.fixture(scope="module")
def client(url):
    return Client(url, verbose=False)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "Doe_Jane.png"
    path.write_bytes(to_png(EXAMPLES[0].load().gray()))
    return path


def test_locate_answers_as_python_does(client, film, model):
    answer = client.predict(handle_file(film), TEXT, api_name="/locate")
    expected = model.encode(read_image(film)).locate(TEXT)
    assert answer["text"] == TEXT
    assert answer["score"] == pytest.approx(expected.score, abs=1e-6)
    assert (answer["probability"], answer["present"]) == (expected.probability, expected.present)
    np.testing.assert_allclose(answer["grid"], expected.grid, atol=6e-5)
    assert answer["modality"] == "chest_xray" and answer["doubt"] is None
    assert answer["orientation"] == {
        "patient_right": "left",
        "view": "frontal",
        "eye": None,
        "source": "assumed",
    }
    assert answer["regions"] == [vars(region) for region in expected.regions()]


def test_classify_answers_as_python_does(client, film, model):
    answer = client.predict(handle_file(film), api_name="/classify")
    expected = model.encode(read_image(film)).classify()
    assert [each["text"] for each in answer] == [each.text for each in expected]
    assert [each["score"] for each in answer] == pytest.approx([each.score for each in expected], abs=1e-6)


def test_evaluate_answers_as_the_command_line_does(client, model_folder, data_folder, tmp_path):
    table = write_set(tmp_path / "small", images=4)
    packed = shutil.make_archive(str(tmp_path / "small"), "zip", tmp_path, "small")
    answer = client.predict(handle_file(packed), api_name="/evaluate")
    out = tmp_path / "out"
    assert not main(["evaluate", str(table), "--model", str(model_folder), "--out", str(out), "--no-figures"])
    assert answer == json.loads((out / "summary.json").read_text())
    assert not any((data_folder / "uploads").iterdir())
    with pytest.raises(AppError, match="native, paper, not 'other'"):
        client.predict(handle_file(packed), protocol="other", api_name="/evaluate")


def test_refusals_are_sentences_without_paths(client, film, tmp_path):
    broken = tmp_path / "Doe_Jane.dcm"
    broken.write_bytes(film.read_bytes()[:200])
    for image, description in ((broken, TEXT), (film, " … ")):
        with pytest.raises(AppError) as refusal:
            client.predict(handle_file(image), description, api_name="/locate")
        message = str(refusal.value)
        assert message.endswith(".") and "/" not in message and "Doe" not in message


@pytest.mark.parametrize("image", [{"path": "/etc/hostname"}, "/etc/hostname", None])
def test_only_uploads_are_opened(url, image):
    call = httpx.post(f"{url}gradio_api/call/locate", json={"data": [image, TEXT]}).json()
    events = httpx.get(f"{url}gradio_api/call/locate/{call['event_id']}").text
    assert "event: error" in events and "grid" not in events
