"""Studies made in the browser: who may, what is refused, and the story from an empty server to results."""

import csv
import io
import json
import zipfile
from collections import defaultdict

import httpx
import pytest
from playwright.sync_api import expect

from afloc.feedback.studies.access import keep_code
from afloc.feedback.studies.study_file import FOLDER, read_study
from tests.web.conftest import serve
from tests.web.study_story import ReaderAtPage
from tests.web.tabs.test_probe import a_film, to_png

TEMPLATE = (FOLDER / "demo.toml").read_text().replace('"demo-', '"trial-')
NAME = "Doe_Jane_1970"


@pytest.fixture(scope="module")
def site(tiny_folder, tmp_path_factory):
    """An empty server: its address, and its data folder."""
    data = tmp_path_factory.mktemp("data")
    with serve(tiny_folder, AFLOC_DATA_DIR=str(data)) as url:
        yield url, data


@pytest.fixture
def ask(site):
    """Asks the server as the page's coordinator, or with another code: (status, answer)."""
    url, data = site
    code = keep_code(data / "studies")

    def ask(action, said_code=code, **question):
        reply = httpx.post(f"{url}afloc/studies/{action}", json={"code": said_code, **question}, timeout=60)
        return reply.status_code, reply.json()

    return ask


@pytest.fixture
def study(ask):
    """A draft from the template; it is deleted in the end."""
    status, made = ask("new", name="trial", text=TEMPLATE)
    assert status == 200
    yield made
    _, now = ask("open", name="trial")
    if now.get("state") == "open":
        _, now = ask("state", name="trial", token=now["token"], state="closed")
    if now.get("token"):
        assert ask("delete", name="trial", token=now["token"])[0] == 200


def send(url, files):
    """The key of a set that is sent file by file."""
    key = None
    for name, content in files:
        query = {"name": name} | ({"set": key} if key else {})
        key = httpx.post(f"{url}afloc/sets", params=query, content=content, timeout=60).json()["set"]
    return key


def test_who_is_no_coordinator_is_told_nothing(ask, study):
    token = study["token"]
    actions = (
        *(("list", {}), ("open", {}), ("preview", {}), ("pixels", {}), ("progress", {}), ("codes", {})),
        *(("save", {"token": token, "values": {}}), ("delete", {"token": token})),
        *(("new", {}), ("cases", {"set": "x"}), ("picture", {"image": "example:retina"}), ("power", {})),
        *(("state", {"token": token, "state": "open"}), ("truth", {"table": "", "cases": []})),
    )
    for code in ("demo-1", "trial-1"):  # readers
        for action, question in actions:
            status, answer = ask(action, code, **{"name": "trial"} | question)
            assert status == 403 and set(answer) == {"error"}, (code, action)
    for code in ("", "wrong", 3):
        assert ask("open", code, name="trial")[0] == 403


def test_a_studys_coordinator_has_this_study_alone(ask, study):
    other = ask("new", name="other", title="Other")[1]
    own = "trial-coordinator"
    status, listed = ask("list", own)
    assert status == 200 and [each["name"] for each in listed["studies"]] == ["trial"] and not listed["all"]
    assert ask("open", own, name="other")[0] == ask("new", own, name="third")[0] == 403
    assert ask("delete", own, name="trial", token=study["token"])[0] == 403
    values = study["values"] | {"title": "Mine", "coordinator": "stolen-code"}
    status, saved = ask("save", own, name="trial", token=study["token"], values=values)
    assert status == 200 and saved["values"]["title"] == "Mine"
    assert saved["values"]["coordinator"] == own, "nor do they give their place to another code"
    assert ask("delete", name="other", token=other["token"])[0] == 200


def test_the_second_of_two_who_change_a_study_is_told(ask, study):
    first = {"name": "trial", "token": study["token"], "values": study["values"] | {"title": "First"}}
    assert ask("save", **first)[0] == 200
    status, answer = ask("save", **first | {"values": study["values"] | {"title": "Second"}})
    assert status == 409 and "Somebody else" in answer["error"]
    assert ask("open", name="trial")[1]["values"]["title"] == "First"


