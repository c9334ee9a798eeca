"""Lists of films: what they are asked, and the story of a reader in a real browser."""

import json

import numpy as np
import pytest

from afloc.imaging.examples import EXAMPLES
from afloc.web.messages import MOST_CHECKED
from tests.web.tabs.test_probe import to_png
from tests.web.test_load import server_function, visitor

FILM = EXAMPLES[0]


@pytest.fixture
def client(url):
    with visitor(url, "list") as client:
        yield client


def open_token(client, pixels):
    """The token of an image whose pixels the page does not need."""
    answer = client.post("/afloc/images", params={"again": "true"}, content=to_png(pixels))
    assert not answer.content
    return json.loads(answer.headers["X-AFLoc-Image"])["token"]


def rounded(values):
    """Texts that are encoded together differ in the last digits from one alone."""
    return json.loads(json.dumps(values), parse_float=lambda digits: round(float(digits), 4))


def test_a_film_of_a_list_is_answered_as_when_it_is_asked_alone(client):
    token = open_token(client, FILM.load().gray())
    asked = ["pleural effusion", "no pneumothorax", "left qzxv", "normal chest", "heart"]
    checked = server_function(client, "check", image=token, descriptions=asked, modality=None)
    assert checked["modality"] == FILM.modality and len(checked["findings"]) == len(asked)
    for text, found in zip(asked, checked["findings"], strict=True):
        alone = server_function(client, "locate", image=token, description=text, modality=None)
        expected = alone["finding"]
        if expected["asked"]["status"] != "unknown":
            expected["cautions"] = list(dict.fromkeys([*expected["cautions"], *alone["remarks"]]))
        del expected["grid"]
        assert rounded(found) == rounded(expected), text
        assert checked["doubt"] == alone["doubt"]


def test_what_cannot_be_asked_of_a_list_is_one_sentence(client):
    token = open_token(client, np.zeros((64, 64), np.uint8))
    for asked, sentence in (
        ([], "another length"),
        (["edema"] * (MOST_CHECKED + 1), "another length"),
        ([5], "should be a text"),
        (["edema " * 1000], "at most 4000 characters"),
    ):
        refused = server_function(client, "check", image=token, descriptions=asked, modality=None)
        assert sentence in refused["error"], asked[:1]
    gone = server_function(client, "check", image="unknown", descriptions=["edema"], modality=None)
    assert gone["gone"]
