"""A reader study through the page: a crossover, readers at once, one interrupted; then its results."""

import io
import json
import re
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import httpx
import pytest
from playwright.sync_api import expect

from afloc import load_model
from afloc.errors import AccessError
from afloc.feedback.store.store import FILE_NAME, Store
from afloc.feedback.studies.readings import give_consent, save_reading
from afloc.feedback.studies.schedule import schedule
from afloc.feedback.studies.study_file import read_study
from afloc.imaging.examples import EXAMPLES
from afloc.web.state.study_sessions import StudySessions
from afloc.web.tabs.study import show_place
from tests.imaging.dicoms import dicom
from tests.web.axe import assert_accessible
from tests.web.conftest import call_of, held, serve
from tests.web.tabs.test_probe import a_film, to_png

QUESTIONS = """
[[questions]]
id = "sure"
text = "Is it there?"
kind = "rating"
labels = ["no", "perhaps", "yes"]

[[questions]]
id = "place"
text = "Where?"
kind = "regions"
required = false

[[questions]]
id = "remark"
text = "Remark"
kind = "text"
required = false
"""
HEAD = """
id = "trial"
title = "A trial"
design = "crossover"
seed = 7
back = true
edit = true
consent = "Your answers are kept."
end = "Thank you, that was all."
coordinator = "the-coordinator"
"""


def write_study(folder, readers, cases, head=HEAD, codes=""):
    folder.mkdir(parents=True)
    for number in range(4):
        (folder / f"Doe_Jane_{number}.png").write_bytes(to_png(a_film(number)))
    text = (
        head
        + "[readers]\n"
        + "".join(f'R{n} = "{codes}code-of-{n}"\n' for n in range(1, readers + 1))
        + QUESTIONS
    )
    for number in range(cases):
        text += (
            f'[[cases]]\nid = "k{number:02}"\nimage = "Doe_Jane_{number % 4}.png"\nmodality = "chest_xray"\n'
        )
        text += f'description = "finding number {number}"\ntruth = {str(number % 2 == 0).lower()}\n'
        if number % 2 == 0:
            text += "boxes = [[60, 80, 80, 90]]\n"
    (folder / "trial.toml").write_text(text)
    return read_study(folder / "trial.toml")


@dataclass
class Seat:
    """A reader at a browser of their own; every answer of the server about the study is kept."""

    page: object
    heard: list

    def where(self):
        """The case on the screen, from 0 on, or None."""
        stage = self.page.get_attribute(".study", "data-stage")
        return int(self.page.get_attribute("#study .viewer", "data-case")) if stage == "case" else None

    def wait(self, condition):
        names = "const study = document.querySelector('.study'), viewer = study.querySelector('.viewer');"
        self.page.wait_for_function(f"() => {{ {names} return {condition}; }}")

    def arrive(self, index):
        shown = f"viewer.dataset.case === '{index}' && viewer.dataset.state === 'ready'"
        self.wait(f"study.dataset.stage === 'case' && {shown}")

    def go_on(self, index, total):
        self.page.click(".hand .go")
        if index + 1 < total:
            self.arrive(index + 1)
        else:
            self.wait("study.dataset.stage === 'end'")


@contextmanager
def serve_study(model_folder, folder):
    """The address of a page with the studies in `folder`/studies, which keeps its data in `folder`/data."""
    settings = {"AFLOC_DATA_DIR": str(folder / "data"), "AFLOC_STUDIES_DIR": str(folder / "studies")}
    with serve(model_folder, **settings) as url:
        yield url


@pytest.fixture(scope="module")
def site(tiny_folder, tmp_path_factory, request):
    """A served study: (address, study, data folder)."""
    folder = tmp_path_factory.mktemp("site")
    long = request.config.getoption("--long")
    study = write_study(folder / "studies", 3 if long else 2, 40 if long else 4)
    with serve_study(tiny_folder, folder) as url:
        yield url, study, folder / "data"


