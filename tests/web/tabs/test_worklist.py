"""Lists of films: what they are asked, and the story of a reader in a real browser."""

import csv
import io
import json
import re
import zipfile
from itertools import count

import numpy as np
import pytest
from playwright.sync_api import expect
from pydicom.uid import generate_uid

from afloc.imaging.examples import EXAMPLES
from afloc.web.messages import MOST_CHECKED
from tests.imaging.dicoms import dicom
from tests.web.axe import assert_accessible
from tests.web.conftest import call_of, held
from tests.web.films import EVALUATED, copy_films, draw_films
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
        assert sentence in refused["error"] and refused["status"] == 422, asked[:1]
    gone = server_function(client, "check", image="unknown", descriptions=["edema"], modality=None)
    assert gone["gone"]


# --- the story of a reader ---

ROWS = "#probe .worklist .film"


def open_folder(page, folder):
    page.locator("#probe input[webkitdirectory]").set_input_files(str(folder))


def open_files(page, *files):
    kind = "application/octet-stream"
    sent = [{"name": name, "mimeType": kind, "buffer": content} for name, content in files]
    page.set_input_files("#probe input[type=file]", sent)


def position(page, text):
    expect(page.locator("#films output")).to_contain_text(text)


def names(page):
    return page.locator(f"{ROWS} .name").all_text_contents()


def said_of(page, name):
    return page.locator(ROWS, has=page.locator(f".name:text-is('{name}')")).locator(".said").text_content()


def count_open(page):
    """The tokens of the images that the server holds for the page, and the most there were at once."""
    held, most = set(), [0]

    def opened(response):
        about = response.headers.get("x-afloc-image")
        if response.request.method == "POST" and about and (token := json.loads(about).get("token")):
            held.add(token)
            most[0] = max(most[0], len(held))

    page.on("response", opened)
    page.on("request", lambda sent: sent.method == "DELETE" and held.discard(sent.url.rsplit("/", 1)[1]))
    return held, most


def read_by_keyboard(page, folder, count):
    """A folder of `count` films and one text is opened; all else goes by keys."""
    held, most = count_open(page)
    open_folder(page, folder)
    position(page, f"film 1 of {count + 1}")
    page.keyboard.press("/")
    page.keyboard.type("pleural effusion")
    page.keyboard.press("Escape")
    seen = []
    for number in range(1, count + 1):
        position(page, f"film {number} of {count + 1}, film-{number}.")
        expect(page.locator(f"{ROWS}:has([aria-current]) .said")).to_contain_text("flagged")
        expect(page.locator("#description")).to_have_value("pleural effusion")
        seen.append((page.inner_text(".verdict h2"), page.inner_text(".verdict .number")))
        page.keyboard.press("j")
    expect(page.locator(".worklist .told")).to_have_text(re.compile("last film|notes.txt is passed over"))
    assert said_of(page, "notes.txt").startswith("This is not an image AFLoc reads")
    assert most[0] <= 5 and len(held) <= 4  # the film on the stage, its neighbours, one that just left
    return seen


def put_beside(page, name, heading, number):
    """Another film of the list beside the one on the stage: asked the same, it is answered as alone."""
    row = page.locator(ROWS, has=page.locator(f".name:text-is('{name}')"))
    row.hover()
    row.locator(".beside").click()
    panes, note = page.locator("#probe .pane"), page.locator("#probe .caption span").last
    expect(panes).to_have_count(2)
    verdict = heading.partition(": ")[2]
    expect(note).to_have_text(f"{verdict} {number}, asked by itself")
    page.fill("#description", "heart")
    expect(note).to_contain_text("no verdict, asked by itself")
    page.fill("#description", "pleural effusion")
    expect(note).to_contain_text(number)
    painted = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((value) => value)"
    assert page.locator("#probe canvas.map").last.evaluate(painted) == (verdict == "flagged")
    page.locator("#probe .caption .close").last.click()
    expect(panes).to_have_count(1)
    page.focus("#probe .stage")


