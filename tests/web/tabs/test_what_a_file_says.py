"""What a DICOM file says of its picture, as the page shows it: sides, frames, shape of the pixels."""

import base64
import io
import json

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import expect

from afloc.imaging.examples import load_example
from afloc.imaging.image import read_image
from tests.imaging.dicoms import dicom
from tests.web.tabs.test_probe import ask, insist
from tests.web.tabs.test_viewer import VIEWER, edges

FILM = load_example("chest_film").gray()
TEXT = "left pleural effusion"


def show(page, content, tab="probe", width=FILM.shape[1], height=FILM.shape[0]):
    """Open a file in a tab; returns when it is answered."""
    before = int(page.get_attribute(f"#{tab} .viewer", "data-answer"))
    file = {"name": "Doe_Jane.dcm", "mimeType": "application/dicom", "buffer": content}
    page.set_input_files(f"#{tab} input[type=file]:not(.of-set, .of-truth)", file)
    page.wait_for_function(
        "([tab, n, w, h]) => { const v = document.querySelector(`#${tab} .viewer`), i = v.viewer.image,"
        " at = v.dataset; return Number(at.answer) > n && i.width === w && i.height === h"
        " && at.state === 'ready'; }",
        arg=[tab, before, width, height],
    )


def letters(page, tab="probe"):
    """What stands at the left and the right of the image, and above."""
    found = []
    for part in (".side.left", ".side.right", ".tag"):
        found.append(" ".join(page.locator(f"#{tab} {part}").all_inner_texts()).replace("\n", " "))
    return found


SAID = {
    "silent": ({}, ["R assumed", "L assumed", ""]),
    "usual": ({"PatientOrientation": ["L", "F"]}, ["R", "L", ""]),
    "mirrored": ({"PatientOrientation": ["R", "F"]}, ["L", "R", "mirrored"]),
    "lateral": ({"ViewPosition": "LL", "PatientOrientation": ["P", "F"]}, ["A", "P", "lateral"]),
    "lateral alone": ({"ViewPosition": "LATERAL"}, ["", "", "lateral"]),
}


@pytest.mark.parametrize("tab", ["probe", "ground_truth"])
def test_the_letters_are_those_of_the_file(page, tab):
    if tab == "ground_truth":
        page.get_by_role("tab", name="Ground truth").click()
        page.wait_for_selector("#ground_truth .viewer[data-answer='1'][data-state='ready']")
    else:
        ask(page, TEXT)
    for name, (elements, wanted) in SAID.items():
        pixels = FILM[:, ::-1] if name == "mirrored" else FILM
        show(page, dicom(np.ascontiguousarray(pixels), **elements), tab)
        assert letters(page, tab) == wanted, name
        if "lateral" in name:
            place = ".verdict .words" if tab == "probe" else ".problem"
            expect(page.locator(f"#{tab} {place}")).to_contain_text("this is a lateral film")


def test_a_mirrored_film_has_the_map_of_the_usual_one_turned_over(page):
    found = {}
    ask(page, TEXT)
    for name in ("usual", "mirrored"):
        pixels = FILM[:, ::-1] if name == "mirrored" else FILM
        show(page, dicom(np.ascontiguousarray(pixels), **SAID[name][0]))
        insist(page)
        found[name] = np.array(page.evaluate(f"{VIEWER}.grid"))
    np.testing.assert_array_equal(found["mirrored"], found["usual"][:, ::-1])


FRAMES = np.stack([np.roll(FILM, 4 * number, axis=1)[::2, ::2] for number in range(60)])


def wait_for_frame(page, number, tab="probe"):
    expect(page.locator(f"#{tab} .frames output")).to_have_text(f"frame {number} of {len(FRAMES)}")


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "dropped by the server"])
def test_any_frame_can_be_looked_at_and_asked_about(page, model, kept):
    data, sent = dicom(FRAMES), []
    ask(page, TEXT)
    expect(page.locator("#probe .frames")).to_be_hidden()
    show(page, data, width=FRAMES.shape[2], height=FRAMES.shape[1])
    wait_for_frame(page, 1)
    expect(page.locator("#probe .notice")).not_to_contain_text("several frames")
    page.evaluate(f"{VIEWER}.setPlace({{ x: 100, y: 120, zoom: 2 }})")
    page.evaluate(f"{VIEWER}.setDisplay({{ window: [20, 200] }})")
    if not kept:
        page.route("**/afloc/images?of=*", lambda route: route.fulfill(status=410, json={"error": "Gone."}))
    page.on("request", lambda request: "/afloc/images?" in request.url and sent.append(request))
    page.locator("#probe .stage").focus()
    for key, number in (("PageDown", 2), ("}", 3), ("PageUp", 2), ("{", 1)):
        page.keyboard.press(key)
        wait_for_frame(page, number)
    before = int(page.get_attribute("#probe .viewer", "data-answer"))
    page.locator("#probe .frames input").fill("38")
    wait_for_frame(page, 38)
    assert page.evaluate(f"{VIEWER}.place.zoom") == pytest.approx(2)
    assert page.evaluate(f"{VIEWER}.display.window") == [20, 200]
    pixels = page.evaluate(f"[...{VIEWER}.film.levels[0].planes[0]]")
    np.testing.assert_array_equal(pixels, FRAMES[37].ravel())
    page.wait_for_function(
        "n => Number(document.querySelector('#probe .viewer').dataset.answer) > n", arg=before
    )
    insist(page)
    wanted = model.encode(read_image(data, frame=37)).locate(TEXT)
    np.testing.assert_allclose(page.evaluate(f"{VIEWER}.grid"), wanted.grid, atol=6e-5)
    again = [each for each in sent if "of=" not in each.url]
    assert len(again) == (0 if kept else 5) and len(sent) == (5 if kept else 10)
    page.click("#probe .share")
    with page.expect_download() as download:
        page.click("[data-share=finding]")
    shared = json.loads(download.value.path().read_text())
    assert shared["image"] == {"width": FRAMES.shape[2], "height": FRAMES.shape[1], "frame": 37}
    page.keyboard.press("Escape")
    page.locator("#probe .frames input").fill("60")
    wait_for_frame(page, 60)
    expect(page.locator("#probe .frames button >> nth=1")).to_be_disabled()