@pytest.fixture
def sit(chromium, site, long):
    seats, errors = [], []

    def sit(code=None):
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(180_000 if long else 30_000)
        page, heard = context.new_page(), []
        page.on("pageerror", lambda error: errors.append(str(error)))

        def hear(response):
            if "/afloc/study" in response.url:
                heard.append(("pixels", response.header_value("X-AFLoc-Image") or response.text()))
            elif "/component_server" in response.url:
                asked = response.request.post_data_json
                if asked["component_id"] == study_tab:  # what the other tabs show is not about the case
                    heard.append((asked["fn_name"], response.text()))

        page.goto(site[0])
        study_tab = page.evaluate("window.gradio_config.components.find(c => c.props.elem_id === 'study').id")
        page.get_by_role("tab", name="Reader study").click()
        page.on("requestfinished", lambda request: hear(request.response()))
        page.wait_for_selector("#study .card h2:has-text('Reader study')")
        seat = Seat(page, heard)
        seats.append(context)
        if code:
            page.fill("#study .card input", code)
            page.keyboard.press("Enter")
            seat.wait("study.dataset.stage !== 'enter'")
        return seat

    yield sit
    for context in seats:
        context.close()
    assert not errors


def read_events(folder):
    with duckdb.connect(str(folder / FILE_NAME)) as database:
        return database.execute("SELECT * FROM events ORDER BY seq").df().astype(object).to_dict("records")


def plan(reader, slot):
    """What a reader answers on a case: differs between readers, cases and arms."""
    rating = 1 + (int(slot.case.id[1:]) + int(reader[1:]) + (slot.arm == "aided")) % 3
    return {"sure": rating, "remark": f"{reader} {slot.case.id} {slot.arm}"}


def fill_in(seat, answers):
    seat.page.click(f"#study [data-question=sure] .option >> nth={answers['sure'] - 1}")
    seat.page.fill("#study [data-question=remark] textarea", answers["remark"])


def check_blind(seat, slot):
    """In the unaided arm neither the page nor anything the server sent knows what the model says."""
    panel = seat.page.locator("#study .model")
    if slot.arm == "aided":
        expect(panel).to_be_visible()
        assert any('"grid"' in text for _, text in seat.heard)
        return
    expect(panel).to_be_hidden()
    said = "e => ['h2', '.number', '.legend'].map(s => e.querySelector(s).textContent).join('')"
    assert panel.evaluate(said) in ("", "Nothing asked yet")
    assert seat.page.evaluate("document.querySelector('#study .viewer').viewer.grid") is None
    assert seat.page.get_attribute("#study .viewer", "data-map") == "none"
    for text in (text for _, text in seat.heard):
        assert not any(word in text for word in ("grid", "score", "probability", "present", "operating"))


def test_a_crossover_with_an_interruption(site, sit):
    _, study, folder = site
    seats, orders = {}, {reader: schedule(study, reader) for reader in study.readers}
    for reader, code in study.readers.items():
        seat = seats[reader] = sit(code)
        expect(seat.page.locator(".card .text")).to_have_text("Your answers are kept.")
        seat.page.click(".card .go")
        seat.arrive(0)
    total = len(orders["R1"])
    stop = total // 2 + 1  # R2 is thrown out in the middle of a case of the second period
    for index in range(total):
        for reader, order in orders.items():
            seat, slot = seats[reader], order[index]
            answers = plan(reader, slot)
            assert seat.where() == index
            assert seat.page.inner_text(".asked") == slot.case.description
            assert seat.page.inner_text(".count") == f"Case {index + 1} of {total}"
            check_blind(seat, slot)
            fill_in(seat, answers)
            if index % 3 == 0:
                seat.page.click("#study [data-mode=box]")
                drag_in_study(seat.page)
            if (reader, index) == ("R2", stop):
                expect(seat.page.locator(".hand .saved")).to_contain_text("draft saved")
                seat.page.context.close()
                seat = seats[reader] = sit(study.readers[reader])
                seat.arrive(index)
                check_blind(seat, slot)
                label = study.questions[0].labels[answers["sure"] - 1]
                expect(seat.page.locator("#study .option[aria-pressed=true]")).to_have_text(
                    re.compile(f"{re.escape(label)}$")
                )
                remark = seat.page.locator("#study [data-question=remark] textarea")
                expect(remark).to_have_value(answers["remark"])
            seat.heard.clear()
            seat.go_on(index, total)
    for seat in seats.values():
        expect(seat.page.locator(".card .text")).to_have_text("Thank you, that was all.")

    rows = [row for row in read_events(folder) if row["kind"] == "reading"]
    for reader, order in orders.items():
        mine = [row for row in rows if row["reader"] == reader]
        assert [(row["case_id"], row["arm"], row["period"]) for row in mine] == [
            (s.case.id, s.arm, s.period) for s in order
        ]
        for index, (row, slot) in enumerate(zip(mine, order, strict=True)):
            assert json.loads(row["answers"]) == plan(reader, slot)
            assert len(json.loads(row["regions"])) == (index % 3 == 0)
            assert row["visible_ms"] > 0 and row["score"] is not None and row["model"] == "tiny 0"
            assert row["image_width"] == 240 and len(row["image_digest"]) == 64
    for path in folder.iterdir():
        assert b"Doe_Jane" not in path.read_bytes() and b"code-of" not in path.read_bytes()


