"""Training before the cases that count: three steps, the truth after the answer, none of it in results."""

import json

from playwright.sync_api import expect

from afloc.feedback.analysis.data_frames import study_frame
from afloc.feedback.store.store import Store
from tests.web.tabs.test_study import HEAD, Seat, read_events, serve_study, sit_down, write_study

TRAINED = HEAD.replace("crossover", "aided") + (
    'by = "the department"\ncontact = "study@hospital.example"\nminutes = 20\ntraining_feedback = true\n'
)
TRAINING = """
[[training]]
id = "t1"
image = "Doe_Jane_0.png"
modality = "chest_xray"
description = "a finding to learn by"
truth = true
boxes = [[60, 80, 80, 90]]
explanation = "It lies to the left of the heart."
"""


def test_training_comes_first_shows_the_truth_and_does_not_count(tiny_folder, chromium, tmp_path):
    study = write_study(tmp_path / "studies", 1, 2, TRAINED)
    table = tmp_path / "studies" / "trial.toml"
    table.write_text(table.read_text() + TRAINING)
    with serve_study(tiny_folder, tmp_path) as url:
        seat: Seat = sit_down(chromium, url)
        page = seat.page
        steps, current = page.locator(".card .steps li"), page.locator(".card .steps [aria-current]")
        expect(steps).to_have_text(["Consent", "Training, 1 reading", "Cases, 2 readings"])
        expect(current).to_have_text("Consent")
        expect(page.locator(".card .facts")).to_contain_text("By the department")
        expect(page.locator(".card .facts")).to_contain_text("about 20 minutes")
        expect(page.locator(".card .facts")).to_contain_text("Questions: study@hospital.example")
        page.click(".study[data-stage=consent] .card .go")
        expect(current).to_have_text("Training, 1 reading")
        expect(page.locator(".card .text")).to_contain_text("They do not count.")
        page.evaluate("document.addEventListener('submit', () => { window.pressed = true; }, true)")
        page.dispatch_event("#study .card .go", "click", {"detail": 2})  # the second of a double click
        assert not page.evaluate("window.pressed")
        page.click(".study[data-stage=training] .card .go")
        seat.arrive(0)
        expect(page.locator(".count")).to_have_text("Training 1 of 1")
        truths = "document.querySelector('#study .viewer').viewer.element.querySelectorAll('.truth').length"
        assert page.evaluate(truths) == 0
        page.keyboard.press("1")
        page.keyboard.press("Enter")
        truth = page.locator("#study .reference")
        expect(truth.locator("h2")).to_have_text("Reference standard: the finding is there.")
        expect(truth.locator(".own")).to_have_text("Your answer: no.")
        expect(truth.locator(".explanation")).to_have_text("It lies to the left of the heart.")
        page.wait_for_function(f"{truths} > 0")
        page.keyboard.press("3")  # no longer to be changed
        expect(page.locator("[data-question=sure] [aria-pressed=true]")).to_have_text("1no")
        page.keyboard.press("Enter")
        expect(page.locator(".card .text")).to_have_text(
            "The training is over. 2 readings follow, and they count."
        )
        page.click(".study[data-stage=cases] .card .go")
        seat.arrive(1)
        expect(page.locator(".count")).to_have_text("Case 1 of 2")
        expect(truth).to_be_hidden()
        assert page.evaluate(truths) == 0
        seat.heard.clear()
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        seat.arrive(2)
        page.context.close()
    rows = read_events(tmp_path / "data")
    assert [row["kind"] for row in rows if row["kind"] in ("training", "reading")] == ["training", "reading"]
    trained = next(row for row in rows if row["kind"] == "training")
    assert json.loads(trained["answers"])["sure"] == 1 and trained["period"] == 0
    with Store(tmp_path / "data") as store:
        assert study_frame(store, study).empty  # another version of the study, without the training
        assert store.rows("SELECT count(*) AS n FROM answers WHERE study = 'trial'") == [{"n": 1}]
