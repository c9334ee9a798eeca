"""The other designs of a reader study, in the browser: each case twice, and the wash-out of a crossover."""

import json

import pytest
from playwright.sync_api import expect

from tests.web.conftest import serve
from tests.web.tabs import test_study
from tests.web.tabs.test_study import HEAD, fill_in, read_events, write_study

sit = test_study.sit


@pytest.fixture(scope="module")
def site(tiny_folder, tmp_path_factory):
    """Two served studies: (address, {design: study}, data folder)."""
    folder = tmp_path_factory.mktemp("designs")
    designs = {"twice": 'design = "unaided_then_aided"', "washed": 'design = "crossover"\nwashout_days = 28'}
    studies = {}
    for name, design in designs.items():
        head = HEAD.replace('"trial"', f'"{name}"').replace('design = "crossover"', design)
        head = head.replace("the-coordinator", f"{name}-coordinator")
        studies[name] = write_study(folder / "studies" / name, 2, 2, head, f"{name}-")
        (folder / "studies" / name / "trial.toml").rename(folder / "studies" / f"{name}.toml")
        for image in (folder / "studies" / name).iterdir():
            image.rename(folder / "studies" / image.name)
    settings = {"AFLOC_DATA_DIR": str(folder / "data"), "AFLOC_STUDIES_DIR": str(folder / "studies")}
    with serve(tiny_folder, **settings) as url:
        yield url, studies, folder / "data"


def test_each_case_is_read_unaided_then_aided(site, sit):
    _, studies, folder = site
    seat = sit("twice-code-of-1")
    seat.page.click(".card .go")
    described = None
    for index in range(4):
        seat.arrive(index)
        aided = index % 2 == 1
        expect(seat.page.locator("#study .model")).to_be_visible(visible=aided)
        chosen = seat.page.locator("#study .option[aria-pressed=true]")
        if aided:  # the same case, with the reader's own first answer, and now with the model
            assert seat.page.inner_text("#study .asked") == described
            expect(chosen).to_have_text(f"{1 + index // 2}{studies['twice'].questions[0].labels[index // 2]}")
            seat.page.click("#study [data-question=sure] .option >> nth=2")
        else:
            described = seat.page.inner_text("#study .asked")
            expect(chosen).to_have_count(0)
            assert seat.page.evaluate("document.querySelector('#study .viewer').viewer.grid") is None
            assert not any("grid" in text for _, text in seat.heard)
            fill_in(seat, {"sure": 1 + index // 2, "remark": ""})
        seat.heard.clear()
        seat.go_on(index, 4)
    rows = [row for row in read_events(folder) if row["study"] == "twice" and row["kind"] == "reading"]
    assert [(row["arm"], json.loads(row["answers"])["sure"]) for row in rows] == [
        ("unaided", 1),
        ("aided", 3),
        ("unaided", 2),
        ("aided", 3),
    ]
    assert [row["case_id"] for row in rows[::2]] == [row["case_id"] for row in rows[1::2]]


def test_a_case_answered_in_another_window_is_shown_as_it_stands(site, sit):
    seat = sit("twice-code-of-2")
    seat.page.click(".card .go")
    seat.arrive(0)
    other = sit("twice-code-of-2")
    other.arrive(0)
    fill_in(other, {"sure": 1, "remark": "in the other window"})
    other.go_on(0, 4)
    fill_in(seat, {"sure": 3, "remark": ""})
    seat.page.click(".hand .go")
    expect(seat.page.locator(".hand .go")).to_have_text("Go on")
    assert seat.page.input_value("#study [data-question=remark] textarea") == "in the other window"
    expect(seat.page.locator(".hand .saved")).to_contain_text("Not saved: This answer is final")
    seat.go_on(0, 4)


def test_the_second_part_opens_after_the_wash_out(site, sit):
    seat = sit("washed-code-of-1")
    seat.page.click(".card .go")
    for index in range(2):
        seat.arrive(index)
        fill_in(seat, {"sure": 2, "remark": ""})
        seat.page.click(".hand .go")
    seat.wait("study.dataset.stage === 'waiting'")
    expect(seat.page.locator(".card .text")).to_contain_text("The second opens on")
    seat.heard.clear()
    seat.page.click(".card .go")  # Look again
    seat.page.wait_for_function("() => document.querySelector('.study').dataset.stage === 'waiting'")
    again = sit("washed-code-of-1")
    assert again.where() is None and again.page.get_attribute(".study", "data-stage") == "waiting"
    assert not any("pixels" in name for name, _ in again.heard)