def begin(page, url):
    """The first reader of a study, before its first case."""
    page.goto(url)
    page.get_by_role("tab", name="Reader study").click()
    page.fill("#study .card input", "code-of-1")
    page.keyboard.press("Enter")
    page.click(".study[data-stage=consent] .card .go")
    return Seat(page, [])


def test_a_reader_sees_the_sides_and_the_shape_that_the_file_names(tiny_folder, chromium, tmp_path):
    write_study(tmp_path / "studies", 1, 2)
    for number, side in enumerate("RLRL"):
        said = {"PatientOrientation": [side, "F"], "PixelSpacing": [0.5, 1.0]}
        said |= {"StudyDate": "20210304", "ViewPosition": "PA"}
        (tmp_path / "studies" / f"Doe_Jane_{number}.png").write_bytes(dicom(a_film(number), **said))
    with serve_study(tiny_folder, tmp_path) as url:
        seat = sit_down(chromium, url)
        seat.page.click(".study[data-stage=consent] .card .go")
        seen = set()
        for index in range(2):
            seat.arrive(index)
            sides = seat.page.locator("#study .viewer .side").all_inner_texts()
            seen.add((*sides, *seat.page.locator("#study .viewer .tag:not([hidden])").all_inner_texts()))
            corners = " ".join(seat.page.locator("#study .viewer .corner p:not([hidden])").all_inner_texts())
            assert "240 × 300" in corners and "1 × 0.5 mm a pixel" in corners  # and neither name nor date
            assert not any(word in corners for word in ("Doe", "png", "2021", "PA"))
            shown = seat.page.evaluate("document.querySelector('#study .viewer').viewer.film")
            assert shown["aspect"] == 0.5
            seat.page.click("#study .option >> nth=0")
            seat.page.click(".hand .go")
        assert seen == {("R", "L"), ("L", "R", "mirrored")}
        seat.page.context.close()


def drag_in_study(page):
    box = page.locator("#study .stage").bounding_box()
    page.mouse.move(box["x"] + 400, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 500, box["y"] + 330, steps=3)
    page.mouse.up()
    page.wait_for_function("document.querySelector('#study .viewer').viewer.shapes.length === 1")


def test_an_impatient_reader_answers_each_case_once(tiny_folder, chromium, tmp_path):
    write_study(tmp_path / "studies", 1, 2)
    with serve_study(tiny_folder, tmp_path) as url, chromium.new_page() as page:
        seat = begin(page, url)
        seat.arrive(0)
        page.keyboard.press("3")

        def is_film(request):
            return request.url.endswith("/afloc/study")

        with held(page, is_film), page.expect_request(is_film):
            page.keyboard.down("Enter")
            page.keyboard.down("Enter")
            page.click(".hand .go")
        page.keyboard.up("Enter")
        page.keyboard.press("Enter")  # the next film is on its way still
        seat.arrive(1)
        page.keyboard.down("Enter")
        page.keyboard.down("Enter")  # held for long
        expect(page.locator(".hand .saved")).to_contain_text("Not saved")  # the second one is not answered
        expect(page.locator(".count")).to_have_text("Case 2 of 4")
        events = read_events(tmp_path / "data")
    assert [json.loads(row["answers"]) for row in events if row["kind"] == "reading"] == [{"sure": 3}]