def test_a_started_study_is_read_at_once_and_a_paused_one_is_not(site, ask, study):
    url, _ = site
    _, open_ = ask("state", name="trial", token=study["token"], state="open")
    assert open_["state"] == "open" and open_["values"]["protocol"]["sha256"] == open_["digest"]

    def pixels():
        return httpx.post(f"{url}afloc/study", json={"code": "trial-1", "index": 0})

    assert pixels().status_code == 403 and "paused" not in pixels().text, "before the consent"
    _, paused = ask("state", name="trial", token=open_["token"], state="paused")
    assert "is paused" in pixels().text
    values = paused["values"] | {"repeats": 1}
    status, answer = ask("save", name="trial", token=paused["token"], values=values)
    assert status == 422 and "say why" in answer["error"]
    status, saved = ask("save", name="trial", token=paused["token"], values=values, reason="Too long.")
    assert status == 200 and saved["values"]["deviations"][0]["version"] == saved["version"]


def test_a_set_becomes_cases_with_their_truth_and_no_name_is_kept(site, ask, study):
    url, data = site
    box = {"label": "Effusion", "x": 10, "y": 20, "w": 30, "h": 40}
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(("image", "labels", "boxes", "patient"))
    writer.writerow((f"{NAME}_0.png", "Effusion", json.dumps([box]), NAME))
    writer.writerow((f"{NAME}_1.png", "Atelectasis", "[]", NAME))
    films = [(f"{NAME}_{n}.png", to_png(a_film(n))) for n in range(2)]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in (("table.csv", table.getvalue()), *films):
            archive.writestr(f"a folder/{name}", content)
    status, found = ask(
        "cases", name="trial", set=send(url, [("set.zip", packed.getvalue())]), taken=["c001"]
    )
    assert status == 200 and not found["problems"], found
    one, other = found["cases"]
    assert (one["id"], one["truth"], one["boxes"]) == ("c002", True, [[10, 20, 30, 40]])
    assert (
        other["truth"] is True
        and other["description"] == "Atelectasis"
        and one["patient"] == other["patient"] == "p001"
    )
    key = send(url, [("set.zip", packed.getvalue())])
    _, asked = ask("cases", name="trial", set=key, finding="pleural effusion")
    assert [case["truth"] for case in asked["cases"]] == [True, False]
    assert {case["description"] for case in asked["cases"]} == {"pleural effusion"}
    values = study["values"] | {"cases": [{**each, "description": "effusion"} for each in found["cases"]]}
    status, saved = ask("save", name="trial", token=study["token"], values=values | {"repeats": 0})
    assert status == 200 and not saved["faults"]
    kept = [path for path in data.rglob("*") if path.is_file()]
    assert len([path for path in kept if ".images" in path.parent.name]) == 2
    assert not any(NAME in str(path) or NAME.encode() in path.read_bytes() for path in kept)
    read_study(data / "studies" / "trial.toml")


def test_the_truth_of_cases_is_read_from_a_table_or_all_is_said_that_is_wrong(ask, study):
    known = {"name": "trial", "cases": ["c01", "c02", "t1"]}
    table = 'case,truth,boxes\nc01,1,"[[1,2,3,4],{""x"":5,""y"":6,""w"":7,""h"":8}]"\nt1,no,\nc02,,\n'
    status, told = ask("truth", table=table, **known)
    assert status == 200 and told["truths"] == {
        "c01": {"truth": True, "boxes": [[1, 2, 3, 4], [5, 6, 7, 8]]},
        "t1": {"truth": False, "boxes": []},
    }
    _, told = ask("truth", table="case,truth\nc01,1\nc09,1\nc02,perhaps\nc01,0\n", **known)
    assert not told["faults"][0].startswith("Line 2") and [each[:6] for each in told["faults"]] == [
        "Line 3",
        "Line 4",
        "Line 5",
    ]


