"""Feedback in the Probe tab: pressed in a real browser, read back from the real store."""

import json
import re
import uuid
from pathlib import Path

import duckdb
import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import expect

from afloc import load_model
from afloc.feedback.store.store import FILE_NAME
from afloc.imaging.examples import EXAMPLES
from tests.web.conftest import call_of, held, serve
from tests.web.tabs.test_probe import a_film, ask, insist, to_dicom, to_png, upload, wait_for_size
from tests.web.tabs.test_viewer import drag

CHEST = ("cardiomegaly", "pneumothorax", "pleural effusion", "rib fracture", "lung nodule", "lung mass")
SAVED = r"^saved \d\d:\d\d"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("feedback")


@pytest.fixture(scope="module")
def model(tiny_folder):
    return load_model(tiny_folder)


@pytest.fixture(scope="module")
def url(tiny_folder, folder):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(folder)) as url:
        yield url


@pytest.fixture
def rows(folder):
    """The rows added since the test began, as the database has them."""

    def read(since=0):
        with duckdb.connect(str(folder / FILE_NAME)) as database:  # the server's own instance: same process
            query = f"SELECT * FROM events WHERE seq > {since} ORDER BY seq"
            return (
                database.execute(query).df().astype(object).replace({float("nan"): None}).to_dict("records")
            )

    before = len(read())
    return lambda: read(before)


def wait_for(page, pattern):
    expect(page.locator("#probe .feedback .saved")).to_have_text(re.compile(pattern))


def test_an_answer_is_saved_corrected_and_taken_back(page, rows, model):
    ask(page, "pleural effusion")
    insist(page)
    places = (
        "['.stage', '.verdict', '.feedback', '.try', '.scanning-all'].map("
        "s => JSON.stringify(document.querySelector(s).getBoundingClientRect()))"
    )
    before = page.evaluate(places)
    page.focus(".stage")
    page.keyboard.press("6")
    wait_for(page, SAVED)
    page.keyboard.press("1")
    wait_for(page, SAVED)
    page.click("[data-mode=box]")
    drag(page, (330, 230), (420, 370))
    wait_for(page, "with 1 region$")
    page.keyboard.press("Shift+5")
    page.keyboard.press("n")
    page.keyboard.type("higher, in the apex")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.type !== 'text'")
    withdrawn = []
    page.on("request", lambda request: call_of("withdraw")(request) and withdrawn.append(request))
    page.dblclick(".feedback .back")  # once is enough
    wait_for(page, r"^taken back \d\d:\d\d")
    assert page.locator(".judged [aria-pressed=true]").count() == 0
    assert page.evaluate(places) == before
    assert page.evaluate("[document.documentElement.scrollHeight, innerHeight]") == [900, 900]
    assert len(withdrawn) == 1

    saved = rows()
    assert [row["kind"] for row in saved] == ["feedback"] * 5 + ["withdrawal"]
    assert [row["replaces"] for row in saved[1:]] == [row["id"] for row in saved[:-1]]
    first, last = saved[0], saved[4]
    image = EXAMPLES[0].load()
    view = model.encode(image)
    finding = view.locate("pleural effusion")
    assert first["image_digest"] == image.digest
    assert (first["image_width"], first["image_height"]) == (image.width, image.height)
    assert (first["modality"], first["protocol"]) == (view.modality, "native")
    assert (first["description"], first["model_fingerprint"]) == ("pleural effusion", model.fingerprint)
    assert first["model"] == f"{model.name} {model.config.version}"
    assert first["score"] == pytest.approx(finding.score, abs=1e-6)
    assert first["probability"] == pytest.approx(finding.probability, abs=1e-6)
    assert bool(first["present"]) is finding.present
    assert first["threshold"] == pytest.approx(0.5)
    assert json.loads(first["display"])["colors"] == "Ember"
    assert len(json.loads(first["model_regions"])) == len(finding.regions(0.5))
    assert json.loads(first["answers"]) == {"agreement": "elsewhere"}
    assert json.loads(last["answers"]) == {"agreement": "elsewhere", "confidence": 5}
    assert [(row["there"], row["place"]) for row in (first, last)] == [
        (None, "elsewhere"),
        ("yes", "elsewhere"),
    ]
    assert (
        json.loads(last["asked"]) == json.loads(json.dumps(finding.as_json()["asked"]))
        and last["doubt"] == "none"
    )
    assert bool(last["holds"]) is finding.holds
    assert last["comment"] == "higher, in the apex"
    (region,) = json.loads(last["regions"])
    at = page.evaluate("document.querySelector('.viewer').viewer.transform")
    box = [(330 - at["left"]) / at["zoom"], (230 - at["top"]) / at["zoom"], 90 / at["zoom"], 140 / at["zoom"]]
    assert region["box"] == pytest.approx(box, abs=1.5)
    assert 0 <= first["visible_ms"] <= last["visible_ms"]


