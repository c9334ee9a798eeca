"""A drawn phantom of known lengths is measured on the stage, by mouse and keyboard; a film beside it."""

import io
import json
import re

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import expect

from tests.imaging.dicoms import dicom
from tests.web.axe import assert_accessible
from tests.web.conftest import serve
from tests.web.tabs.test_probe import ask, insist
from tests.web.tabs.test_viewer import VIEWER, settled
from tests.web.tabs.test_what_a_file_says import letters

HEIGHT, WIDTH = 300, 240
LEFT, TOP, RIGHT, BOTTOM = 60, 90, 180, 210  # of a bright block, in pixels
BLOCK = np.full((HEIGHT, WIDTH), 20, np.uint8)
BLOCK[TOP:BOTTOM, LEFT:RIGHT] = 220
TURN = {274: 6}  # EXIF: the file holds it lying on its side


@pytest.fixture(scope="module")
def url(tiny_folder, tmp_path_factory):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path_factory.mktemp("data"))) as url:
        yield url


def turned():
    """A microscope's TIFF of 0.5 µm rows and 0.25 µm columns once it is upright, stored lying."""
    file = io.BytesIO()
    PIL.Image.fromarray(np.rot90(BLOCK).copy()).save(
        file, "TIFF", tiffinfo=TURN, resolution_unit="cm", x_resolution=20000, y_resolution=40000
    )
    return file.getvalue()


def film(**elements):
    return dicom(BLOCK, Modality="DX", **elements)


PHANTOMS = {  # the file; mm or µm of the block across and down, the unit; mm or µm of a pixel
    "square": (film(PixelSpacing=[0.5, 0.5]), 60, 60, "mm", 0.5),
    "wide": (film(ImagerPixelSpacing=[0.2, 0.4]), 48, 24, "mm", 0.4),
    "mirrored": (film(PixelSpacing=[0.25, 0.5], PatientOrientation=["R", "F"]), 60, 30, "mm", 0.5),
    "turned": (turned(), 30, 60, "µm", 0.5),
    "silent": (film(), 120, 120, "px", 1),
    "silent, high pixels": (film(PixelAspectRatio=["2", "1"]), 120, 240, "px", 2),
}


def show(page, content):
    """Open a file; returns when it is on the stage and the server answered."""
    page.evaluate(f"window.before = {VIEWER}.film")
    file = {"name": "Doe_Jane.dcm", "mimeType": "application/dicom", "buffer": content}
    page.set_input_files("#probe input[type=file]", file)
    ready = "document.querySelector('#probe .viewer').dataset.state === 'ready'"
    page.wait_for_function(f"{VIEWER}.film !== window.before && {ready}")
    settled(page)


def open_phantom(page, name):
    show(page, PHANTOMS[name][0])


def at(page, x, y):
    """Where a point of the image lies on the screen."""
    box, view = page.locator("#probe .pane").first.bounding_box(), page.evaluate(f"{VIEWER}.transform")
    aspect = page.evaluate(f"{VIEWER}.film.aspect")
    across, down = view["zoom"], view["zoom"] * aspect
    return box["x"] + view["left"] + x * across, box["y"] + view["top"] + y * down


def drag(page, start, end):
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=3)
    page.mouse.up()


def drag_in(page, pane, start, end):
    """From one place of a pane to another, in pixels of the screen."""
    box = page.locator("#probe .pane").nth(pane).bounding_box()
    page.mouse.move(box["x"] + start[0], box["y"] + start[1])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0], box["y"] + end[1], steps=3)
    page.mouse.up()


def choose(page, mode):
    page.click(f"#probe [data-mode={mode}]")
    page.wait_for_selector(f"#probe [data-mode={mode}][aria-pressed=true]")


def measured(page):
    return page.evaluate(f"{VIEWER}.measured")


def test_a_phantom_is_measured_within_half_a_pixel(page):
    for name, (_, across, down, unit, pixel) in PHANTOMS.items():
        open_phantom(page, name)
        choose(page, "ruler")
        drag(page, (LEFT, 150), (RIGHT, 150))
        drag(page, (120, TOP), (120, BOTTOM))
        choose(page, "ratio")
        drag(page, (LEFT, 230), (RIGHT, 230))
        drag(page, (LEFT, 250), (LEFT + 60, 250))
        width, height, ratio = measured(page)
        assert (width["unit"], height["unit"]) == (unit, unit), name
        assert width["length"] == pytest.approx(across, abs=pixel / 2), name
        assert height["length"] == pytest.approx(down, abs=pixel / 2), name
        assert ratio["ratio"] == pytest.approx(0.5, abs=0.01), name
    open_phantom(page, "wide")
    assert measured(page) == []  # they stay with their image
    expect(page.locator("#probe .corner .spacing")).to_have_text("0.4 × 0.2 mm a pixel at the detector")