def test_images_without_a_table_and_what_is_none(site, ask, study):
    url, data = site
    files = [(f"../../{NAME}.png", to_png(a_film(3))), ("b/film.png", to_png(a_film(4))), ("b/x.png", b"no")]
    _, found = ask("cases", name="trial", set=send(url, files), finding="nodule")
    assert [case["description"] for case in found["cases"]] == ["", ""] or len(found["cases"]) >= 1
    assert len(found["problems"]) == 1 and "x.png" in found["problems"][0]
    assert {path.parent for path in data.rglob("*.png")} == {data / "studies" / "trial.images"}


@pytest.mark.parametrize("image", ["/etc/hostname", "../data/feedback.duckdb", "trial.toml"])
def test_no_picture_of_another_file(ask, study, image):
    status, answer = ask("picture", name="trial", image=image)
    assert status == 422 and "uploaded" in answer["error"]
    values = study["values"] | {"cases": [{"id": "x", "image": image, "description": "x"}]}
    assert ask("save", name="trial", token=study["token"], values=values)[0] == 422
    assert ask("new", name="evil", text=TEMPLATE.replace("example:retina", image))[0] == (
        422 if image != "trial.toml" else 200
    )
    if image == "trial.toml":
        assert ask("delete", name="evil", token=ask("open", name="evil")[1]["token"])[0] == 200


def test_another_site_cannot_start_or_delete_a_study(site, study):
    url, data = site
    for action in ("list", "new", "save", "state", "delete", "cases"):
        reply = httpx.post(
            f"{url}afloc/studies/{action}",
            json={"code": keep_code(data / "studies"), "name": "trial"},
            headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        )
        assert reply.status_code == 403 and "other sites" in reply.text


def open_studies(chromium, url, code, size=(1280, 720)):
    """The page of a coordinator who signs in, and its errors."""
    context, errors = chromium.new_context(viewport={"width": size[0], "height": size[1]}), []
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: "Content Security Policy" in said.text and errors.append(said.text))
    page.goto(url)
    page.get_by_role("tab", name="Reader study").click()
    page.fill("#study .card input", code)
    page.keyboard.press("Enter")
    page.wait_for_selector("#study .editor .list")
    return page, errors


def go_to(page, step):
    page.locator("#study .steps .step", has_text=step).click()


def read_all(chromium, url, code, stop_after=None):
    """A reader at a browser of their own, who answers 4 everywhere; how many cases they answered."""
    reader = ReaderAtPage(chromium, url, code, defaultdict(lambda: 4))
    while reader.arrive() == "case" and len(reader.answered) != stop_after:
        reader.answer()
    reader.close()
    return len(reader.answered)


