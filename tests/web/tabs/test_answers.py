"""Each kind of answer as a reader sees it, at every size, and wherever it is sent."""

import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect
from skimage import data

from afloc import load_model
from afloc.imaging.examples import EXAMPLES
from tests.web.calibrated import write_calibrated_model
from tests.web.conftest import EMBEDDED, serve
from tests.web.tabs.test_probe import ask, to_png, upload, wait_for_size
from tests.web.tabs.test_study import HEAD, write_study

UNSURE_PLACE = "This model's maps of pneumothorax do not find the place: read the verdict only."
SEVERAL = "No pneumothorax. Left pleural effusion and cardiomegaly."
RECTANGLES = """['.ask', '.verdict', '.feedback', '.try', '.scanning-all'].map(
    part => JSON.stringify(document.querySelector(`#probe ${part}`).getBoundingClientRect()))"""
SIZES = ((1280, 720), (1366, 768), (1440, 900))

pytestmark = pytest.mark.skipif(
    not (EMBEDDED / "model.safetensors").is_file(), reason="the embedded model is not built yet"
)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    return write_calibrated_model(EMBEDDED, tmp_path_factory.mktemp("calibrated") / "model")


@pytest.fixture(scope="module")
def url(calibrated, tmp_path_factory):
    """With a study whose one case is read without the model, then with it."""
    folder = tmp_path_factory.mktemp("studies") / "trial"
    write_study(folder, 1, 1, HEAD.replace("crossover", "unaided_then_aided"))
    (folder / "Doe_Jane_0.png").write_bytes(to_png(EXAMPLES[0].load().gray()))
    table = folder / "trial.toml"
    table.write_text(table.read_text().replace("finding number 0", "right pneumothorax"))
    own = {"AFLOC_DATA_DIR": str(tmp_path_factory.mktemp("data")), "AFLOC_STUDIES_DIR": str(folder)}
    with serve(calibrated, **own) as url:
        yield url


def test_a_word_s_map_is_shown_as_it_is_where_the_finding_s_is_finer(calibrated, open_page):
    page = open_page()
    ask(page, "effusion")
    model = load_model(calibrated, "cpu")
    view = model.encode(EXAMPLES[0].load())
    found = view.locate("effusion")
    (word,) = view.words(found)
    assert found.grid.shape == (2 * word.grid.shape[0], 2 * word.grid.shape[1])
    viewer = "document.querySelector('#probe .viewer').viewer"
    page.evaluate(f"{viewer}.peek = rows => {{ window.peeked = rows; }}")
    page.hover(".word")
    page.wait_for_function("window.peeked")
    np.testing.assert_allclose(page.evaluate("window.peeked"), word.grid, atol=0.003)
    page.click(".help")
    told = page.locator(".about .text")
    expect(told).to_contain_text("Where you name a listed finding, our sentence on it counts for half.")
    expect(told).to_contain_text(f"({word.grid.shape[1]} by {word.grid.shape[0]} cells)")


def text_of(page, part):
    return re.sub(r"\s+", " ", page.text_content(f"#probe .verdict {part}")).strip()


def ways_on(page):
    return page.locator("#probe .verdict .offer").all_text_contents()