def test_an_area_has_the_mean_of_what_lies_in_it_and_leaves_with_the_picture(page):
    open_phantom(page, "square")
    ask(page, "pleural effusion")
    insist(page)
    choose(page, "area")
    page.mouse.move(*at(page, LEFT + 10, TOP + 10))
    page.mouse.down()
    for corner in ((RIGHT - 10, TOP + 10), (RIGHT - 10, BOTTOM - 10), (LEFT + 10, BOTTOM - 10)):
        page.mouse.move(*at(page, *corner), steps=8)
    page.mouse.up()
    choose(page, "angle")
    drag(page, (LEFT, 40), (120, 40))
    drag(page, (120, 40), (120, 80))
    area, angle = measured(page)
    assert area["area"] == pytest.approx(50 * 50, rel=0.02) and area["mean"] == [220]
    assert angle["degrees"] == pytest.approx(90, abs=1)
    expect(page.locator("#probe .measured")).to_contain_text("Angle: 90")
    page.keyboard.press("Control+z")
    assert len(measured(page)) == 1
    assert page.evaluate(f"{VIEWER}.shapes") == []  # no region of the feedback
    with page.expect_download() as download:
        page.click("#probe .share")
        page.click("[data-share=finding]")
    assert json.loads(download.value.path().read_text())["measurements"] == measured(page)[:1]
    sizes = "async (o) => (await document.querySelector('.viewer').viewer.render(o)).toDataURL()"
    with_it = page.evaluate(sizes, {"overlay": True})
    page.evaluate(f"{VIEWER}.measures = []")
    assert page.evaluate(sizes, {"overlay": True}) != with_it


def test_measuring_by_keyboard(page):
    open_phantom(page, "square")
    page.focus("#probe .stage")
    page.keyboard.press("l")
    page.wait_for_selector("#probe [data-mode=ruler][aria-pressed=true]")
    page.keyboard.press("Space")
    page.keyboard.press("v")
    settled(page)
    before = measured(page)[0]["length"]
    page.keyboard.press("Tab")
    line = page.locator("#probe path.own")
    expect(line).to_be_focused()
    assert f"Ruler: {before:.1f} mm" in line.get_attribute("aria-label")
    settled(page)
    page.keyboard.press("Tab")
    expect(page.locator("#probe .vertex").first).to_be_focused()
    page.keyboard.press("Shift+ArrowLeft")
    settled(page)
    assert measured(page)[0]["length"] == pytest.approx(before + 10 * 0.5)
    expect(page.locator("#probe .vertex").first).to_be_focused()
    page.keyboard.press("Delete")
    assert measured(page) == []


def choose_beside(page, content):
    with page.expect_file_chooser() as chooser:
        page.click("#probe [data-act=beside]")
    prior = {"name": "prior.dcm", "mimeType": "application/dicom", "buffer": content}
    chooser.value.set_files(prior)


def beside(page, content):
    choose_beside(page, content)
    expect(page.locator("#probe .pane")).to_have_count(2)
    settled(page)


def test_a_prior_beside_goes_along_until_it_is_parted(page):
    show(page, film(PixelSpacing=[0.5, 0.5], StudyDate="20240102"))
    small = np.ascontiguousarray(np.kron(BLOCK, np.ones((2, 2), np.uint8)).astype(np.uint16) * 16)
    beside(page, dicom(small, Modality="DX", StudyDate="20200102", PatientOrientation=["R", "F"]))
    dates = page.locator("#probe .corner .taken").all_inner_texts()
    assert dates == ["2024-01-02", "2020-01-02"]
    assert letters(page)[:2] == ["R assumed L", "L assumed R"]
    assert_accessible(page, "a film beside")
    requests = []
    page.on("request", lambda request: requests.append(request.url))

    def zooms():
        settled(page)
        return page.locator("#probe .corner .zoom").all_inner_texts()

    def windows():
        settled(page)
        return page.locator("#probe .corner .window").all_inner_texts()

    before, opened = zooms(), windows()
    page.locator("#probe .pane").first.hover()
    page.mouse.wheel(0, -300)
    after = zooms()
    assert after[0] != before[0] and after[1] != before[1]
    page.keyboard.press("w")
    drag_in(page, 1, (200, 300), (260, 340))
    assert all(now != then for now, then in zip(windows(), opened, strict=True))
    page.keyboard.press("y")
    linked = windows()
    drag_in(page, 1, (200, 300), (260, 340))
    now = windows()
    assert now[0] == linked[0] and now[1] != linked[1]
    choose(page, "ruler")
    drag_in(page, 1, (200, 300), (260, 300))
    expect(page.locator("#probe .pane").nth(1).locator(".value")).to_have_count(1)
    expect(page.locator("#probe .pane").first.locator(".value")).to_have_count(0)
    assert not [url for url in requests if "/measuring/" not in url]
    page.locator("#probe .caption .close").last.click()
    expect(page.locator("#probe .pane")).to_have_count(1)
    assert page.evaluate(f"{VIEWER}.beside") is False


