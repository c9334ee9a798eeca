"""The viewer: exact pixels, things lying where they belong, every control by mouse and by key."""

import io
import json

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import expect
from skimage import data

from afloc.imaging.examples import EXAMPLES
from tests.web.axe import assert_accessible
from tests.web.tabs.test_probe import ask, canvas, insist, to_png, upload, wait_for_size

VIEWER = "document.querySelector('.viewer').viewer"


def settled(page):
    page.wait_for_function(f"{VIEWER}.painted")


def shades(values, low, high):
    """What a window makes of stored values."""
    return np.floor(255 * np.clip((values.astype(float) - low) / (high - low), 0, 1) + 0.5).astype(np.uint8)


def read_cells(page, height, width):
    """The shade painted at the centre of each image pixel, with the whole image in view."""
    settled(page)
    shown, at = canvas(page, "film"), page.evaluate(f"{VIEWER}.transform")
    rows = (at["top"] + (np.arange(height) + 0.5) * at["zoom"]).astype(int)
    columns = (at["left"] + (np.arange(width) + 0.5) * at["zoom"]).astype(int)
    return shown[np.ix_(rows, columns)][..., 0]


def test_a_16_bit_ramp_reads_back_exactly(page):
    ramp = np.arange(0, 65536, 20, dtype=np.uint16)[: 64 * 51].reshape(64, 51)
    upload(page, to_png(ramp))
    wait_for_size(page, 51, 64)
    low, high = page.evaluate(f"{VIEWER}.display.window")
    np.testing.assert_array_equal(read_cells(page, 64, 51), shades(ramp, low, high))
    for low, high in ((0, 65535), (12000, 12255), (30000, 41234.5)):
        page.evaluate(f"{VIEWER}.setDisplay({{ window: [{low}, {high}] }})")
        np.testing.assert_array_equal(read_cells(page, 64, 51), shades(ramp, low, high))
    page.keyboard.press("i")
    np.testing.assert_array_equal(read_cells(page, 64, 51), 255 - shades(ramp, low, high))
    page.keyboard.press("r")
    box, at = page.locator(".stage").bounding_box(), page.evaluate(f"{VIEWER}.transform")
    page.mouse.move(box["x"] + at["left"] + 7.5 * at["zoom"], box["y"] + at["top"] + 50.5 * at["zoom"])
    expect(page.locator(".readout")).to_contain_text(f"x 7  y 50  px {ramp[50, 7]}")


def test_film_map_and_boxes_stay_aligned(page):
    for height, width in (300, 420), (400, 220), (260, 260), (700, 40):
        check_alignment(page, height, width)


def check_alignment(page, height, width):
    """One bright patch, one hot cell and one box on the same place, at random zooms."""
    random = np.random.default_rng(height)
    rows, columns = 10, 4
    row, column = 6, 2
    top, bottom = height * row // rows, height * (row + 1) // rows
    left, right = width * column // columns, width * (column + 1) // columns
    pixels = np.zeros((height, width), np.uint8)
    pixels[top:bottom, left:right] = 255
    upload(page, to_png(pixels))
    wait_for_size(page, width, height)
    grid = np.zeros((rows, columns))
    grid[row, column] = 1
    page.evaluate(
        f"([rows, box]) => {{ const v = {VIEWER}; v.shapes = [box]; v.showMap(rows);"
        " v.setDisplay({ threshold: 0.5, opacity: 1, outline: false }); }",
        [grid.tolist(), {"kind": "box", "x": left, "y": top, "width": right - left, "height": bottom - top}],
    )
    middle = (left + right) / 2, (top + bottom) / 2
    for zoom in (1, 0.7, *random.uniform(1, 2.5, 3)):
        place = [middle[0] + random.uniform(-3, 3), middle[1] + random.uniform(-3, 3), zoom]
        page.evaluate(f"([x, y, zoom]) => {VIEWER}.setPlace({{ x, y, zoom }})", place)
        settled(page)
        at = page.evaluate(f"{VIEWER}.transform")
        expected = np.array(
            [
                at[edge] + at["zoom"] * value
                for edge, value in zip(("left", "top") * 2, (left, top, right, bottom), strict=True)
            ]
        )
        size = page.evaluate(f"{VIEWER}.size")
        assert (expected[:2] >= 0).all() and (expected[2:] <= size).all(), "the patch is in view"
        film = edges(canvas(page, "film")[..., 0] > 127)
        np.testing.assert_allclose(film, expected, atol=1.01)
        hot = edges(canvas(page, "map")[..., 3] > 0)
        np.testing.assert_allclose((hot[:2] + hot[2:]) / 2, (expected[:2] + expected[2:]) / 2, atol=1.01)
        box = page.evaluate(
            "() => { const s = document.querySelector('.pane').getBoundingClientRect(),"
            " b = document.querySelector('path.own').getBoundingClientRect();"
            " return [b.left - s.left, b.top - s.top, b.right - s.left, b.bottom - s.top]; }"
        )
        np.testing.assert_allclose(box, expected, atol=1.6)  # and half the width of the line


