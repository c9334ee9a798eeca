"""The PACS in the browser: search, open, send back; and the link that opens an image."""

import pytest
from playwright.sync_api import expect

from afloc.passwords import hash_password
from tests.pacs.orthanc import running_orthanc
from tests.pacs.sources import enhanced, film, source
from tests.web.conftest import held, serve
from tests.web.routes.test_pacs import place_of, read, settings

LOCK = "open sesame"


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as orthanc:
        yield orthanc


@pytest.fixture(scope="module")
def site(orthanc, tiny_folder, tmp_path_factory):
    """A page with a password: a link from elsewhere has to get past the sign-in."""
    own = settings(orthanc, tmp_path_factory.mktemp("data"))
    lock = {"AFLOC_PASSWORD": hash_password(LOCK), "AFLOC_DICOMWEB_SEND": "yes"}
    with serve(tiny_folder, **own, **lock) as url:
        yield url


@pytest.fixture
def visit(chromium, site):
    """Sign in at an address below the page's; an error in its scripts fails the test."""
    errors, contexts = [], []

    def visit(path=""):
        contexts.append(chromium.new_context(viewport={"width": 1366, "height": 768}, accept_downloads=True))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(site + path)
        page.fill("input[type=password]", LOCK)
        page.click("button")
        page.wait_for_selector(".viewer:is([data-state='ready'], [data-state='error'])")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not errors


def wait_for_text(page, selector, text):
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)",
        arg=[selector, text],
    )


def test_search_open_and_send_back(visit, orthanc):
    several = source(StudyDescription="Thorax", PatientName="Lind^Asa", InstanceNumber=1)
    place = place_of(several)
    same = {"StudyInstanceUID": place["study"], "StudyDescription": "Thorax", "PatientName": "Lind^Asa"}
    second = source(film((96, 80)), InstanceNumber=2, SeriesDescription="<b>lateral</b>", **same)
    for content in (several, second, source(PatientName="Berg^Bo")):
        orthanc.put(content)
    page = visit()
    page.click("#probe .from-pacs")
    page.press("#probe .pacs [name=patient]", "Enter")
    wait_for_text(page, "#probe .pacs .done", "at least one field")
    page.fill("#probe .pacs [name=name]", "lind")
    page.press("#probe .pacs [name=name]", "Enter")
    page.click("#probe .pacs .row:has-text('Lind Asa')")
    page.click("#probe .pacs .row:has-text('<b>lateral</b>')")  # as text
    page.wait_for_function("document.querySelector('#probe .viewer').viewer.image.width === 80")
    assert not page.is_visible("#probe .pacs") and page.locator("#probe .pacs .row").count() == 0
    page.select_option("#probe .modality select", "chest_xray")
    page.fill("#description", "small nodule")
    page.wait_for_selector("#probe .keep:enabled")  # answered
    page.click("#probe .share")
    with held(page, lambda request: request.url.endswith("/pacs/results")) as sent:
        page.click("#probe .sharing >> text=Send both")
        page.keyboard.press("Escape")
        page.click("#probe .share")
        expect(page.locator("#probe .sharing >> text=Send both")).to_be_disabled()  # one report is enough
        assert len(sent) == 1
    wait_for_text(page, "#probe .sharing .done", "are stored in the PACS")
    mine = [each for each in map(read, orthanc.files()) if each.get("Manufacturer") == "AFLoc"]
    assert sorted(each.Modality for each in mine) == ["OT", "SR"]
    assert {each.StudyInstanceUID for each in mine} == {place["study"]}
    with page.expect_download() as caught:
        page.click("#probe .sharing >> text=Download DICOM")
    assert caught.value.suggested_filename == "afloc-dicom.zip"


def test_a_link_opens_an_image_past_the_sign_in(visit, orthanc):
    stored = enhanced()
    orthanc.put(stored)
    link = "?" + "&".join(f"{name}={uid}" for name, uid in place_of(stored).items())
    page = visit(f"{link}&frame=1")
    wait_for_text(page, "#probe .viewer", "frame 2 of 3")
    page.click("#probe .frames button:last-of-type")
    wait_for_text(page, "#probe .viewer", "frame 3 of 3")
    assert page.locator("#probe .hint").count() == 0  # it speaks of an example
    gone = visit("?study=1.2&series=1.3&instance=1.4")
    wait_for_text(gone, "#probe .verdict .words", "The PACS has no such image.")


def test_without_the_setting_nothing_is_offered(chromium, tiny_folder, tmp_path):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path)) as url:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(".viewer[data-state='ready']")
        assert page.locator("#probe .from-pacs, #probe dialog.pacs").count() == 0
        assert page.locator("#probe .sharing >> text=Send both").count() == 0
        context.close()