def test_from_an_empty_server_to_the_results(tiny_folder, tmp_path, chromium):
    """A coordinator makes a study, looks at it as a reader would and starts it; one reader stops. There is no
    study at first, not even the demo."""
    studies = str(tmp_path / "studies")
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path), AFLOC_STUDIES_DIR=studies) as url:
        page, errors = open_studies(chromium, url, keep_code(tmp_path / "studies"))
        page.get_by_text("New study…").click()
        page.fill("dialog [name=name]", "effusions")
        page.fill("dialog [name=title]", "Effusions <b>on films</b>")
        page.keyboard.press("Enter")
        page.wait_for_selector("#study .editor .steps")
        page.get_by_label("Without, then with").check()
        page.get_by_label("After a training case readers see the truth").check()

        go_to(page, "Cases")
        page.get_by_label("What is asked of the images that are added").fill("pleural effusion")
        films = [
            {"name": f"{NAME}_{n}.png", "mimeType": "image/png", "buffer": to_png(a_film(n))}
            for n in range(3)
        ]
        page.set_input_files("#study .adder input[type=file] >> nth=0", films)
        expect(page.locator("#study table.cases tbody tr")).to_have_count(3)
        page.get_by_label("Use of c003").select_option("training")
        expect(page.locator("#study p.count")).to_have_text("2 cases count; 1 for training come first.")

        go_to(page, "Truth")
        page.get_by_label("The finding of c001").select_option("yes")
        page.get_by_label("Boxes of c001: 0").click()
        page.wait_for_selector("dialog.boxes .stage img")
        page.get_by_text("Add a box by numbers").click()
        page.get_by_label("Box 1, width").fill("9000")
        page.get_by_text("Done").click()
        expect(page.locator("#study [data-key='cases[1].boxes'] .fault")).to_contain_text(
            "not within the image"
        )
        page.get_by_label("Boxes of c001: 1").click()
        page.wait_for_selector("dialog.boxes .stage img")
        page.get_by_label("Box 1, width").fill("20")
        page.get_by_text("Done").click()
        table = {"name": "truth.csv", "mimeType": "text/csv", "buffer": b"case,truth\nc002,2\nc009,0\n"}
        page.set_input_files("#study .truth-table input", table)
        expect(page.locator("#study .truth-table li")).to_have_count(2)
        expect(page.locator("#study .truth-table .problem")).to_contain_text("Nothing of the table was taken")
        page.set_input_files("#study .truth-table input", table | {"buffer": b"case,truth\nc002,0\nc003,0\n"})
        expect(page.locator("#study .truth-table [role=status]")).to_have_text(
            "The truth of 2 cases was read; 1 is not in the table and stays as before."
        )
        with page.expect_download() as loading:
            page.get_by_text("As CSV").click()
        kept = loading.value.path().read_text()
        assert kept.startswith("case,truth,boxes\nc003,0,\nc001,1,") and kept.endswith("\nc002,0,\n")

        go_to(page, "Consent and contact")
        page.get_by_label("Consent", exact=True).fill("Your answers are kept.")
        page.get_by_label("Contact").fill("Dr Smith, 555 0100")

        go_to(page, "Check and run")
        expect(page.locator("#study .faults li")).to_have_count(1)
        expect(page.locator("#study .faults")).to_contain_text("readers Names nobody.")
        page.locator("#study .faults .link").click()
        page.get_by_label("How many readers to add").fill("3")
        page.get_by_text("Add readers").click()
        expect(page.locator("#study table.readers tbody tr")).to_have_count(3)
        codes = page.locator("#study table.readers code").all_inner_texts()
        assert len(set(codes)) == 3 and all(len(code) == 19 for code in codes)

        go_to(page, "Check and run")
        expect(page.locator("#study .sound")).to_contain_text("6 readings, training included")
        page.get_by_text("Preview as a reader").click()
        page.get_by_role("button", name="I agree, begin").click()
        page.get_by_role("button", name="Begin the training").click()
        expect(page.locator("#study .who")).to_have_text("Preview as R1: nothing is saved")
        expect(page.locator("#study .count").first).to_have_text("Training 1 of 2")
        page.click("#study .foot .leave")

        page.get_by_text("Start the study…").click()
        page.locator("dialog.ask .go").click()
        expect(page.locator("#study .chip.open")).to_be_visible()
        study = read_study(tmp_path / "studies" / "effusions.toml")
        assert study.protocol.sha256 == study.digest and list(study.readers.values()) == codes
        assert page.locator("#study .lock").inner_text().count(study.digest) == 1

        other = {"code": keep_code(tmp_path / "studies"), "name": "effusions"}
        now = httpx.post(f"{url}afloc/studies/open", json=other).json()
        said = {"token": now["token"], "values": now["values"] | {"contact": "Dr Jones"}, "reason": ""}
        assert httpx.post(f"{url}afloc/studies/save", json=other | said).status_code == 200

        assert [read_all(chromium, url, code) for code in codes[:2]] == [6, 6]
        assert read_all(chromium, url, codes[2], stop_after=3) == 3
        expect(page.locator("#study .progress-of-readers")).to_contain_text("3 of 6")
        expect(page.locator("#study .progress-of-readers tbody tr").first).to_contain_text("6 of 6")
        go_to(page, "Consent and contact")  # what another coordinator has saved meanwhile
        expect(page.get_by_label("Contact")).to_have_value("Dr Jones")
        go_to(page, "Check and run")
        page.locator("#study .editor .form").get_by_text("Close", exact=True).click()
        expect(page.locator("#study .chip.closed")).to_be_visible()

        page.get_by_role("tab", name="Results").click()
        page.fill("#results .card input", keep_code(tmp_path / "studies"))
        page.keyboard.press("Enter")
        page.wait_for_selector("#results .part")
        assert not errors
        page.context.close()