def test_enter_after_drawing_saves_and_draws_nothing(tiny_folder, chromium, tmp_path):
    write_study(tmp_path / "studies", 1, 3)
    with serve_study(tiny_folder, tmp_path) as url, chromium.new_page() as page:
        seat = begin(page, url)
        viewer = page.locator("#study .viewer")

        def shapes():
            return viewer.evaluate("root => root.viewer.shapes.length")

        seat.arrive(0)
        page.keyboard.press("1")
        page.keyboard.press("b")
        drag_in_study(page)
        page.keyboard.press("Enter")
        seat.arrive(1)

        page.click(
            "#study [data-question=sure] .option >> nth=1"
        )  # all with the mouse, then a box is put right
        page.click("#study [data-question=place] .tool >> nth=0")
        drag_in_study(page)
        page.click("#study [data-mode=pan]")
        viewer.locator("path.own").click()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        seat.arrive(2)

        page.click("#study [data-mode=box]")
        drag_in_study(page)
        page.click("#study [data-act=undo]")
        page.keyboard.press("3")
        page.keyboard.press("Enter")  # neither undoes again nor draws
        seat.arrive(3)

        page.keyboard.press("2")  # without a mouse
        page.locator("#study .stage").focus()
        page.keyboard.press("b")
        page.keyboard.press("Space")
        assert shapes() == 1
        expect(viewer.locator("path.own")).to_have_count(1)  # Tab goes to what is on the screen
        page.keyboard.press("Tab")
        expect(viewer.locator("path.own")).to_be_focused()
        page.keyboard.press("Shift+ArrowDown")
        page.keyboard.press("Enter")
        seat.arrive(4)
        page.keyboard.press("?")
        expect(page.locator("#study .keys dl div", has_text="one in the middle").locator("dt")).to_have_text(
            "Space"
        )
    rows = [row for row in read_events(tmp_path / "data") if row["kind"] == "reading"]
    assert [json.loads(row["answers"]) for row in rows] == [
        {"sure": 1},
        {"sure": 2},
        {"sure": 3},
        {"sure": 2},
    ]
    assert [len(json.loads(row["regions"])) for row in rows] == [1, 1, 0, 1]


@pytest.fixture
def one_way(tiny_folder, tmp_path):
    """A served study in which no case is seen twice: (address, data folder)."""
    head = HEAD.replace("back = true\nedit = true", "").replace("crossover", "unaided")
    write_study(tmp_path / "studies", 1, 3, head)
    with serve_study(tiny_folder, tmp_path) as url:
        yield url, tmp_path / "data"


def sit_down(chromium, url):
    """The only reader of a study at a browser of their own, every text beside the button kept in `said`."""
    seat = Seat(chromium.new_context().new_page(), [])
    seat.page.goto(url)
    seat.page.get_by_role("tab", name="Reader study").click()
    seat.page.evaluate("""() => {
        const saved = document.querySelector("#study .hand .saved");
        window.said = [];
        new MutationObserver(() => said.push(saved.textContent)).observe(saved, { childList: true });
    }""")
    seat.page.fill("#study .card input", "code-of-1")
    seat.page.keyboard.press("Enter")
    seat.wait("study.dataset.stage !== 'enter'")
    return seat


@pytest.mark.parametrize("name", ["answer", "draft"])
def test_what_is_saved_is_not_called_unsaved_when_the_reply_was_lost(one_way, chromium, name):
    url, folder = one_way
    seat = sit_down(chromium, url)
    seat.page.click(".study[data-stage=consent] .card .go")
    seat.arrive(0)
    lost = []

    def lose_the_first(route):
        if not call_of(name)(route.request) or lost:
            return route.fallback()
        lost.append(route.fetch().json())
        if name == "draft":  # the case is answered in another window before the draft is sent again
            other = sit_down(chromium, url)
            other.arrive(0)
            fill_in(other, {"sure": 1, "remark": ""})
            other.go_on(0, 3)
            other.page.context.close()
        route.abort()

    seat.page.route("**/*", lose_the_first)
    with seat.page.expect_response(lambda response: call_of(name)(response.request)) as again:
        fill_in(seat, {"sure": 2, "remark": "typed"})
        if name == "answer":
            seat.page.click(".hand .go")
    assert again.value.json() == lost[0] and set(lost[0]) == {"id", "time"}
    if name == "answer":
        seat.arrive(1)
        assert not any(text.startswith("Not saved:") for text in seat.page.evaluate("said"))
    seat.page.context.close()
    rows = read_events(folder)
    [kept] = [row for row in rows if str(row["id"]) == lost[0]["id"]]
    assert [row for row in rows if (row["kind"], row["session"]) == (kept["kind"], kept["session"])] == [kept]