KINDS = [
    (
        "pleural effusion",
        "flagged",
        "Pleural effusion: flagged",
        "^Strongest on the patient’s left",
        True,
    ),
    (
        "left pleural effusion",
        "flagged",
        "Pleural effusion: flagged",
        "^Seen on the left, as you named it.",
        True,
    ),
    ("cardiomegaly", "not-flagged", "Cardiomegaly: not flagged", "^So no map is shown.$", False),
    ("nodule", "unreliable", "Lung nodule: not judged reliably", "^So no map is shown.$", False),
    (
        "no cardiomegaly",
        "not-flagged",
        "Cardiomegaly: not flagged",
        "^You asked for its absence, which holds.$",
        False,
    ),
    (
        "no pleural effusion",
        "flagged",
        "Pleural effusion: flagged",
        "absence, which does not hold.$",
        False,
    ),
    ("normal chest", "normal", "Flagged: pleural effusion", "^Flagged are ", False),
    ("the heart", "no-verdict", "No verdict", "^This is anatomy", None),
    (
        "hazy grey area behind the heart",
        "no-verdict",
        "No verdict",
        "^Nothing to judge in these words",
        None,
    ),
    (
        "banana",
        "unknown",
        "Not understood",
        "^Not known: “banana”. No finding is known by these words.",
        False,
    ),
    ("what is wrong with this film?", "question", "A question, not a finding", "^Name a finding", False),
]  # description, kind, heading, words, whether a map is shown


def test_each_kind_of_answer(page):
    page.keyboard.press("Escape")
    for description, kind, heading, words, shows_map in KINDS:
        assert ask(page, description) == kind, description
        assert text_of(page, "h2").startswith(heading), description
        assert re.search(words, text_of(page, ".words")), text_of(page, ".words")
        if shows_map is not None:
            assert (page.get_attribute(".viewer", "data-map") == "shown") is shows_map
        numbered = kind not in ("normal", "unknown", "question") and description != "the heart"
        assert bool(text_of(page, ".number")) is numbered
        heard = page.locator("#probe .spoken")
        expect(heard).to_contain_text(text_of(page, "h2"))
        expect(heard).to_contain_text(text_of(page, ".words"))


def test_one_number_however_it_is_asked(page):
    numbers = set()
    for text in ("pleural effusion", "right pleural effusion", "no pleural effusion", "possible effusion"):
        ask(page, text)
        numbers.add(text_of(page, ".number"))
    page.click(".scan-all")
    row = page.locator(".scan .bar").filter(has=page.get_by_text("pleural effusion", exact=True))
    numbers.add(row.locator(".value").text_content())
    assert len(numbers) == 1


def test_a_side_that_is_contradicted_is_said_in_words_and_in_colour(page):
    ask(page, "right pleural effusion")
    against = page.locator(".verdict .words strong")
    expect(against).to_have_text("Seen on the LEFT, you named right.")
    colour = "e => getComputedStyle(e).color"
    ask_colour = against.evaluate(colour)
    ask(page, "left pleural effusion")
    expect(page.locator(".verdict .words strong")).to_have_count(0)
    assert page.locator(".verdict .words").evaluate(colour) != ask_colour


def test_each_statement_has_its_own_verdict(page):
    ask(page, SEVERAL)
    rows = [row.locator("span").all_text_contents() for row in page.locator(".statements li").all()]
    assert [(row[0], row[2]) for row in rows] == [
        ("No pneumothorax", "does not hold"),
        ("Pleural effusion, left", "holds"),
        ("Cardiomegaly", "does not hold"),
    ]
    assert page.get_attribute(".viewer", "data-map") == "shown"  # of what is said to be there


def test_how_often_a_verdict_is_right_is_one_key_away(page):
    ask(page, "pleural effusion")
    expect(page.locator(".means summary")).to_have_text("10 of 100 without it are flagged all the same.")
    expect(page.locator(".means p").first).to_be_hidden()
    page.focus(".stage")
    page.keyboard.press("e")
    expect(page.locator(".means p").first).to_have_text(
        "Sensitivity 0.63 (0.56 to 0.70): 120 of 190 images with it are flagged."
    )
    assert page.locator(".scale .strip rect").count() == 40


def test_a_misspelt_word_gets_no_number_and_is_put_right_at_once(page):
    for take in (lambda: page.click(".offer"), lambda: page.press("textarea", "Enter")):
        assert ask(page, "small left plural efusion") == "unknown"
        assert text_of(page, ".number") == "" and ways_on(page)[0] == "pleural effusion"
        before = int(page.get_attribute(".viewer", "data-answer"))
        take()
        page.wait_for_function(
            "n => Number(document.querySelector('.viewer').dataset.answer) > n", arg=before
        )
        assert page.input_value("textarea") == "small left pleural effusion"
        assert text_of(page, "h2") == "Pleural effusion: flagged"


