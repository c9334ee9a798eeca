"""The Probe tab as a reader meets it: a real browser on the real server."""

import base64
import io
import re

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import expect
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from afloc.imaging.examples import EXAMPLES
from afloc.imaging.image import read_image
from afloc.text import clean_text
from afloc.web.tabs.suggestions import OFFERED
from tests.web.conftest import serve, show_film

FILM = EXAMPLES[0]
HOSTILE = [
    '<img src=x onerror="window.hit=1">',
    "${window.hit=1}",
    "{{value}} ` \\",
    "\u202eeffusion\u202c </textarea><script>window.hit=1</script>",
]


def to_png(pixels):
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def to_dicom(pixels):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = SecondaryCaptureImageStorage
    data.SOPInstanceUID = generate_uid()
    data.PatientName, data.PatientID, data.Modality = "Doe^Jane", "MRN-4711", "CR"
    data.PhotometricInterpretation = "MONOCHROME2"
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PixelRepresentation = 1, 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit = 7
    data.PixelData = pixels.tobytes()
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def a_film(seed=0, height=300, width=240):
    """Noise over a gradient: no two of them, and no two neighbours, are alike."""
    noise = np.random.default_rng(seed).integers(0, 60, (height, width))
    return (noise + np.linspace(20, 190, width)).astype(np.uint8)


def upload(page, content, name="Doe_Jane.png"):
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    page.set_input_files("input[type=file]", file)


def wait_for_size(page, width, height):
    page.wait_for_function(
        "([w, h]) => { const v = document.querySelector('.viewer'), i = v.viewer.image;"
        " return i.width === w && i.height === h && v.dataset.state === 'ready'; }",
        arg=[width, height],
    )


def ask(page, description):
    """Type a description and wait for its answer; the verdict's kind."""
    before = int(page.get_attribute(".viewer", "data-answer"))
    page.fill("textarea", description)
    page.wait_for_function("n => Number(document.querySelector('.viewer').dataset.answer) > n", arg=before)
    return page.get_attribute(".verdict", "data-verdict")


def insist(page):
    """Have the map shown whatever the page holds back: a doubtful image, a finding that is not flagged."""
    for kind in ("doubt", "not-flagged", "unreliable"):
        held_back = page.get_attribute(".viewer", "data-map") != "shown"
        if held_back and page.get_attribute(".verdict", "data-verdict") == kind:
            page.click(".anyway")
            page.wait_for_function(
                "k => document.querySelector('.verdict').dataset.verdict !== k"
                " || document.querySelector('.viewer').dataset.map === 'shown'",
                arg=kind,
            )


def grid_shown(page):
    return page.evaluate("document.querySelector('.viewer').viewer.grid")


def left_over(page, box):
    """How many pixels of a box's content are out of its view, downwards and to the right."""
    return page.eval_on_selector(box, "e => [e.scrollHeight - e.clientHeight, e.scrollWidth - e.clientWidth]")


def canvas(page, name):
    """The pixels of a canvas, uint8 (height, width, 4)."""
    data = page.eval_on_selector(f"canvas.{name}", "c => c.toDataURL()").split(",")[1]
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


def test_first_screen_shows_an_example_and_nothing_scrolls(open_page, model):
    page = open_page()
    name = page.get_attribute("#probe .example[aria-pressed=true]", "data-example")
    shown = next(example for example in EXAMPLES if example.name == name)
    assert page.input_value("textarea") == shown.description
    expected = model.encode(shown.load(), shown.modality).locate(shown.description)
    number = expected.score if expected.probability is None else expected.probability
    assert float(page.inner_text(".verdict .number")) == pytest.approx(number, abs=0.006)
    assert page.get_attribute(".viewer", "data-map") == "shown" and canvas(page, "map").any()
    assert page.locator("text=Research use only. Not for diagnosis.").count() == 1
    expect(page.locator(".model")).to_contain_text(model.name)
    assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [
        1440,
        900,
    ]
    for box in (".panel", ".few", ".tools"):
        assert left_over(page, box) == [0, 0], box
    page.click(".try .more")
    for wording in ("simple", "precise"):
        page.click(f"[data-wording={wording}]")
        assert left_over(page, ".all .chips")[1] == 0 and left_over(page, ".panel") == [0, 0], wording
    page.keyboard.press("Escape")
    expect(page.locator(".all")).to_be_hidden()