def test_two_coordinators_lose_nothing(site, study, chromium):
    """What one changed stands beside what the other did; of the same key the second one chooses."""
    url, data = site
    code = keep_code(data / "studies")
    (one, no_errors), (other, none) = (open_studies(chromium, url, code) for _ in range(2))
    for page in (one, other):
        page.get_by_role("button", name="A reader study to try").click()
        page.wait_for_selector("#study .editor .steps")
    one.get_by_label("Repeated cases").fill("1")
    expect(one.locator("#study .editor .saved")).to_have_text("Saved")
    other.get_by_label("Title").fill("Theirs")
    expect(other.locator("#study .editor .saved")).to_contain_text("Somebody else changed repeats")
    expect(other.get_by_label("Repeated cases")).to_have_value("1")
    expect(other.locator("#study .top h2")).to_have_text("Theirs")
    one.get_by_label("Title").fill("Ours")
    expect(one.locator("#study .bar-change")).to_contain_text("changed title too")
    one.get_by_text("Keep mine").click()
    expect(one.locator("#study .editor .saved")).to_have_text("Saved")
    assert read_study(data / "studies" / "trial.toml").title == "Ours"
    for page in (one, other):
        page.context.close()
    assert not no_errors + none


def test_a_change_of_the_locked_protocol_is_made_with_its_reason(site, ask, study, chromium):
    url, data = site
    assert ask("state", name="trial", token=study["token"], state="open")[0] == 200
    page, errors = open_studies(chromium, url, "trial-coordinator")
    page.get_by_role("button", name="A reader study to try").click()
    go_to(page, "Design")
    expect(page.get_by_label("Repeated cases")).to_be_disabled()
    page.get_by_text("Change the protocol…").click()
    page.get_by_label("Repeated cases").fill("1")
    page.get_by_text("Apply", exact=True).click()
    expect(page.locator("#study .editor .saved")).to_contain_text("say why")
    page.get_by_label("Reason of the change").fill("Readers were tired.")
    page.get_by_text("Apply", exact=True).click()
    expect(page.locator("#study .bar-change")).to_be_hidden()
    go_to(page, "Check and run")
    expect(page.locator("#study .lock")).to_contain_text("Readers were tired.")
    assert read_study(data / "studies" / "trial.toml").repeats == 1 and not errors
    page.context.close()


def test_two_replicas_of_one_folder_have_one_study(tiny_folder, tmp_path):
    """What is made and started at one is read at the other from the next request on, and the reverse."""
    shared = {"AFLOC_STUDIES_DIR": str(tmp_path / "studies")}
    with (
        serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "1"), **shared) as one,
        serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "2"), **shared) as other,
    ):
        code = keep_code(tmp_path / "studies")

        def ask(url, action, **question):
            reply = httpx.post(f"{url}afloc/studies/{action}", json={"code": code, **question}, timeout=60)
            assert reply.status_code == 200, reply.text
            return reply.json()

        def read(url):
            asked = {"code": "trial-1", "index": 0}
            return httpx.post(f"{url}afloc/study", json=asked).json()["error"]

        draft = ask(one, "new", name="draft", title="Not finished, and the only one")
        own = httpx.post(f"{other}afloc/studies/list", json={"code": draft["values"]["coordinator"]})
        assert [each["name"] for each in own.json()["studies"]] == ["draft"]
        made = ask(one, "new", name="trial", text=TEMPLATE)
        assert "not begun" in read(other)
        ask(one, "state", name="trial", token=made["token"], state="open")
        assert read(other) == read(one) and "not begun" not in read(one)
        token = ask(other, "open", name="trial")["token"]
        paused = ask(other, "state", name="trial", token=token, state="paused")
        assert "paused" in read(one)
        ask(one, "delete", name="trial", token=paused["token"])
        assert "No reader" in read(other)