def judge_and_come_back(page, count):
    """What is asked, drawn and commented on a film is there when the reader is back."""
    page.keyboard.press("/")
    page.keyboard.press("Control+A")
    page.keyboard.type("cardiomegaly")
    page.keyboard.press("Escape")
    expect(page.locator(".verdict h2")).to_contain_text("Cardiomegaly")
    page.focus("#probe .stage")
    page.keyboard.press("b")
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    page.keyboard.press("n")
    page.keyboard.type("look again")
    page.keyboard.press("Enter")
    expect(page.locator("#probe .feedback .saved")).to_contain_text("with 1 region")
    heading, zoomed = (
        page.inner_text(".verdict h2"),
        "document.querySelector('#probe .viewer').viewer.transform.zoom",
    )
    page.keyboard.press("+")
    zoom = page.evaluate(zoomed)
    page.keyboard.press("Shift+J")
    position(page, f"film {count - 1} of")
    expect(page.locator("#description")).to_have_value("pleural effusion")
    page.wait_for_function("document.querySelector('#probe .viewer').viewer.shapes.length === 0")
    page.keyboard.press("j")
    position(page, f"film {count} of")
    expect(page.locator("#description")).to_have_value("cardiomegaly")
    expect(page.locator(".verdict h2")).to_have_text(heading)
    expect(page.locator("#probe [data-there=unsure]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#probe .feedback input")).to_have_value("look again")
    page.wait_for_function("document.querySelector('#probe .viewer').viewer.shapes.length === 1")
    assert page.evaluate(zoomed) == pytest.approx(zoom)


def ask_all(page, count, checklist):
    """A checklist of the whole list: saved, asked, sorted, copied."""
    page.keyboard.press("Shift+A")
    page.keyboard.press("Control+A")
    page.keyboard.type("\n".join(checklist))
    page.fill("#probe .asking .named input", "Ward")
    page.click("#probe .asking >> text=Save")
    assert page.evaluate("JSON.parse(localStorage.getItem('afloc-checklists'))") == [
        {"name": "Ward", "findings": checklist}
    ]
    page.focus("#probe .asking .primary")
    page.keyboard.press("Enter")
    expect(page.locator("#probe .asking .progress")).to_contain_text(
        f"of {count} films flagged. 1 cannot be opened.", timeout=90_000
    )
    page.click("#probe .asking >> text=Copy table as CSV")
    rows = list(csv.DictReader(io.StringIO(page.evaluate("navigator.clipboard.readText()"), newline="")))
    assert_accessible(page, "a list that was asked", "#probe .asking")
    page.keyboard.press("Escape")
    assert_accessible(page, "a list")
    assert len(rows) == (count + 1) * len(checklist)
    return rows


LEAVE = "setTimeout(() => location.reload())"


def warns_on_leaving(page):
    """A reload warns, and the page stays."""
    with page.expect_event("dialog") as told:
        page.evaluate(LEAVE)
    told.value.dismiss()
    return told.value.type == "beforeunload"


def leaves_unwarned(page):
    warnings = []

    def accept(dialog):
        warnings.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    with page.expect_event("domcontentloaded"):
        page.evaluate(LEAVE)
    page.remove_listener("dialog", accept)
    return not warnings


def the_story(page, folder, count, model):
    (heading, number), *_ = read_by_keyboard(page, folder, count)
    put_beside(page, f"film-1{folder.suffix}", heading, number)
    judge_and_come_back(page, count)
    checklist = ["pleural effusion", "no pneumothorax", "normal chest"]
    rows = ask_all(page, count, checklist)
    assert {row["model"] for row in rows if not row["problem"]} == {f"{model.name} {model.config.version}"}
    assert {row["fingerprint"] for row in rows if not row["problem"]} == {model.fingerprint}
    assert {row["film"] for row in rows if row["problem"]} == {"notes.txt"}
    denied = [row for row in rows if row["description"] == "no pneumothorax" and not row["problem"]]
    assert all("do not find the place" in row["cautions"] for row in denied)
    flagged = [rows[at : at + 3] for at in range(0, len(rows), 3)]
    counts = [sum(row["verdict"].lower().startswith("flagged") for row in film) for film in flagged]
    assert counts == sorted(counts, reverse=True), "flagged films come first"
    assert names(page) == [film[0]["film"] for film in flagged]
    marked = page.locator(f"{ROWS} > .caution-mark")
    expect(marked).to_have_count(count)  # a caution stands where its answer stands
    page.click("#probe .orders >> text=file order")
    assert names(page) == [*(f"film-{n}{folder.suffix}" for n in range(1, count + 1)), "notes.txt"]
    page.keyboard.press("Shift+C")
    expect(page.locator("#probe .report")).to_have_text("Copied")
    sentence = page.evaluate("navigator.clipboard.readText()")
    assert sentence.startswith("Cardiomegaly") and sentence.endswith("Research use only, not for diagnosis.")
    assert f"by {model.name} {model.config.version}, probability" in sentence
    assert warns_on_leaving(page)
    page.keyboard.press("Shift+J")
    position(page, f"film {count - 1} of")
    page.focus("#probe .stage")
    for key in ("b", "Space", "Escape", "Shift+J"):  # a box that belongs to no judgement
        page.keyboard.press(key)
    position(page, f"film {count - 2} of")
    page.click("#probe .worklist .close")
    page.click("#probe .worklist .give-up")
    expect(page.locator("#probe .worklist")).to_be_hidden()