@pytest.mark.parametrize("width, height", [(1280, 800), (1366, 768)])
def test_a_laptop_screen_holds_the_panel_and_the_tools(open_page, width, height):
    page = open_page(width, height)
    page.click(".scan-all")
    page.wait_for_selector(".scan .bar")
    for box in (".panel", ".tools"):
        assert left_over(page, f"#probe {box}") == [0, 0], box
    page.get_by_role("tab", name="Ground truth").click()
    page.wait_for_selector("#ground_truth .viewer[data-answer='1'][data-state='ready']")
    for box in (".panel", ".tools"):
        assert left_over(page, f"#ground_truth {box}") == [0, 0], box


def test_upload_describe_change_clear(page):
    upload(page, to_png(FILM.load().gray()))
    wait_for_size(page, 1024, 1024)
    assert page.input_value("textarea") == ""  # the example's description does not stay for another film
    assert ask(page, "pleural effusion") in ("flagged", "not-flagged", "not-judged")
    insist(page)
    first, painted = grid_shown(page), canvas(page, "map")
    ask(page, "cardiomegaly")
    insist(page)
    second = grid_shown(page)
    assert first != second
    assert not np.array_equal(painted, canvas(page, "map"))
    page.click(".clear")
    expect(page.locator(".verdict")).to_have_attribute("data-verdict", "none")
    assert grid_shown(page) is None
    assert not canvas(page, "map").any()


def test_typing_key_by_key_ends_on_the_last_text(page, model):
    page.fill("textarea", "")
    page.locator("textarea").press_sequentially("right pneumothorax")
    expected = model.encode(FILM.load()).locate("right pneumothorax")
    number = expected.score if expected.probability is None else expected.probability
    expect(page.locator(".verdict .number")).to_have_text(re.compile(f"^{number:.2f}$"))


def test_without_the_server_the_last_answer_is_marked_as_the_earlier_one(page):
    ask(page, "cardiomegaly")
    insist(page)
    page.context.set_offline(True)
    page.fill("textarea", "pneumothorax")
    expect(page.locator(".verdict")).to_have_class(re.compile("stale"))
    expect(page.locator(".verdict .words")).to_contain_text("This is still the answer to “cardiomegaly”.")
    expect(page.locator(".gate")).to_have_text("Still the map of the earlier description")
    page.context.set_offline(False)
    expect(page.locator(".verdict")).not_to_have_class(re.compile("stale"))
    expect(page.locator(".gate")).to_have_text("")


def test_the_page_gates_and_the_map_can_be_seen_anyway(page, model):
    view = model.encode(FILM.load())
    descriptions = ("cardiomegaly", "pneumothorax", "rib fracture")
    absent = next((each for each in descriptions if view.locate(each).present is False), None)
    if absent is None:
        pytest.skip("the model has no calibration, or calls everything present")
    assert ask(page, absent) == "not-flagged"
    assert page.inner_text(".verdict h2") == f"{absent.capitalize()}: not flagged"
    assert page.inner_text(".verdict .words").strip() == "So no map is shown."
    assert grid_shown(page) is None and not canvas(page, "map").any()
    page.click(".anyway")
    assert grid_shown(page) == [[round(v, 4) for v in row] for row in view.locate(absent).grid.tolist()]
    expect(page.locator(".gate")).to_contain_text("although the finding is not flagged")


def test_a_low_map_is_said_to_be_low_and_can_be_painted(low_map, chromium, tmp_path):
    folder, low = low_map
    with serve(folder, AFLOC_DATA_DIR=str(tmp_path / "data")) as url, chromium.new_page() as page:
        page.goto(url)
        show_film(page)
        assert ask(page, low.text) == "flagged"
        expect(page.locator(".verdict .words")).to_contain_text(f"at most {low.grid.max():.2f}")
        assert not canvas(page, "map").any()
        page.click(".anyway")
        page.wait_for_function("document.querySelector('.viewer').viewer.painted")
        assert canvas(page, "map").any()
        page.click(".keep")
        expect(page.locator(".caption span").first).to_have_text(f"low map, flagged {low.probability:.2f}")