def test_marks_stay_where_ground_truth_is_held_against_frames(page):
    page.get_by_role("tab", name="Ground truth").click()
    page.wait_for_selector("#ground_truth .viewer[data-answer='1'][data-state='ready']")
    show(page, dicom(FRAMES), "ground_truth", FRAMES.shape[2], FRAMES.shape[1])
    page.evaluate("document.querySelector('#ground_truth .viewer').viewer.setMode('box')")
    page.locator("#ground_truth .stage").focus()
    page.keyboard.press("Space")
    expect(page.locator("#ground_truth path.own")).to_have_count(1)
    page.keyboard.press("PageDown")
    wait_for_frame(page, 2, "ground_truth")
    expect(page.locator("#ground_truth path.own")).to_have_count(1)


@pytest.mark.parametrize("tab, spacing", [("probe", [0.5, 1.0]), ("ground_truth", [1.0, 0.5])])
def test_pixels_are_shown_in_their_shape_and_everything_lies_on_its_place(page, tab, spacing):
    height, width, aspect = 200, 150, spacing[0] / spacing[1]
    left, top, right, bottom = 100, 40, 120, 80  # a bright patch, a hot cell and a box
    pixels = np.zeros((height, width), np.uint8)
    pixels[top:bottom, left:right] = 255
    grid = np.zeros((10, 15))
    grid[2:4, 10:12] = 1
    if tab == "ground_truth":
        page.get_by_role("tab", name="Ground truth").click()
        page.wait_for_selector("#ground_truth .viewer[data-answer='1'][data-state='ready']")
    else:
        ask(page, TEXT)
    show(page, dicom(pixels, PixelSpacing=spacing), tab, width, height)
    viewer = f"document.querySelector('#{tab} .viewer').viewer"
    box = {"kind": "box", "x": left, "y": top, "width": right - left, "height": bottom - top}
    page.evaluate(
        f"([rows, box]) => {{ const v = {viewer}; v.shapes = [box]; v.showMap(rows);"
        " v.setDisplay({ threshold: 0.6, opacity: 1, outline: false, window: [0, 255] }); }",
        [grid.tolist(), box],
    )
    for zoom in (1, 2.3):
        page.evaluate(f"zoom => {viewer}.setPlace({{ x: 108, y: 63, zoom }})", zoom)
        page.wait_for_function(f"{viewer}.painted")
        at, size = page.evaluate(f"{viewer}.transform"), page.evaluate(f"{viewer}.size")
        across, down = at["zoom"], at["zoom"] * aspect
        if zoom == 1:
            fills = min(size[0] / width, size[1] / (height * aspect))
            assert across == pytest.approx(fills)
        sides = np.array([left, top, right, bottom]) * ([across, down] * 2) + [at["left"], at["top"]] * 2
        assert (sides[:2] >= 0).all() and (sides[2:] <= size).all(), "the patch is in view"
        np.testing.assert_allclose(edges(canvas_of(page, tab, "film")[..., 0] > 127), sides, atol=1.01)
        hot = edges(canvas_of(page, tab, "map")[..., 3] > 0)
        np.testing.assert_allclose((hot[:2] + hot[2:]) / 2, (sides[:2] + sides[2:]) / 2, atol=1.01)
        drawn = page.evaluate(
            "tab => { const s = document.querySelector(`#${tab} .pane`).getBoundingClientRect(),"
            " b = document.querySelector(`#${tab} path.own`).getBoundingClientRect();"
            " return [b.left - s.left, b.top - s.top, b.right - s.left, b.bottom - s.top]; }",
            tab,
        )
        np.testing.assert_allclose(drawn, sides, atol=1.6)
        stage = page.locator(f"#{tab} .pane").first.bounding_box()
        page.mouse.move(stage["x"] + sides[2] - across / 2, stage["y"] + sides[3] - down / 2)
        expect(page.locator(f"#{tab} .readout")).to_contain_text(f"x {right - 1}  y {bottom - 1}  px 255")
    picture = page.evaluate(
        f"{viewer}.render({{ overlay: false }}).then(({{ width, height }}) => [width, height])"
    )
    assert picture[1] / picture[0] == pytest.approx(height * aspect / width, abs=0.01)
    assert picture[0] >= width and picture[1] >= height


def canvas_of(page, tab, name):
    data = page.eval_on_selector(f"#{tab} canvas.{name}", "c => c.toDataURL()").split(",")[1]
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


def test_text_that_is_burned_in_is_told_where_it_may_be_shared(page):
    ask(page, TEXT)
    caution = page.locator(".sharing .caution")
    for said in ("NO", "YES"):
        show(page, dicom(FILM, BurnedInAnnotation=said))
        notice = page.locator("#probe .notice")
        expect(notice).to_have_text(
            "Text may be burned into this picture: look before you share it." if said == "YES" else ""
        )
        page.click("#probe .share")
        page.wait_for_selector("#probe .sharing[open]")
        expect(caution).to_be_visible() if said == "YES" else expect(caution).to_be_hidden()
        page.keyboard.press("Escape")