def test_who_answers_second_in_two_windows_is_told_and_goes_on(one_way, chromium):
    url, folder = one_way
    first = sit_down(chromium, url)
    first.page.click(".study[data-stage=consent] .card .go")
    first.arrive(0)
    second = sit_down(chromium, url)
    second.arrive(0)
    fill_in(first, {"sure": 1, "remark": "in the first"})
    first.go_on(0, 3)
    fill_in(second, {"sure": 3, "remark": "in the second"})
    second.page.click(".hand .go")
    second.arrive(1)
    expect(second.page.locator(".hand .saved")).to_contain_text("another answer for it is saved")
    for seat in (first, second):
        seat.page.context.close()
    rows = read_events(folder)
    [kept] = [row for row in rows if row["kind"] == "reading"]
    drafts = [json.loads(row["answers"]) for row in rows if row["kind"] == "draft"]
    assert json.loads(kept["answers"])["sure"] == 1 and {"sure": 3, "remark": "in the second"} in drafts


def test_an_earlier_answer_is_changed_and_the_first_is_kept(site, sit):
    _, study, folder = site
    seat = sit(study.readers["R1"])
    last = len(schedule(study, "R1")) - 1
    seat.wait("study.dataset.stage === 'end'")
    seat.page.click(".card .back")
    seat.arrive(last)
    before = read_events(folder)
    seat.page.keyboard.press("1")
    expect(seat.page.locator("#study .option[aria-pressed=true]")).to_have_text("1no")
    seat.page.click(".hand .go")
    seat.wait("study.dataset.stage === 'end'")
    readings = [row for row in read_events(folder)[len(before) :] if row["kind"] == "reading"]
    assert len(readings) == 1 and json.loads(readings[0]["answers"])["sure"] == 1
    assert readings[0]["replaces"] in {row["id"] for row in before}


def test_a_reader_reaches_nothing_but_their_own(site, sit):
    url, study, _ = site
    seat = sit()
    ids = seat.page.evaluate(
        "window.gradio_config.components.filter(c => c.type === 'html').map(c => [c.props.elem_id, c.id])"
    )
    ids = dict(map(tuple, ids))

    def ask(tab, name, **said):
        body = {"data": said, "component_id": ids[tab], "fn_name": name, "session_hash": "x"}
        return httpx.post(f"{url}gradio_api/component_server", json=body, timeout=60).json()

    reader, last = study.readers["R1"], len(schedule(study, "R1")) - 1
    refused = {"error", "status"}
    for code in ("", "wrong", None, reader):
        assert ask("results", "results", code=code, study="trial").keys() == refused
        answer = httpx.post(f"{url}afloc/export", json={"code": code, "study": "trial", "format": "csv"})
        assert answer.status_code == 403 and set(answer.json()) == {"error"}
    of_probe = ask("results", "results", code="the-coordinator", study="")
    assert of_probe.keys() == refused
    for index in (0, -1, last + 1, "0", None):  # the first period is closed
        assert httpx.post(f"{url}afloc/study", json={"code": reader, "index": index}).status_code == 403
    assert ask("study", "answer", code=reader, index=0, answers={"sure": 1}).keys() == refused
    assert ask("study", "place", code="the-coordinator") == {"stage": "coordinator"}
    assert "coordinator" in ask("study", "agree", code="the-coordinator")["error"]
    own = ask("study", "place", code=reader, index=last)
    assert (
        "truth" not in json.dumps(own)
        and "k0" not in json.dumps(own["slot"])
        and "Doe" not in json.dumps(own)
    )


