"""A reader by keyboard: which question a key answers, a rating for each region, what is asked for again."""

import json

import pytest
from playwright.sync_api import expect

from afloc.feedback.export import export
from afloc.feedback.store.store import Store
from tests.web.tabs.test_study import HEAD, QUESTIONS, begin, read_events, serve_study, write_study

THREE = QUESTIONS.replace(
    'kind = "regions"', 'kind = "regions"\nlabels = ["perhaps", "probably", "surely"]'
).replace('kind = "text"\nrequired = false', 'kind = "choice"\nlabels = ["chronic", "acute", "cannot tell"]')


@pytest.fixture
def rated(tmp_path):
    study = write_study(tmp_path / "studies", 1, 1, HEAD.replace("crossover", "unaided_then_aided"))
    table = tmp_path / "studies" / "trial.toml"
    text = table.read_text().replace(QUESTIONS, THREE)
    text = text.replace("finding number 0", "left pleural effusion, no pneumothorax")
    table.write_text(text)
    return study


def test_every_question_by_keyboard(rated, tiny_folder, chromium, tmp_path):
    with serve_study(tiny_folder, tmp_path) as url, chromium.new_page() as page:
        page.set_viewport_size({"width": 1280, "height": 720})
        seat = begin(page, url)
        seat.arrive(0)
        expect(page.locator("#study .more")).to_be_hidden()  # all three questions are seen
        turn, shapes = page.locator("fieldset.turn"), "document.querySelector('#study .viewer').viewer.shapes"

        def expect_turn(name):
            expect(turn).to_have_attribute("data-question", name)
            expect(page.locator("fieldset .options kbd:visible")).to_have_count(3)

        expect_turn("sure")
        page.keyboard.press("3")
        expect_turn("remark")
        page.keyboard.press("Enter")  # the third question has no answer yet
        expect(page.locator(".hand .saved")).to_have_text("Not saved: Please answer: Remark")
        expect(page.locator("fieldset.missing")).to_have_attribute("data-question", "remark")
        page.keyboard.press("2")
        expect(page.locator("fieldset.missing")).to_have_count(0)
        expect(page.locator(".hand .saved")).not_to_contain_text("Please answer")
        page.keyboard.press("b")
        page.focus("#study .stage")
        page.keyboard.press("Space")
        expect_turn("place")
        page.keyboard.press("Enter")
        expect(page.locator(".hand .saved")).to_contain_text("Please rate each region that you drew: Where?")
        page.keyboard.press("2")
        page.keyboard.press("Space")
        expect_turn("place")
        page.keyboard.press("1")
        assert page.evaluate(f"{shapes}.map((shape) => shape.rating)") == [2, 1]
        expect(page.locator("#study .region [aria-pressed=true]")).to_have_count(2)
        page.keyboard.press("Control+z")
        assert page.evaluate(f"{shapes}.map((shape) => shape.rating ?? null)") == [2, None]
        page.keyboard.press("3")
        expect_turn("remark")
        page.keyboard.press("q")
        expect_turn("sure")
        page.keyboard.press("1")
        expect(page.locator("[data-question=sure] [aria-pressed=true]")).to_have_text("1no")
        expect(page.locator(".hand .saved")).to_contain_text("draft saved")
        page.reload()  # the draft has the ratings too
        page.get_by_role("tab", name="Reader study").click()
        page.fill("#study .card input", "code-of-1")
        page.keyboard.press("Enter")
        seat.arrive(0)
        assert page.evaluate(f"{shapes}.map((shape) => shape.rating)") == [2, 3]
        page.keyboard.press("Enter")
        seat.arrive(1)
        said = "The model does not know"  # the words, as in the Probe tab
        expect(page.locator("#study .model .warning")).to_contain_text(said)
    row = next(row for row in read_events(tmp_path / "data") if row["kind"] == "reading")
    assert json.loads(row["answers"])["place"] == [2, 3] and len(json.loads(row["regions"])) == 2
    assert 0 < row["active_ms"] <= row["visible_ms"]
    with Store(tmp_path / "data") as store:
        written = export(store, tmp_path / "out.xlsx", study=rated.id)
    assert {"out.xlsx", "out.froc.xlsx"} <= {path.name for path in written}
