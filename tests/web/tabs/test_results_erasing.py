"""A coordinator erases what a reader did who withdraws, on the page."""

from playwright.sync_api import expect

from afloc.feedback.store.store import Store
from afloc.feedback.studies.readings import give_consent, save_reading
from tests.web.conftest import call_of, held
from tests.web.tabs.test_study import HEAD, read_events, serve_study, write_study

counts = call_of("erase")


def test_a_reader_who_withdraws(tiny_folder, chromium, tmp_path):
    study = write_study(tmp_path / "studies", 2, 2, HEAD.replace("crossover", "unaided"))
    with Store(tmp_path / "data") as store:
        for reader in study.readers:
            give_consent(store, study, reader)
            for index in range(2):
                save_reading(store, study, reader, index, {"sure": 2, "remark": f"words of {reader}"})
    with serve_study(tiny_folder, tmp_path) as url, chromium.new_page() as page:
        page.goto(url)
        page.get_by_role("tab", name="Results").click()
        page.fill("#results .card input", "the-coordinator")
        page.keyboard.press("Enter")
        page.wait_for_selector("#results .part")
        page.click("#results .erase summary")
        erase = page.locator("#results .erase")
        with page.expect_response(lambda response: counts(response.request)) as late, held(page, counts):
            erase.get_by_role("button").click()
            page.select_option("#results .erase [name=name]", "R2")
        late.value.finished()
        page.evaluate("new Promise((done) => setTimeout(done))")
        expect(erase.locator(".state")).to_be_empty()  # the count is of R1
        expect(erase.get_by_role("button")).to_have_text("How much is it?")
        page.select_option("#results .erase [name=name]", "R1")
        erase.get_by_role("button").click()
        expect(erase.locator(".state")).to_have_text(
            "3 rows (1 consent, 2 reading). Nothing brings them back."
        )
        erase.locator("[name=typed]").fill("R2")
        erase.get_by_role("button").click()
        expect(erase.locator(".state")).to_have_text("Type R1 to erase it.")
        erase.locator("[name=typed]").fill("R1")
        erase.get_by_role("button").click()
        expect(erase.locator(".state")).to_have_text("Erased: 3 rows (1 consent, 2 reading).", timeout=60_000)
        expect(page.locator("#results .notes")).to_contain_text(
            "3 rows were erased of one reader", timeout=60_000
        )
        cells = page.locator("#results .part >> nth=0").locator("tbody tr >> nth=0").locator("td")
        expect(cells.nth(2)).to_have_text("0")
    rows = read_events(tmp_path / "data")
    assert {row["reader"] for row in rows if row["kind"] == "reading"} == {"R2"}
    assert [row["kind"] for row in rows].count("erasure") == 1
    assert not any(b"words of R1" in path.read_bytes() for path in (tmp_path / "data").glob("feedback*"))