def test_a_question_offers_the_scan_and_a_denial_the_finding(page):
    ask(page, "what is wrong with this film?")
    page.click(".offer")
    expect(page.locator(".scan .bar").first).to_be_visible()
    ask(page, "no pleural effusion")
    page.click(".offer")
    expect(page.locator("textarea")).to_have_value("pleural effusion")
    expect(page.locator(".viewer")).to_have_attribute("data-map", "shown")


def test_known_findings_are_offered_while_one_types(page):
    box, listed = page.locator("textarea"), page.locator("#completions li")
    page.fill("textarea", "")
    box.press_sequentially("left pleu")
    expect(listed.first).to_have_text("pleural effusion")
    count, told = listed.count(), page.locator("#probe .offered[role=status]")
    expect(told).to_have_text(f"{count} known findings: the down arrow chooses.")
    box.press("ArrowDown")
    box.press("ArrowDown")
    expect(page.locator(f"#{box.get_attribute('aria-activedescendant')}")).to_have_attribute(
        "aria-selected", "true"
    )
    box.press("ArrowUp")
    box.press("Enter")
    expect(box).to_have_value("left pleural effusion")
    expect(page.locator("#completions")).to_be_hidden()
    expect(told).to_be_empty()
    page.fill("textarea", "")
    box.press_sequentially("pneumo")
    expect(listed.first).to_be_visible()
    box.press("Escape")
    expect(page.locator("#completions")).to_be_hidden()
    expect(box).to_be_focused()
    page.fill("textarea", "")
    box.press_sequentially("cardiomeg")
    expect(page.locator(".verdict h2")).to_have_text("Go on typing")
    box.press("Enter")  # the first, where nothing was chosen
    expect(box).to_have_value("cardiomegaly")


@pytest.mark.parametrize("width, height", [*SIZES, (390, 844), (720, 450)])
def test_nothing_is_cut_off_at_any_size(open_page, width, height):
    page = open_page(width, height)
    for text in (SEVERAL, "right pneumothorax", "nodule", "normal chest", "small left plural efusion"):
        ask(page, text)
        cut = page.evaluate(
            """() => {
                const panel = document.querySelector('#probe .panel'), box = panel.querySelector('.verdict');
                const all = [box, ...box.querySelectorAll('*')];
                const over = panel.scrollHeight - panel.clientHeight;
                const shown = all.filter(e => e.checkVisibility() && !e.closest('svg'));
                const cut = shown.filter(e => !['visible', 'auto'].includes(getComputedStyle(e).overflowY)
                    && e.scrollHeight > e.clientHeight + 1);
                const out = box.getBoundingClientRect(), edge = panel.getBoundingClientRect();
                return [cut.map(e => e.className), out.right > edge.right + 1, over];
            }"""
        )
        assert cut[:2] == [[], False], text
        assert page.locator(".verdict .number").bounding_box()["height"] < 30, text
        if width > 860:
            assert cut[2] == 0, text  # the panel does not scroll
            cautions = page.locator(".verdict .warning p").all()
            assert all(caution.bounding_box()["y"] < height for caution in cautions)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.click(".scan-all")
    page.wait_for_selector(".scan .bar")
    if width <= 860:  # the page scrolls, and nothing in it
        last = page.locator(".scan .family").last.bounding_box()
        assert last["y"] + last["height"] <= page.locator("#probe .source").bounding_box()["y"]


@pytest.mark.parametrize("width, height", SIZES)
def test_what_can_be_pressed_stays_where_it_is(open_page, width, height):
    page, places = open_page(width, height), set()
    for text in (
        "pleural effusion",
        "no cardiomegaly",
        "right pneumothorax",
        "normal chest",
        "the heart",
        "banana",
    ):
        ask(page, text)
        places.add(tuple(page.evaluate(RECTANGLES)))
    assert len(places) == 1