def test_results_for_the_coordinator(site, sit):
    url, study, _ = site
    page = sit().page
    page.get_by_role("tab", name="Results").click()
    page.fill("#results .card input", "the-coordinator")
    page.keyboard.press("Enter")
    page.wait_for_selector("#results .part")
    expect(page.locator("#results .part h2")).to_have_count(8)  # they are put into columns first
    titles = page.locator("#results .part h2").all_inner_texts()
    assert {title.split(":")[0] for title in titles} == {
        "Progress",
        "ROC",
        "Difference that the aid makes",
        "Reading time",
        "Sensitivity and specificity; LROC and AFROC where regions are drawn",
        "Agreement",
        "Overlap of what was drawn",
        "Is it there?",
    }
    keys = page.locator("#results .figure-of")
    expect(keys).to_have_count(3)
    expect(keys.first.locator("b")).to_have_text("100%")
    assert "n_cases" not in page.inner_text("#results .parts") and "Cases" in page.inner_text(
        "#results .parts"
    )
    page.wait_for_selector("#results .figure .main-svg")
    with (
        page.expect_response(lambda response: call_of("results")(response.request)),
        held(page, call_of("results")),
        page.expect_request(call_of("results")),
    ):
        page.click("#results .again")
        page.click("#results .leave")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(page.locator("#results .part")).to_have_count(0)  # nothing comes back after signing out
    page.fill("#results .card input", "the-coordinator")
    page.keyboard.press("Enter")
    page.wait_for_selector("#results .figure .main-svg")
    assert_accessible(page, "results", "#results")
    total = len(schedule(study, "R1"))
    cells = page.locator("#results .part >> nth=0").locator("td").all_inner_texts()
    assert cells[2:4] == [str(total), str(total)]
    page.click("#results .plan summary")
    page.fill("#results [name=cases]", "200")
    page.click("#results .plan [type=submit]")
    expect(page.locator("#results .planned tbody tr")).to_have_count(8)
    guessed = page.locator("#results .planned").inner_text()
    page.select_option("#results [name=from]", "pilot")
    page.click("#results .plan [type=submit]")
    expect(page.locator("#results .planned")).not_to_have_text(guessed, use_inner_text=True)
    expect(page.locator("#results .planned tbody tr")).to_have_count(8)
    with page.expect_download() as download:
        page.click("#results [data-format=imrmc]")
    archive = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    assert sorted(archive.namelist()) == ["trial.dictionary.csv", "trial.imrmc", "trial.trial.study.json"]
    assert f"NR: {len(study.readers)}" in archive.read("trial.imrmc").decode()
    for name, begins in (
        ("Reading time: SVG", b"<?xml"),
        ("Reading time: PNG, 300 dpi", b"\x89PNG"),
        ("ROC: CSV", b"Measure,Reader,AUC"),
        ("Report", b"<!doctype html>"),
        ("Data package", b"PK"),
    ):
        with page.expect_download() as download:
            part, _, kind = name.partition(": ")
            pressed = re.compile(f"^{part}.*: {kind}$" if kind else f"^{part}$")
            page.locator("#results").get_by_role("button", name=pressed).first.click()
        assert download.value.path().read_bytes().startswith(begins), name
    asked = {"code": "the-coordinator", "study": "trial", "format": "svg", "name": "nothing"}
    assert httpx.post(f"{url}afloc/export", json=asked).status_code == 422
    for format in ("csv", "parquet", "coco"):
        answer = httpx.post(
            f"{url}afloc/export", json={"code": "the-coordinator", "study": "trial", "format": format}
        )
        assert answer.status_code == 200 and zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None


def test_results_say_which_version_and_what_time(tiny_folder, chromium, tmp_path):
    """A study whose labels were turned round after its first reader: never both without a word."""
    study = write_study(tmp_path / "studies", 2, 2, HEAD.replace("crossover", "unaided_then_aided"))
    table = tmp_path / "studies" / "trial.toml"
    with Store(tmp_path / "data") as store:
        for reader in study.readers:
            give_consent(store, study, reader)
            for slot in schedule(study, reader):
                spent = 20_000 if slot.arm == "unaided" else 5_000
                save_reading(store, study, reader, slot.index, {"sure": 3}, visible_ms=spent)
            if reader == "R1":
                older = study.version
                table.write_text(
                    table.read_text().replace('"no", "perhaps", "yes"', '"yes", "perhaps", "no"')
                )
                study = read_study(table)
    with serve_study(tiny_folder, tmp_path) as url, chromium.new_page() as page:
        page.goto(url)
        page.get_by_role("tab", name="Results").click()
        page.fill("#results .card input", "the-coordinator")
        page.keyboard.press("Enter")
        page.wait_for_selector("#results .part")
        notes = page.locator("#results .notes")
        answers = page.locator("#results .part").filter(has=page.locator("h2:text-is('Is it there?')"))
        answers = answers.locator("tbody")
        expect(notes).to_contain_text(f"Left out: 4 readings of version {older}, which differs in questions.")
        expect(answers).to_contain_text("no")
        expect(answers).not_to_contain_text("yes")
        times = page.locator("#results .part", has_text="Reading time")
        expect(times.locator("h2")).to_contain_text("Reading time: +25.0% aided")
        expect(times.locator(".more")).to_contain_text("that of both looks together")
        page.select_option("#results .version", older)
        expect(answers).to_contain_text("yes", timeout=60_000)
        expect(answers).not_to_contain_text("no")
        expect(notes).to_contain_text("Left out: 4 readings")
        with page.expect_download() as download:
            page.click("#results [data-format=imrmc]")
        archive = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
        assert f"version {older}" in archive.read("trial.imrmc").decode().splitlines()[0]
        protocol = json.loads(archive.read("trial.trial.study.json"))
        assert [each["version"] for each in protocol["earlier_versions"]] == [older]
        page.select_option("#results .version", "all")
        expect(notes).to_contain_text("Pooled: 4 readings", timeout=60_000)