@pytest.mark.parametrize("height, width", [(300, 240), (120, 400), (900, 60)])
def test_map_and_pixels_lie_where_they_belong(page, model, height, width):
    pixels = a_film(3, height, width)
    upload(page, to_png(pixels))
    wait_for_size(page, width, height)
    ask(page, "cardiomegaly")
    insist(page)
    expected = model.encode(read_image(to_png(pixels))).locate("cardiomegaly").heatmap
    for y, x in ((0, 0), (height // 2, width // 3), (height - 1, width - 1)):
        value = page.evaluate(
            f"document.querySelector('.viewer').viewer.valueAt({x} + 0.5, {y} + 0.5)",
        )
        assert value == pytest.approx(float(expected[y, x]), abs=2e-4)
    page.evaluate("for (let i = 0; i < 20; i++) document.querySelector('.viewer').viewer.actions.zoomIn()")
    page.wait_for_function("document.querySelector('.viewer').viewer.painted")
    shown, at = canvas(page, "film"), page.evaluate("document.querySelector('.viewer').viewer.transform")
    assert at["zoom"] == 40  # far enough in for image pixels to be squares: what is shown is what was sent
    y = int((shown.shape[0] / 2 - at["top"]) / 40)
    x = int((shown.shape[1] / 2 - at["left"]) / 40)
    top, left = round(at["top"] + 40 * y + 20), round(at["left"] + 40 * x + 20)
    assert shown[top, left, :3].tolist() == [pixels[y, x]] * 3


def test_text_is_shown_as_typed_and_runs_nowhere(page):
    for number, text in enumerate(HOSTILE):
        ask(page, text)
        assert page.input_value("textarea") == text
        if number < 3:
            page.click(".keep")
    shown = [clean_text(text) for text in HOSTILE]
    assert page.locator(".caption b").all_text_contents() == shown
    page.click(".try .more")
    page.click("[data-offer=recent]")
    expect(page.locator(".recent .chip").first).to_be_visible()
    assert set(HOSTILE[:3]) <= set(page.locator(".recent .chip").all_text_contents())
    assert page.evaluate("window.hit") is None
    assert page.locator(".panel script, .verdict img, .caption img, .recent img").count() == 0


def test_a_bad_file_is_a_sentence_and_the_page_goes_on(page):
    upload(page, b"not an image" * 99)
    expect(page.locator(".verdict")).to_have_attribute("data-verdict", "problem")
    sentence = page.inner_text(".verdict .words")
    assert sentence.endswith(".") and "Traceback" not in sentence and "Doe" not in sentence
    assert ask(page, "pneumothorax") != "problem"  # the film shown before is still there
    insist(page)
    shown = page.get_attribute(".verdict", "data-verdict")
    upload(page, b"{}", "view.json")
    expect(page.locator(".verdict")).to_have_attribute("data-verdict", "problem")
    assert page.get_attribute(".viewer", "data-map") == "shown"  # and so is what was asked of it
    page.click("text=Back to the answer")
    expect(page.locator(".verdict")).to_have_attribute("data-verdict", shown)
    upload(page, to_png(a_film()))
    wait_for_size(page, 240, 300)


def test_dicom_opens_and_leaves_no_identity(page):
    upload(page, to_dicom(a_film(1)), "film_7.dcm")  # its tags name a patient
    wait_for_size(page, 240, 300)
    ask(page, "pleural effusion")
    html = page.content()
    assert "film_7.dcm" in html and "Jane" not in html and "MRN-4711" not in html


def test_drop_and_paste(page):
    for event, carrier, width in (("drop", "dataTransfer", 96), ("paste", "clipboardData", 80)):
        page.evaluate(
            """([type, carrier, bytes]) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([new Uint8Array(bytes)], 'film.png'));
                const Kind = type === 'drop' ? DragEvent : ClipboardEvent;
                document.querySelector('.stage').dispatchEvent(
                    new Kind(type, { [carrier]: transfer, bubbles: true, cancelable: true }));
            }""",
            [event, carrier, list(to_png(a_film(2, 64, width)))],
        )
        wait_for_size(page, width, 64)


def test_every_example_and_chip_answers(page):
    for example in OFFERED[1:]:
        page.click(f"[data-example={example.name}]")
        image = example.load()
        wait_for_size(page, image.width, image.height)
        assert page.input_value("textarea") == example.description
    before = int(page.get_attribute(".viewer", "data-answer"))
    chip = page.locator(".chip").first
    page.click(".chip >> nth=0")
    page.wait_for_function("n => Number(document.querySelector('.viewer').dataset.answer) > n", arg=before)
    assert page.input_value("textarea") == chip.inner_text()


def test_modality_can_be_corrected(page, model):
    for modality in model.modalities:
        page.select_option(".modality select", modality)
        expect(page.locator(".viewer")).to_have_attribute("data-state", "ready")
        expect(page.locator(".modality select")).to_have_value(modality)


def test_display_changes_ask_nothing_of_the_server(page):
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    film = canvas(page, "film")
    page.focus(".stage")
    page.keyboard.press("i")
    page.wait_for_function("document.querySelector('.viewer').viewer.painted")
    assert not np.array_equal(film, canvas(page, "film"))
    page.keyboard.press("i")
    page.mouse.move(400, 400)
    page.mouse.wheel(0, -300)
    page.mouse.down()
    page.mouse.move(500, 450)
    page.mouse.up()
    page.wait_for_function("document.querySelector('.viewer').viewer.transform.zoom > 1")
    for slider in ("opacity", "threshold"):
        page.locator(f"[data-set={slider}]").fill("0.5")
    for key in ("o", "m", "w", "+", "-", "0"):
        page.keyboard.press(key)
    expect(page.locator("[data-show=threshold]")).to_have_text("0.50")
    assert requests == []


def test_zoom_keeps_the_place_under_the_cursor(page):
    def place():
        at = page.evaluate("document.querySelector('.viewer').viewer.transform")
        return [(300 - at["left"]) / at["zoom"], (352 - at["top"]) / at["zoom"]]

    box = page.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 352)
    before = place()
    page.mouse.wheel(0, -200)
    page.wait_for_function("document.querySelector('.viewer').viewer.transform.zoom > 1")
    assert place() == pytest.approx(before, abs=1e-6)


def test_keys(page):
    ask(page, "pleural effusion")
    insist(page)
    page.focus(".stage")
    viewer = page.locator(".viewer")
    expect(viewer).to_have_attribute("data-map", "shown")
    page.keyboard.down("h")
    expect(viewer).to_have_attribute("data-map", "none")
    page.keyboard.up("h")
    expect(viewer).to_have_attribute("data-map", "shown")
    page.keyboard.press("?")
    expect(page.locator(".keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".keys")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("textarea")).to_be_focused()
    page.keyboard.type("?hi0")  # keys are letters again
    expect(page.locator("textarea")).to_have_value(re.compile("hi0"))


def test_nothing_moves_when_an_answer_arrives(page):
    def places():
        return page.evaluate(
            "['.stage', '.ask', '.verdict', '.try', '.scanning-all'].map("
            "s => JSON.stringify(document.querySelector(s).getBoundingClientRect()))"
        )

    page.click(".clear")
    expect(page.locator(".verdict")).to_have_attribute("data-verdict", "none")
    before = places()
    ask(page, "patchy opacities in both lower zones, more on the left, with air bronchograms " * 3)
    assert places() == before


def test_an_image_the_server_dropped_is_sent_again(page):
    with page.expect_request(lambda request: "/component_server" in request.url) as asked:
        ask(page, "pneumothorax")
    token = asked.value.post_data_json["data"]["image"]
    page.evaluate("token => fetch('/afloc/images/' + token, { method: 'DELETE' })", token)
    assert ask(page, "cardiomegaly") != "problem"


def test_a_file_that_changed_meanwhile_is_not_sent_again(page, tmp_path):
    file = tmp_path / "film.png"
    file.write_bytes(to_png(a_film(1)))
    page.set_input_files("input[type=file]", file)
    wait_for_size(page, 240, 300)
    with page.expect_request(lambda request: "/component_server" in request.url) as asked:
        ask(page, "pneumothorax")
    token = asked.value.post_data_json["data"]["image"]
    file.write_bytes(to_png(a_film(2, 310, 240)))
    page.evaluate("token => fetch('/afloc/images/' + token, { method: 'DELETE' })", token)
    page.fill("textarea", "cardiomegaly")
    expect(page.locator(".verdict .words")).to_have_text(
        "The file was moved or changed: please open it again."
    )


def test_phone_stacks_without_sideways_scrolling(open_page):
    page = open_page(390, 844)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    tops = [
        page.locator(box).bounding_box()["y"] for box in (".stage", ".ask", ".try", ".verdict", ".scan-all")
    ]
    assert tops == sorted(tops)
    small = page.eval_on_selector_all(
        "#bar button, [role=tab], .viewer button, .panel button, .panel select",
        "all => all.filter(e => e.offsetParent && e.getBoundingClientRect().height < 34)"
        ".map(e => e.outerHTML)",
    )
    assert small == []


def test_theme_is_dark_and_a_choice_is_remembered(page):
    assert page.get_attribute("html", "data-theme") == "dark"
    page.click(".theme")
    assert page.get_attribute("html", "data-theme") == "light"
    page.reload()
    page.wait_for_selector(".viewer[data-answer='1']")
    assert page.get_attribute("html", "data-theme") == "light"
