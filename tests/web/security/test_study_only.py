"""While an exclusive study is open, all but the reader's page is closed to everybody but coordinators."""

import httpx
import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import expect

from afloc.feedback.studies.access import keep_code
from afloc.feedback.studies.study_file import FOLDER
from afloc.web.security.study_only import COOKIE, cookie, knows
from tests.web.conftest import serve
from tests.web.tabs.test_probe import a_film, to_png

STUDY = (FOLDER / "demo.toml").read_text().replace("exclusive = false", "exclusive = true")
OPEN_STUDY = STUDY.replace('"demo-', '"shut-').replace('id = "demo"', 'id = "shut"')


@pytest.fixture(scope="module")
def site(tiny_folder, tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    (data / "studies").mkdir()
    (data / "studies" / "shut.toml").write_text(OPEN_STUDY)
    with serve(tiny_folder, AFLOC_DATA_DIR=str(data)) as url:
        yield url, data / "studies"


def statuses(url, **options):
    """What is answered to direct calls of everything that could show a reader more."""
    film = to_png(a_film(1))
    config = httpx.get(f"{url}config", **options).json()
    parts = {each["props"].get("elem_id"): each["id"] for each in config["components"]}
    asked = {"data": {"image": "x"}, "session_hash": "s"}
    found = {
        "image": httpx.post(f"{url}afloc/images", content=film, **options),
        "set": httpx.post(f"{url}afloc/sets?name=a.png", content=film, **options),
        "run": httpx.get(f"{url}afloc/runs/x", **options),
        "upload": httpx.post(f"{url}gradio_api/upload", files={"files": film}, **options),
        "call": httpx.post(f"{url}gradio_api/call/classify", json={"data": [None]}, **options),
        "join": httpx.post(f"{url}gradio_api/queue/join", json={"data": [None], "fn_index": 0}, **options),
    }
    for part, name in (("probe", "locate"), ("ground_truth", "measure")):
        body = asked | {"component_id": parts[part], "fn_name": name}
        found[part] = httpx.post(f"{url}gradio_api/component_server", json=body, **options)
    for body in ("[]", '{"component_id": true}', "x"):
        found[body] = httpx.post(f"{url}gradio_api/component_server", content=body, **options)
    return {name: answer.status_code for name, answer in found.items()}


def test_direct_calls_are_closed_to_everybody_but_a_coordinator(site):
    url, studies = site
    assert set(statuses(url).values()) == {403}
    with pytest.raises(Exception, match="403|study"):
        Client(url, verbose=False).predict(handle_file(__file__), api_name="/classify")
    for wrong in ("", "1.2", "9999999999.0", cookie("guess", False, False).split("=", 1)[1].split(";")[0]):
        assert 200 not in statuses(url, cookies={COOKIE: wrong}).values()
    demo = httpx.post(f"{url}afloc/studies/list", json={"code": "demo-coordinator"})
    assert set(statuses(url, cookies=dict(demo.cookies)).values()) == {403}, "whose code everybody knows"
    for code in (keep_code(studies), "shut-coordinator"):
        answer = httpx.post(f"{url}afloc/studies/list", json={"code": code})
        said = answer.headers["set-cookie"]
        assert code not in said and "HttpOnly" in said and "SameSite=Lax" in said
        found = statuses(url, cookies=dict(answer.cookies))
        assert 403 not in [status for name, status in found.items() if name not in ("[]", "x")], found


def test_readers_read_and_a_pause_opens_the_page_again(site, chromium):
    url, studies = site
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(url)
        expect(page.get_by_role("tab", name="Reader study")).to_have_attribute("aria-selected", "true")
        for name in ("Probe", "Ground truth", "Results"):
            expect(page.get_by_role("tab", name=name)).to_be_hidden()
        page.fill("#study .card input", "shut-1")
        page.keyboard.press("Enter")
        expect(page.locator("#study .card .go")).to_have_text("I agree, begin")
        page.click("#study .card .go")
        page.wait_for_selector("#study .study[data-stage=case] .viewer[data-state=ready]")
        file = studies / "shut.toml"
        file.write_text(OPEN_STUDY.replace('state = "open"', 'state = "paused"'))
        page.reload()
        expect(page.get_by_role("tab", name="Probe")).to_have_attribute("aria-selected", "true")
        assert httpx.post(f"{url}afloc/images", content=to_png(a_film(1))).status_code == 200
        file.write_text(OPEN_STUDY)


def test_a_cookie_ends_and_is_of_one_code():
    kept = cookie("a code", False, False).split("=", 1)[1].split(";")[0]
    assert knows({COOKIE: kept}, ["b", "a code"]) and not knows({COOKIE: kept}, ["b", ""])
    ends, _, mac = kept.partition(".")
    assert not knows({COOKIE: f"{int(ends) + 1}.{mac}"}, ["a code"])
    assert not knows({COOKIE: f"1.{mac}"}, ["a code"]) and not knows({}, ["a code"])
    assert "Partitioned" in cookie("a code", False, True) and "Secure" in cookie("a code", True, False)