def edges(mask):
    """left, top, right, bottom of what is set, in pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


CONTROLS = {  # key, what to press with the mouse, the part of the display that changes
    "invert": ("i", "[data-act=invert]", "invert"),
    "map": ("m", "[data-act=map]", "map"),
    "contour": ("o", "[data-act=outline]", "outline"),
    "colours": ("c", ("[data-choose=colors]", "Viridis"), "colors"),
    "preset": ("p", ("[data-choose=preset]", "full"), "window"),
    "threshold up": ("]", None, "threshold"),
    "threshold down": ("[", None, "threshold"),
    "fainter": (",", None, "opacity"),
}


def test_each_control_works_by_mouse_and_by_key_and_asks_nothing_of_the_server(page):
    upload(page, to_png(np.random.default_rng(0).integers(100, 4000, (300, 300), np.uint16)))
    wait_for_size(page, 300, 300)
    ask(page, "opacity")
    insist(page)
    requests = []
    page.on("request", lambda request: requests.append(request.url))

    def changed(name, act):
        before = page.evaluate(f"{VIEWER}.display.{name}")
        act()
        assert page.evaluate(f"{VIEWER}.display.{name}") != before, name
        settled(page)

    for key, press, name in CONTROLS.values():
        page.focus(".stage")
        changed(name, lambda key=key: page.keyboard.press(key))
        page.evaluate(f"{VIEWER}.actions.reset()")
        page.evaluate(f"{VIEWER}.setDisplay({{ colors: 'Ember' }})")
        if isinstance(press, str):
            changed(name, lambda press=press: page.click(press))
        elif press:
            changed(name, lambda press=press: page.select_option(*press))
        page.evaluate(f"{VIEWER}.actions.reset()")
    for slider, key in (("opacity", "ArrowLeft"), ("threshold", "ArrowRight")):
        page.focus(f"[data-set={slider}]")
        changed(slider, lambda key=key: page.keyboard.press(key))
        box = page.locator(f"[data-set={slider}]").bounding_box()
        changed(
            slider,
            lambda box=box: page.mouse.click(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2),
        )

    at = f"JSON.stringify({VIEWER}.transform)"
    for act in (
        lambda: page.keyboard.press("+"),
        lambda: page.keyboard.press("ArrowLeft"),
        lambda: drag(page, (300, 300), (340, 380)),
        lambda: page.keyboard.press("0"),
        lambda: page.mouse.wheel(0, -120),
        lambda: page.click("[data-act=fit]"),
    ):
        page.focus(".stage")
        before = page.evaluate(at)
        act()
        page.wait_for_function(f"before => {at} !== before", arg=before)
    page.focus(".stage")
    page.keyboard.press("w")
    changed("window", lambda: page.keyboard.press("ArrowUp"))
    changed("window", lambda: drag(page, (300, 300), (380, 330)))
    page.click("[data-act=reset]")
    assert page.evaluate(f"{VIEWER}.display.window") == page.evaluate(f"{VIEWER}.film.window")
    page.click("[data-mode=window]")
    changed("window", lambda: drag(page, (300, 300), (260, 330)))
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement")
    page.click("[data-act=full]")
    page.wait_for_function("!document.fullscreenElement")
    assert requests == []


def drag(page, start, end):
    box = page.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + start[0], box["y"] + start[1])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0], box["y"] + end[1], steps=4)
    page.mouse.up()


def test_boxes_and_outlines_by_mouse(page):
    def shapes():
        return page.evaluate(f"{VIEWER}.shapes")

    page.click("[data-mode=box]")
    drag(page, (400, 300), (500, 360))
    (box,), zoom = shapes(), page.evaluate(f"{VIEWER}.transform.zoom")
    assert (box["kind"], box["width"] * zoom, box["height"] * zoom) == (
        "box",
        pytest.approx(100),
        pytest.approx(60),
    )
    page.click("[data-mode=outline]")
    drag(page, (300, 500), (360, 560))
    assert shapes()[1]["kind"] == "outline"
    page.click("[data-mode=pan]")
    drag(page, (440, 300), (470, 320))  # by its edge
    moved = shapes()[0]
    assert moved["x"] - box["x"] == pytest.approx(30 / zoom) and moved["width"] == pytest.approx(box["width"])
    drag(page, (530, 380), (560, 400))  # by its lower right corner
    assert shapes()[0]["width"] * zoom == pytest.approx(130)
    page.click("[data-act=undo]")
    assert shapes()[0]["width"] == pytest.approx(box["width"])
    page.keyboard.press("Control+Shift+Z")
    assert shapes()[0]["width"] * zoom == pytest.approx(130)
    page.click("[data-act=remove]")
    assert [shape["kind"] for shape in shapes()] == ["outline"]


def test_a_second_finger_ends_a_drawing(page):
    touch = page.context.new_cdp_session(page)
    box = page.locator(".stage").bounding_box()

    def put(kind, *points):
        fingers = [{"x": box["x"] + x, "y": box["y"] + y, "id": i} for i, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})
    page.click("[data-mode=box]")
    put("touchStart", (400, 300))
    put("touchMove", (480, 360))
    expect(page.locator(".viewer .drawing")).to_have_count(1)
    put("touchStart", (480, 360), (300, 300))
    put("touchEnd")
    expect(page.locator(".viewer .drawing")).to_have_count(0)
    assert page.evaluate(f"{VIEWER}.shapes") == []


def test_boxes_by_keyboard(page):
    page.focus(".stage")
    page.keyboard.press("b")
    page.keyboard.press("Enter")  # saves in a study, and so draws nothing anywhere
    assert page.evaluate(f"{VIEWER}.shapes") == []
    page.keyboard.down("Space")
    page.keyboard.down("Space")  # held
    page.keyboard.up("Space")
    (box,) = page.evaluate(f"{VIEWER}.shapes")
    page.keyboard.press("v")
    settled(page)  # Tab goes to what is on the screen
    page.keyboard.press("Tab")
    expect(page.locator("path.own")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    (moved,) = page.evaluate(f"{VIEWER}.shapes")
    assert moved["x"] > box["x"] and moved["height"] > box["height"]
    settled(page)
    expect(page.locator("path.own")).to_be_focused()
    page.keyboard.press("Delete")
    assert page.evaluate(f"{VIEWER}.shapes") == []
    page.keyboard.press("Control+z")
    assert page.evaluate(f"{VIEWER}.shapes") == [moved]


def test_compare_shows_up_to_four_with_one_place_and_one_scale(page):
    long = "opacities in both lower zones, more on the left than on the right, with air bronchograms"
    for number, description in enumerate(("pneumonia", long, "lung opacity"), 2):
        page.keyboard.press("Escape")
        page.keyboard.press("k")
        ask(page, description)
        expect(page.locator(".viewer")).to_have_attribute("data-panes", str(number))
    expect(page.locator(".keep")).to_be_disabled()
    titles = page.locator(".caption b").all_inner_texts()
    assert titles[1:] == ["pneumonia", long, "lung opacity"]
    sizes = page.eval_on_selector_all(".pane", "all => all.map(p => `${p.clientWidth} ${p.clientHeight}`)")
    assert len(sizes) == 4 and len(set(sizes)) == 1
    page.mouse.move(800, 700)  # over the last pane
    page.mouse.wheel(0, -300)
    settled(page)
    films = page.eval_on_selector_all("canvas.film", "all => all.map(c => c.toDataURL())")
    assert len(set(films)) == 1
    page.locator(".caption .close").nth(1).click()
    expect(page.locator(".caption b")).to_have_text([titles[0], *titles[2:]])
    expect(page.locator(".keep")).to_be_enabled()


def test_what_is_compared_is_one_picture_and_a_word_shows_in_its_own_pane(page):
    ask(page, "pneumonia")
    insist(page)
    page.click(".keep")
    ask(page, "lung opacity")
    insist(page)
    page.evaluate(f"{VIEWER}.setDisplay({{ threshold: 0 }})")
    settled(page)
    maps = "all => all.map(c => c.toDataURL())"
    first, last = page.eval_on_selector_all("canvas.map", maps)
    page.hover(".word")
    settled(page)
    kept, peeked = page.eval_on_selector_all("canvas.map", maps)
    assert (kept == first, peeked == last) == (True, False)
    page.click(".share")
    picture = PIL.Image.open(io.BytesIO(download(page, "picture")))
    plain = PIL.Image.open(io.BytesIO(download(page, "plain")))
    assert picture.width == 2 * plain.width == 2 * 1024


def test_ground_truth_lies_over_and_beside(page):
    truth = [
        {"kind": "box", "x": 700, "y": 500, "width": 200, "height": 300, "label": "<b>Effusion</b>"},
        {"kind": "outline", "rings": [[[100, 100], [300, 100], [200, 300]]]},
    ]
    page.evaluate(f"truth => {VIEWER}.showTruth(truth, {{ over: true, beside: true }})", truth)
    settled(page)
    expect(page.locator(".viewer")).to_have_attribute("data-panes", "2")
    assert page.locator("path.truth").count() == 4
    assert page.locator(".shapes text").first.text_content() == "<b>Effusion</b>"
    page.evaluate(f"truth => {VIEWER}.showTruth(truth, {{ over: false, beside: true }})", truth)
    settled(page)
    assert page.locator("path.truth").count() == 2
    assert page.evaluate(f"{VIEWER}.shapes") == []  # it is not the reader's


def test_scan_shows_bars_by_family_and_maps_of_what_is_flagged(page, model):
    findings = {each.asked.name: each for each in model.encode(EXAMPLES[0].load()).classify()}
    page.click(".scan-all")
    page.wait_for_selector(".scan .bar")
    names = page.locator(".scan .bar .name").all_text_contents()
    assert sorted(names) == sorted(findings)
    values = [float(text) for text in page.locator(".scan .bar .value").all_text_contents()]
    expected = [findings[name].probability or findings[name].score for name in names]
    assert values == pytest.approx(expected, abs=0.0051)
    flagged = {name for name, each in findings.items() if each.present}
    cards = page.locator(".scan .card .name").all_text_contents()
    assert set(cards) <= flagged and bool(cards) == bool(flagged)
    families = page.eval_on_selector_all(
        ".scan .family",
        "all => all.map(f => [...f.querySelectorAll('.bars > .row .name')].map(n => n.textContent))",
    )
    for family in families:  # flagged first, and in each half the most probable first
        order = [(name in flagged, findings[name].probability or findings[name].score) for name in family]
        assert order == sorted(order, reverse=True)
    cut = (
        "all => all.filter(e => e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight + 1).length"
    )
    assert page.eval_on_selector_all(".scan .name", cut) == 0
    before = int(page.get_attribute(".viewer", "data-answer"))
    page.locator(".scan .bar").first.click()
    page.wait_for_function("n => Number(document.querySelector('.viewer').dataset.answer) > n", arg=before)
    assert page.input_value("textarea") == names[0]
    assert float(page.inner_text(".verdict .number")) == pytest.approx(values[0], abs=0.0051)


def test_words_have_maps_and_remarks(page, model):
    text = "no left pneumothorax"
    ask(page, text)
    insist(page)
    assert page.locator(".word").all_inner_texts() == text.split()
    cautions = page.locator(".verdict .warning p").all_text_contents()
    assert cautions == list(model.encode(EXAMPLES[0].load()).locate(text).cautions)
    whole = canvas(page, "map")
    page.evaluate(f"{VIEWER}.setDisplay({{ threshold: 0 }})")
    settled(page)
    before = canvas(page, "map")
    page.hover(".word >> nth=2")
    settled(page)
    assert not np.array_equal(before, canvas(page, "map"))
    view = model.encode(EXAMPLES[0].load())
    word = view.words(view.locate(text))[2]
    assert page.evaluate(f"{VIEWER}.valueAt(500.5, 300.5)") == pytest.approx(
        float(
            np.asarray(PIL.Image.fromarray(word.grid).resize((1024, 1024), PIL.Image.Resampling.BILINEAR))[
                300, 500
            ]
        ),
        abs=0.01,
    )
    page.hover(".verdict")
    page.evaluate(f"{VIEWER}.setDisplay({{ threshold: 0.5 }})")
    settled(page)
    np.testing.assert_array_equal(canvas(page, "map"), whole)
    ask(page, "effuson xqzt")
    expect(page.locator(".word.unknown")).to_have_text(["effuson", "xqzt"])
    expect(page.locator(".verdict .words")).to_contain_text("Not known: “effuson”, “xqzt”.")


def test_the_words_of_a_long_description_unfold_over_what_is_below(page):
    ask(page, "patchy opacities in both lower zones and a small effusion on the left " * 2)
    place = "document.querySelector('.verdict').getBoundingClientRect().top"
    top = page.evaluate(place)
    page.hover(".word >> nth=0")
    page.hover(".word >> nth=20")
    expect(page.locator(".gate")).to_contain_text("alone")
    assert page.evaluate(place) == top and page.locator(".word").nth(20).bounding_box()["y"] > top
    page.hover(".stage")
    page.locator(".word").nth(25).focus()
    expect(page.locator(".word").nth(25)).to_be_in_viewport()
    expect(page.locator(".gate")).to_contain_text("alone")


def test_a_cat_is_doubted_and_the_user_may_go_on(page):
    upload(page, to_png(data.chelsea()))
    wait_for_size(page, 451, 300)
    assert ask(page, "drusen") == "doubt"
    assert page.get_attribute(".viewer", "data-map") == "none" and page.inner_text(".verdict .number") == ""
    page.click(".scan-all")
    expect(page.locator(".scan .state")).to_contain_text("“Go on anyway”, above, scans it")
    assert page.locator(".scan .bar").count() == 0
    insist(page)
    assert page.get_attribute(".viewer", "data-map") == "shown"
    expect(page.locator(".verdict .warning")).to_be_hidden()
    expect(page.locator(".verdict .banner")).to_contain_text("does not look like any eye fundus")
    expect(page.locator(".verdict h2")).to_have_text("Drusen: not judged")
    expect(page.locator(".scan .bar")).not_to_have_count(0)


def download(page, name):
    with page.expect_download() as saved:
        page.click(f"[data-share={name}]")
    return saved.value.path().read_bytes()


def test_pictures_findings_and_text_can_be_taken_along(page):
    ask(page, "effusion <b>")
    insist(page)
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    film = EXAMPLES[0].load().gray()
    plain = np.asarray(PIL.Image.open(io.BytesIO(download(page, "plain"))).convert("RGB"))
    np.testing.assert_array_equal(plain[:1024, :1024, 0], film)
    over = np.asarray(PIL.Image.open(io.BytesIO(download(page, "picture"))).convert("RGB"))
    assert over.shape[0] > plain.shape[0] > 1024 and over[1024:].any()
    record = json.loads(download(page, "finding"))
    assert record["finding"]["text"] == "effusion <b>" and record["note"].startswith("Research use only")
    page.click("[data-share=copyText]")
    expect(page.locator(".done")).to_have_text("Text copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("“effusion <b>”") and "Research use only" in copied


def test_a_link_brings_the_view_back(page, open_page):
    ask(page, "cardiomegaly")
    page.evaluate(
        f"const v = {VIEWER}; v.setDisplay({{ window: [40, 180], colors: 'Viridis', threshold: 0.3 }});"
        " v.setPlace({ x: 300, y: 600, zoom: 2.5 });"
        " v.shapes = [{ kind: 'box', x: 10, y: 20, width: 30, height: 40 }]"
    )
    page.click(".share")
    page.click("[data-share=link]")
    expect(page.locator(".done")).to_contain_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    other = open_page(path=link[link.index("#") :])
    assert other.input_value("textarea") == "cardiomegaly"
    state = f"(({{ window, colors, threshold }}) => [window, colors, threshold])({VIEWER}.display)"
    assert other.evaluate(state) == [[40, 180], "Viridis", 0.3]
    assert other.evaluate(f"{VIEWER}.place") == pytest.approx({"x": 300, "y": 600, "zoom": 2.5})
    assert other.evaluate(f"{VIEWER}.shapes.map(({{ x, width }}) => [x, width])") == [[10, 30]]


def test_a_broken_link_opens_the_page(open_page):
    page = open_page(path="#view=%00")
    for mark in ("#view=", "#view=bnVsbA", "#view=eyJhZmxvYyI6InZpZXcifQ"):
        page.evaluate("mark => { location.hash = mark; }", mark)
    assert ask(page, "effusion") != "problem"


def test_recent_descriptions_come_back_and_the_hint_goes(page):
    expect(page.locator(".hint")).to_be_visible()
    ask(page, "cardiomegaly")
    expect(page.locator(".hint")).to_have_count(0)
    page.click(".try .more")
    page.click("[data-offer=recent]")
    page.click(".recent .chip:text-is('cardiomegaly')")
    page.reload()
    page.wait_for_selector(".viewer[data-answer='1']")
    expect(page.locator(".hint")).to_have_count(0)
    page.click(".try .more")
    page.click("[data-offer=recent]")
    assert page.locator(".recent .chip").count() <= 1  # the page forgets


def test_help_tells_of_the_model(page, model):
    page.click(".help")
    expect(page.locator(".about .text")).to_contain_text(model.fingerprint)  # it is fetched
    text = page.inner_text(".about .text")
    rows, columns = model.encode(EXAMPLES[0].load()).locate("effusion").grid.shape
    assert f"{columns} by {rows} cells" in text
    assert "cannot do" in text and len(text.split()) < 330
    with page.expect_popup() as card:
        page.click(".about a")
    heading = next(line for line in model.card.splitlines() if line.startswith("#")).lstrip("# ")
    expect(card.value.locator("h1")).to_have_text(heading)


def test_axe_finds_no_fault(page):
    assert_accessible(page, "first screen")
    page.click("[data-mode=box]")
    drag(page, (300, 300), (400, 400))
    for mode in ("ruler", "area"):
        page.click(f"[data-mode={mode}]")
        page.wait_for_selector(f"[data-mode={mode}][aria-pressed=true]")
        drag(page, (300, 500), (400, 560))
    page.fill("textarea", "")
    page.locator("textarea").press_sequentially("pleu")
    page.keyboard.press("ArrowDown")
    assert_accessible(page, "what is drawn and measured, and known findings while one types")
    ask(page, "no left effuson, xqzt nor any opacity in either of the two lungs or elsewhere")
    insist(page)
    page.click(".keep")
    ask(page, "cardiomegaly")
    page.click(".scan-all")
    page.wait_for_selector(".scan .bar")
    assert_accessible(page, "compare and scan")
    for opener, sheet in ((".share", ".sharing"), (".keysheet", ".keys"), (".help", ".about")):
        page.click(opener)
        page.wait_for_selector(f"{sheet}[open]")
        assert_accessible(page, sheet, sheet)
        page.keyboard.press("Escape")
    page.get_by_role("tab", name="Ground truth").click()
    page.wait_for_selector("#ground_truth .viewer[data-answer='1'][data-state='ready']")
    page.click("[data-compare=both]")
    page.wait_for_selector("#ground_truth .viewer[data-answer='2']")
    assert_accessible(page, "ground truth")
    page.click("[data-view=set]")
    assert_accessible(page, "a set")
    page.get_by_role("tab", name="Reader study").click()
    page.fill("#study [name=code]", "demo-1")
    assert_accessible(page, "sign in")
    page.keyboard.press("Enter")
    page.click("#study .card .go")
    page.wait_for_selector("#study .viewer[data-case='0'][data-state='ready']")
    page.click("#study .option >> nth=1")
    assert_accessible(page, "a case")
    page.get_by_role("tab", name="Results").click()
    page.fill("#results [name=code]", "demo-coordinator")
    page.keyboard.press("Enter")
    page.wait_for_selector("#results .part")
    assert_accessible(page, "results")


def test_each_tab_has_a_sheet_of_its_own_keys(open_page):
    page = open_page()

    def keys(tab):
        page.locator(f"#{tab} .keys[open]").wait_for()
        said = page.locator(f"#{tab} .keys dt").all_text_contents()
        page.keyboard.press("Escape")
        return {key for text in said for key in text.split()}

    page.focus(".stage")
    page.keyboard.press("?")
    assert {"/", "x", "n", "k", "h", "b", "?"} < keys("probe")
    page.get_by_role("tab", name="Ground truth").click()
    page.wait_for_selector("#ground_truth .viewer[data-answer='1'][data-state='ready']")
    page.click("#bar .keysheet")
    shown = keys("ground_truth")
    assert {"/", "h", "b"} < shown and not {"n", "k", "s"} & shown
    for tab, name in (("study", "Reader study"), ("results", "Results")):
        page.get_by_role("tab", name=name).click()
        page.wait_for_selector(f"#{tab} .card")
        page.click("#bar .help")
        page.locator(f"#{tab} .about[open]").wait_for()
        page.keyboard.press("Escape")


def test_a_large_screen_has_large_controls(open_page):
    heights = {}
    for width in (1440, 2560, 3840):
        page = open_page(width, width * 9 // 16)
        boxes = [
            page.locator(part).first.bounding_box()
            for part in ("#bar .bar", ".tools", ".modes button", ".word")
        ]
        heights[width] = [box["height"] for box in boxes]
        assert page.evaluate("document.documentElement.scrollHeight") == width * 9 // 16
    for width, scale in ((2560, 1.25), (3840, 1.6)):
        assert heights[width] == pytest.approx([scale * height for height in heights[1440]], rel=0.05)