def test_cautions_go_wherever_the_answer_goes(page):
    ask(page, "right pneumothorax")
    cautions = page.locator(".verdict .warning p").all_text_contents()
    assert UNSURE_PLACE in cautions and len(cautions) == 2
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    page.click("[data-share=copyText]")
    expect(page.locator(".done")).to_have_text("Text copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    with page.expect_download() as saved:
        page.click("[data-share=finding]")
    record = json.loads(saved.value.path().read_bytes())
    assert record["finding"]["cautions"] == cautions and record["finding"]["warning"] == " ".join(cautions)
    assert all(f"Caution: {caution}" in copied for caution in cautions)
    said = f"Pneumothorax: flagged, {record['finding']['probability']:.2f}."
    assert copied.startswith(f"“right pneumothorax”: {said}")
    page.keyboard.press("Escape")
    page.click(".keep")
    ask(page, "pleural effusion")
    mark = page.locator(".caption .caution-mark")
    assert mark.count() == 1 and mark.get_attribute("title") == " ".join(cautions)
    mark.click()
    expect(page.locator(".pane .caution-text")).to_have_text(" ".join(cautions))
    page.click(".scan-all")
    row = page.locator(".scan .row").filter(
        has=page.locator(".bar .name", has_text=re.compile("^pneumothorax$"))
    )
    row.locator(".caution-mark").click()
    expect(page.locator(".scan .caution-text:visible")).to_have_text(UNSURE_PLACE)


def test_the_aided_arm_says_what_the_probe_tab_says(page):
    ask(page, "right pneumothorax")
    parts = "h2", ".number", ".legend", ".read", ".words", ".means", ".warning"
    said = [text_of(page, part) for part in parts]
    page.get_by_role("tab", name="Reader study").click()
    page.fill("#study .card input", "code-of-1")
    page.keyboard.press("Enter")
    page.click(".study[data-stage=consent] .card .go")
    expect(page.locator("#study .verdict")).to_be_hidden()
    page.locator("#study .option").first.click()
    page.fill("#study .questions textarea", "")
    page.click(".hand .go")
    expect(page.locator("#study .verdict h2")).to_have_text(said[0])
    shown = page.locator("#study .verdict")
    assert [re.sub(r"\s+", " ", shown.locator(part).text_content()).strip() for part in parts] == said
    letters = ".viewer .side b"
    assert (
        page.locator(f"#study {letters}").all_text_contents()
        == page.locator(f"#probe {letters}").all_text_contents()
    )
    assert page.locator("#study .offer").count() == 0  # a reader asks nothing else


def test_an_image_of_another_kind_stops_the_answer(page):
    upload(page, to_png(data.chelsea()))
    wait_for_size(page, 451, 300)
    assert ask(page, "drusen") == "doubt"
    assert text_of(page, ".number") == "" and page.locator("[data-there=yes]").is_disabled()
    page.click(".anyway")
    expect(page.locator(".verdict h2")).to_have_text("Drusen: not judged")
    expect(page.locator(".verdict .banner")).to_contain_text("does not look like")
    page.keyboard.press("x")
    page.click("[data-share=copyText]")
    expect(page.locator(".done")).to_have_text("Text copied.")
    assert "does not look like" in page.evaluate("navigator.clipboard.readText()")


def test_the_first_screen_is_of_the_calibrated_model(open_page, calibrated):
    """Heading, number and place of what Python answers."""
    page = open_page()
    answer = load_model(calibrated).encode(EXAMPLES[0].load()).locate(EXAMPLES[0].description)
    assert answer.present and answer.side.agrees
    assert text_of(page, "h2") == "Pleural effusion: flagged"
    assert text_of(page, ".number") == f"{answer.probability:.2f}"