def test_a_prior_that_names_its_view_alone_has_assumed_sides_and_its_own_window(page):
    show(page, film())
    beside(page, film(ViewPosition="AP"))
    assert letters(page)[:2] == ["R assumed R assumed", "L assumed L assumed"]
    page.locator("#probe .pane").nth(1).click()
    expect(page.locator("#probe [data-choose=preset]")).to_have_value("default")


def test_the_frames_of_a_prior_after_another_file_was_refused_and_a_frame_was_not_there(page):
    show(page, film())
    beside(page, dicom(np.stack([BLOCK] * 3)))
    name, said = page.locator("#probe .corner .name").last, page.locator("#probe .verdict .words")
    choose_beside(page, b"no image")
    expect(said).to_contain_text("not an image")
    page.locator("#probe .pane").last.click()
    page.keyboard.press("PageDown")
    expect(name).to_have_text("prior.dcm  2 of 3")
    page.route("**/afloc/images?frame=2", lambda route: route.abort())
    page.keyboard.press("PageDown")
    expect(said).to_contain_text("choose the frame again")
    page.unroute("**/afloc/images?frame=2")
    page.keyboard.press("PageUp")
    expect(name).to_have_text("prior.dcm  1 of 3")


def test_a_prior_that_opens_while_another_frame_is_chosen_is_shown(page):
    show(page, dicom(np.stack([BLOCK] * 3)))
    held = []
    sent = re.compile(r"/afloc/images\?$")
    page.route(sent, lambda route: held.append(route))
    with page.expect_request(sent):
        choose_beside(page, film())
    page.locator("#probe .stage").focus()
    page.keyboard.press("PageDown")
    expect(page.locator("#probe .corner .name")).to_have_text("Doe_Jane.dcm  2 of 3")
    held[0].continue_()
    expect(page.locator("#probe .pane")).to_have_count(2)


def test_the_wheel_goes_through_frames_and_zooms_with_control(page):
    show(page, dicom(np.stack([BLOCK] * 3)))
    name, zoom = page.locator("#probe .corner .name"), page.locator("#probe .corner .zoom")
    page.locator("#probe .stage").hover()
    before = zoom.inner_text()
    page.mouse.wheel(0, 120)
    expect(name).to_have_text("Doe_Jane.dcm  2 of 3")
    for _ in range(6):
        page.mouse.wheel(0, 10)  # as a touchpad does
    expect(name).to_have_text("Doe_Jane.dcm  3 of 3")
    assert zoom.inner_text() == before
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    settled(page)
    assert zoom.inner_text() != before
    expect(name).to_have_text("Doe_Jane.dcm  3 of 3")


def test_colours_of_the_film_change_the_display_alone(page):
    show(page, film())
    settled(page)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.select_option("#probe [data-choose=film]", "hot iron")
    settled(page)
    expect(page.locator("#probe .corner .colors")).to_have_text("Hot iron colours")
    page.focus("#probe .stage")
    page.keyboard.press("t")
    expect(page.locator("#probe .corner .colors")).to_be_hidden()
    expect(page.locator("#probe .side").first).to_be_hidden()
    page.keyboard.press("t")
    middle = "c => [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data]"
    assert page.eval_on_selector("#probe canvas.film", middle) == [255, 184, 112, 255]  # 220 in hot iron
    photograph = io.BytesIO()
    PIL.Image.fromarray(np.stack([BLOCK // 2, BLOCK, BLOCK // 4], 2)).save(photograph, "PNG")
    assert requests == []
    show(page, photograph.getvalue())
    page.select_option("#probe [data-choose=film]", "green")
    settled(page)
    assert page.eval_on_selector("#probe canvas.film", middle) == [220, 220, 220, 255]
