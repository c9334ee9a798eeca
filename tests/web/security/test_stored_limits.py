"""What visitors may have saved is bounded, and what is refused is not saved."""

import json

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Store
from afloc.web.errors import RefusedError, TooManyError
from afloc.web.security.rate_limits import client
from afloc.web.security.stored_limits import EACH, EVERYBODY, MOST_OF_A_ROW, StoredLimits
from tests.web.conftest import serve
from tests.web.tabs.test_probe import a_film, to_png
from tests.web.test_load import open_image, server_function, visitor


def an_answer(size):
    return Event("feedback", comment="x" * 100, display={"note": "x" * size})


def test_an_address_and_all_together_save_so_much(tmp_path):
    now = [0.0]
    limits = StoredLimits((100, 10_000), (1000, 30_000), clock=lambda: now[0])
    with Store(tmp_path, limits) as store:

        def save(name):
            """How many answers of 1 kB are saved until one is refused."""
            client.set(name)
            for number in range(100):
                try:
                    store.record(an_answer(700))
                except TooManyError as error:
                    assert str(error).startswith("Not saved: ")
                    return number
            raise AssertionError("nothing was refused")

        saved = [save("one"), save("one"), save("two"), save("three"), save("four")]
        assert 8 <= saved[0] <= 12 and saved[1] == 0 and saved[2] == saved[0]
        assert sum(saved) <= 40 and saved[4] < saved[0]
        now[0] += 20  # the address has 2 kB again
        later = save("one")
        assert 1 <= later <= 3 and store.last_seq == sum(saved) + later


def test_the_hourly_most_is_bounded():
    """Of one address some tens of MB, of all some hundred."""
    assert EACH[0] * 3600 + EACH[1] < 100e6 and EVERYBODY[0] * 86400 + EVERYBODY[1] < 2e9
    assert EACH[1] / 100 > MOST_OF_A_ROW  # an answer that may be saved is saved, after others


LONG = "é" * 19_000
OUTLINE = [[n % 1000, n / 7] for n in range(20_000)]


@pytest.mark.parametrize(
    "columns",
    [
        {"display": {"note": "x" * 250_000}},
        {"comment": LONG, "description": LONG, "answers": {"a": "x" * 150_000}},
        {"regions": [{"outline": OUTLINE}]},
    ],
)
def test_a_row_has_a_most_over_all_its_columns(columns):
    limits = StoredLimits()
    with pytest.raises(RefusedError, match=r"^Not saved: .* 200 kB\.$"):
        limits(Event("feedback", **columns))
    limits(Event("feedback", regions=[{"outline": [[n * 1.01, n * 2.03] for n in range(5000)]}]))


def test_what_an_anonymous_visitor_draws_is_bounded_on_every_way(tiny_folder, tmp_path):
    outline = [{"outline": [[n % 40, n % 39] for n in range(60_000)]}]
    film = tmp_path / "film.png"
    film.write_bytes(to_png(a_film()))
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "data")) as url:
        with visitor(url, 1) as browser:
            token = open_image(browser, a_film())
            said = {"token": token, "description": "edema", "agreement": "yes", "modality": "chest_xray"}
            for much in ({"regions": outline}, {"display": {"note": "x" * 300_000}}):
                answer = server_function(browser, "feedback", session="a", **said, **much)
                assert "200 kB" in answer["error"]
            assert "id" in server_function(browser, "feedback", session="a", **said)
        with pytest.raises(AppError, match="200 kB"):
            Client(url, verbose=False).predict(
                handle_file(film), "edema", "yes", 3, "", outline, api_name="/feedback"
            )
        figures = httpx.get(f"{url}metrics").text
        assert "saved_rows 1\n" in figures


def test_calls_of_named_endpoints_count_by_who_sent_them(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("afloc.web.page.StoredLimits", lambda: StoredLimits((1e-3, 2500)))
    film = tmp_path / "film.png"
    film.write_bytes(to_png(a_film()))
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "data"), AFLOC_PROXIES="1") as url:

        def save(address):
            """The events of a /feedback of 1 kB."""
            who = {"X-Forwarded-For": address}
            with open(film, "rb") as sent:
                (path,) = httpx.post(f"{url}gradio_api/upload", files={"files": sent}, headers=who).json()
            image = {"path": path, "meta": {"_type": "gradio.FileData"}}
            body = {"data": [image, "edema", "yes", 3, "x" * 1500, None, None]}
            ask = f"{url}gradio_api/call/feedback"
            event = httpx.post(ask, json=body, headers=who).json()["event_id"]
            return json.loads(httpx.get(f"{ask}/{event}", headers=who).text.split("data: ")[1])

        assert "id" in str(save("192.0.2.1"))
        assert "Not saved: too much" in str(save("192.0.2.1"))
        assert "id" in str(save("192.0.2.2"))