def test_the_same_case_is_read_unaided_then_aided(tiny_folder, tmp_path):
    study = write_study(tmp_path / "studies", 1, 2, HEAD.replace("crossover", "unaided_then_aided"))
    with Store(tmp_path / "data") as store:
        sessions = StudySessions(load_model(tiny_folder), {study.id: study}, store)
        assert show_place(sessions, study, "R1")["stage"] == "consent"
        give_consent(store, study, "R1")
        before = show_place(sessions, study, "R1")
        assert before["slot"]["arm"] == "unaided" and "finding" not in before
        save_reading(store, study, "R1", 0, {"sure": 2}, [{"box": [1, 2, 3, 4]}], visible_ms=900)
        after = show_place(sessions, study, "R1")
        assert after["slot"]["arm"] == "aided" and 0 <= after["finding"]["score"] <= 1
        assert after["slot"]["description"] == before["slot"]["description"]
        assert after["saved"] == {
            "answers": {"sure": 2},
            "regions": [{"box": [1, 2, 3, 4]}],
            "visible_ms": 0,
            "active_ms": 0,
        }
        first = show_place(
            sessions, study, "R1", 0
        )  # going back shows no score, and the first answer is final
        assert "finding" not in first and first["answered"] and not first["open"]


def test_a_low_map_is_said_to_be_low(low_map, chromium, tmp_path):
    model, low = low_map
    write_study(tmp_path / "studies", 1, 1, HEAD.replace("crossover", "unaided_then_aided"))
    (tmp_path / "studies" / "Doe_Jane_0.png").write_bytes(to_png(EXAMPLES[0].load().gray()))
    table = tmp_path / "studies" / "trial.toml"
    table.write_text(table.read_text().replace("finding number 0", low.text))
    with serve_study(model, tmp_path) as url, chromium.new_page() as page:
        fill_in(begin(page, url), {"sure": 1, "remark": ""})
        page.click(".hand .go")
        expect(page.locator("#study .model h2")).to_have_text(re.compile(": flagged$"))
        said = f"The map is low everywhere, at most {low.grid.max():.2f}."
        expect(page.locator("#study .model .words")).to_contain_text(said)
        page.evaluate("document.activeElement.blur()")
        page.keyboard.down("h")  # beneath the map, and away from the window with the key held
        expect(page.locator("#study .viewer")).to_have_attribute("data-map", "none")
        page.evaluate("window.dispatchEvent(new Event('blur'))")
        expect(page.locator("#study .viewer")).to_have_attribute("data-map", "shown")


def test_the_wash_out_is_waited_for(tiny_folder, tmp_path):
    study = write_study(tmp_path / "studies", 1, 2, HEAD + "washout_days = 28\n")
    with Store(tmp_path / "data") as store:
        sessions = StudySessions(load_model(tiny_folder), {study.id: study}, store)
        give_consent(store, study, "R1")
        for index in range(2):
            save_reading(store, study, "R1", index, {"sure": 1})
        place = show_place(sessions, study, "R1")
        assert place["stage"] == "waiting" and set(place) == {"stage", "until"}
        days = (datetime.fromisoformat(place["until"]) - datetime.now(UTC)).days
        assert days in (27, 28)
        with pytest.raises(AccessError):
            show_place(sessions, study, "R1", 2)