def test_a_folder_is_read_by_keyboard(page, tmp_path, model):
    folder = tmp_path / "ward.png"
    draw_films(folder, 4)
    (folder / "notes.txt").write_text("not an image")
    the_story(page, folder, 4, model)


@pytest.mark.skipif(not EVALUATED.is_dir(), reason="the evaluation films are not at hand")
def test_twenty_films_of_the_evaluation_set_are_read_by_keyboard(page, tmp_path, model, long):
    if not long:
        pytest.skip("with --long")
    folder = tmp_path / "ward.jpg"
    copy_films(folder, 20)
    (folder / "notes.txt").write_text("not an image")
    the_story(page, folder, 20, model)


def test_leaving_warns_only_while_something_would_be_lost(page):
    page.click("#probe .stage")  # without a gesture no browser asks
    assert leaves_unwarned(page)
    page.wait_for_selector(".viewer[data-state='ready']")
    page.click("#probe .stage")
    page.keyboard.press("b")
    page.focus("#probe .stage")
    page.keyboard.press("Space")
    assert warns_on_leaving(page)
    page.keyboard.press("Control+Z")
    page.fill("#probe .feedback input", "look again")
    assert warns_on_leaving(page)
    page.fill("#probe .feedback input", "")
    page.fill("#description", "hazy area behind the heart")
    assert warns_on_leaving(page)


# A ZIP file is given, and while it is read the list is closed.
ADD_AND_CLOSE = """async (bytes) => {
  const input = document.querySelector("#probe input[type=file]"), given = new DataTransfer();
  given.items.add(new File([new Uint8Array(bytes)], "more.zip"));
  input.files = given.files;
  input.dispatchEvent(new Event("change"));
  for (let i = 0; i < 20; i++) await null;
  document.querySelector("#probe .worklist .close").click();
}"""


def wait_for_width(page, width):
    page.wait_for_function(
        "w => document.querySelector('#probe .viewer').viewer.image.width === w", arg=width
    )


def test_a_zip_of_a_series_with_whatever_else_is_in_it(page):
    series = {"SeriesInstanceUID": generate_uid(), "Modality": "CR"}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, number in (("IM_A", 3), ("IM_B", 1), ("IM_C", 2)):  # without an ending, in no order
            pixels = np.full((64, 60 + number), 40 * number, np.uint8)
            sides = {"PatientOrientation": ["R", "F"]} if name == "IM_C" else {}
            archive.writestr(f"../../study/{name}", dicom(pixels, InstanceNumber=number, **series, **sides))
        archive.writestr("bomb.png", bytes(400 << 20))
        archive.writestr("more.zip", b"PK\x03\x04")
        archive.writestr("__MACOSX/._IM_A", b"x")
    located = count()
    with held(page, lambda request: call_of("locate")(request) and next(located) > 0):
        open_files(page, ("series.zip", out.getvalue()))
        position(page, "film 3 of 5, IM_B")
        assert names(page) == ["bomb.png", "more.zip", "IM_B", "IM_C", "IM_A"]
        assert "larger than 128 MB" in said_of(page, "bomb.png")
        assert "unpack it first" in said_of(page, "more.zip")
        expect(page.locator(".worklist .told")).to_contain_text("1 hidden file is left out.")
        letter = page.locator("#probe .side.left")
        expect(letter).to_have_text("Rassumed")
        for width in (61, 62, 63):
            wait_for_width(page, width)
            page.keyboard.press("j")
    expect(letter).to_have_text("Rassumed")  # of IM_A; what came for IM_C meanwhile is dropped
    page.keyboard.press("Shift+J")
    wait_for_width(page, 62)
    expect(letter).to_have_text("L")  # of its own answer, which it had not when it was left

    files = io.BytesIO()
    with zipfile.ZipFile(files, "w") as archive:
        archive.writestr("film.png", to_png(np.zeros((64, 70), np.uint8)))
    page.evaluate(ADD_AND_CLOSE, list(files.getvalue()))
    expect(page.locator("#probe .worklist")).to_be_hidden()
    page.wait_for_selector("#probe .viewer[data-state='ready']")
    assert page.evaluate("document.querySelector('#probe .viewer').viewer.image.width") == 62