def test_what_was_said_belongs_to_its_description(page, rows):
    ask(page, "cardiomegaly")
    insist(page)
    page.click("[data-mode=box]")
    drag(page, (300, 200), (400, 300))
    page.click("[data-there=yes]")
    wait_for(page, "with 1 region$")
    ask(page, "pneumothorax")
    insist(page)
    wait_for(page, "^$")
    page.click("[data-there=no]")
    expect(page.locator("[data-place=yes]")).to_be_disabled()  # of what is not there no place is asked for
    wait_for(page, SAVED)
    ask(page, "cardiomegaly")
    wait_for(page, "with 1 region$")
    expect(page.locator("[data-there=yes]")).to_have_attribute("aria-pressed", "true")
    saved = [(row["description"], len(json.loads(row["regions"]))) for row in rows()]
    assert saved == [("cardiomegaly", 1), ("pneumothorax", 0)]


def test_what_is_said_while_another_image_opens_is_stored_with_its_own(page, rows, url):
    answers = []

    def is_second(response):
        answers.extend([response] if call_of("feedback")(response.request) else [])
        return len(answers) == 2

    ask(page, "pleural effusion")
    insist(page)
    with (
        page.expect_response(is_second),
        held(page, call_of("feedback")),
        page.expect_request(call_of("feedback")) as said,
    ):
        page.click("[data-there=yes]")
        upload(page, to_png(a_film(1)))
        wait_for_size(page, 240, 300)
        token = said.value.post_data_json["data"]["token"]
        assert httpx.delete(f"{url}afloc/images/{token}").is_success  # as after half an hour
    assert answers[0].json()["gone"]
    (row,) = rows()
    assert row["image_digest"] == EXAMPLES[0].load().digest


def test_a_place_is_asked_for_only_where_one_is_shown(page, rows):
    """Of a finding that is not flagged "yes" means one thing: it is there all the same."""
    absent = next(text for text in CHEST if ask(page, text) == "not-flagged")
    expect(page.locator(".feedback h2")).to_contain_text(absent)
    expect(page.locator("[data-place=yes]")).to_be_disabled()
    page.keyboard.press("Escape")
    page.keyboard.press("4")
    page.keyboard.press("1")
    wait_for(page, rf"{SAVED}; draw where")
    page.click(".anyway")
    page.click("[data-place=partly]")
    wait_for(page, SAVED)
    said = [(row["there"], row["place"], json.loads(row["answers"])) for row in rows()]
    assert said == [
        ("yes", None, {"agreement": "elsewhere"}),
        ("yes", "partly", {"agreement": "partly"}),
    ]


def test_what_is_said_without_an_answer_is_called_unsaved(page, rows):
    ask(page, "pleural effusion")
    insist(page)
    page.fill("#probe .feedback input", "in the apex")
    page.keyboard.press("Enter")
    wait_for(page, "^Not saved yet: answer with 1 to 3$")
    page.keyboard.press("2")
    wait_for(page, SAVED)
    assert [row["comment"] for row in rows()] == ["in the apex"]


def test_no_identity_is_kept(page, rows, folder):
    upload(page, to_dicom(a_film(1)), "Doe_Jane_MRN-4711.dcm")
    wait_for_size(page, 240, 300)
    ask(page, "pleural effusion")
    insist(page)
    page.click("[data-there=unsure]")
    wait_for(page, SAVED)
    assert len(rows()) == 1
    for path in filter(Path.is_file, folder.rglob("*")):
        content = path.read_bytes()
        assert b"Jane" not in content and b"MRN-" not in content, path.name


def test_what_could_not_be_saved_is_said_and_saving_goes_on_after(tiny_folder, chromium, tmp_path):
    disk = tmp_path / "disk"
    disk.write_text("nothing can be made in here")
    with serve(tiny_folder, AFLOC_DATA_DIR=str(disk / "data")) as url:
        page = chromium.new_page()
        page.goto(url)
        page.wait_for_selector(".viewer[data-answer='1'][data-state='ready']")
        insist(page)
        page.click("[data-there=yes]")
        wait_for(page, "^Not saved: ")
        disk.unlink()
        disk.mkdir()
        page.click("[data-there=yes]")
        wait_for(page, SAVED)
        page.close()
    with duckdb.connect(str(disk / "data" / FILE_NAME)) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (1,)


def test_feedback_endpoint(url, rows, tmp_path):
    path = tmp_path / "Doe_Jane.png"
    path.write_bytes(to_png(EXAMPLES[0].load().gray()))
    client = Client(url, verbose=False)
    said = {"confidence": 4, "comment": "as drawn", "regions": [{"box": [1, 2, 30, 40]}]}
    answer = client.predict(handle_file(path), "edema", "partly", *said.values(), api_name="/feedback")
    (row,) = rows()
    assert answer["id"] == str(row["id"]) and uuid.UUID(answer["id"])
    assert json.loads(row["answers"]) == {"agreement": "partly", "confidence": 4}
    assert json.loads(row["regions"]) == said["regions"]
    assert (row["there"], row["place"]) == ("yes", "partly")
    with pytest.raises(AppError, match="yes, partly, elsewhere, absent"):
        client.predict(handle_file(path), "edema", "maybe", api_name="/feedback")
