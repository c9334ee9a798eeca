"""Text that tries to be code, wherever the page takes text: nothing runs, all of it is shown as it is."""

import io
import json
import re

import duckdb
import pytest
from playwright.sync_api import expect
from pydicom import config, dcmread

from afloc.feedback.store.store import FILE_NAME
from afloc.text import clean_text
from tests.web.conftest import serve
from tests.web.tabs.test_probe import a_film, to_dicom, to_png, upload, wait_for_size

CODE = "the coordinator"
HIT = "window.hit=1"
PAYLOADS = (
    f"<script>{HIT}</script>",
    f"</script><script>{HIT}</script>",
    f'<img src=x onerror="{HIT}">',
    f"<svg onload={HIT}>",
    f"<svg><animate onbegin={HIT} attributeName=x dur=1s>",
    f"<iframe srcdoc='<script>parent.{HIT}</script>'>",
    f"<a href='javascript:{HIT}'>x</a>",
    f"<details open ontoggle={HIT}>",
    f"<input autofocus onfocus={HIT}>",
    f"<body onload={HIT}>",
    f"</textarea><script>{HIT}</script>",
    f"</title><script>{HIT}</script>",
    f"--><script>{HIT}</script><!--",
    f'" onmouseover="{HIT}" x="',
    f"' autofocus onfocus='{HIT}",
    f"<math><mtext><style><img src=x onerror={HIT}></style></mtext></math>",
    f"&lt;img src=x onerror={HIT}&gt; &#60;script&#62;",
    "<b>bold</b> & <i>slanted</i>",
    f"javascript:{HIT}",
    f"data:text/html,<script>{HIT}</script>",
    f"${{{HIT}}}",
    f"`${{{HIT}}}`",
    f"{{{{{HIT}}}}}",
    "{{constructor.constructor('window.hit=1')()}}",
    "{{#with this}}{{lookup . 'constructor'}}{{/with}}",
    "{{{value}}} {{> partial}} {% raw %} <%= 7*7 %> #{7*7}",
    f"`;{HIT};//",
    f"\\`;{HIT};//\\",
    f"'-({HIT})-'",
    f'");{HIT};//',
    "__proto__ constructor toString",
    "'; DROP TABLE events; --",
    "\" OR 1=1; COPY events TO '/tmp/x'; --",
    "' UNION SELECT code FROM readers --",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://x.example","y")',
    "+1+1 @SUM(A1) -2",
    "../../../../etc/passwd",
    "\u202eeffusion\u202c \u2066left\u2069",
    "%s %n %(message)s {0} \\u003cscript\\u003e",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("payloads")


@pytest.fixture(scope="module")
def url(tiny_folder, folder):
    data = str(folder / "data")
    with serve(tiny_folder, AFLOC_DATA_DIR=data, AFLOC_COORDINATOR_CODE=CODE) as url:
        yield url


def unhurt(page):
    assert page.evaluate("window.hit") is None
    assert page.locator("script:has-text('window.hit')").count() == 0
    assert page.locator("[onerror], [onload], [onfocus], [ontoggle], [onbegin], [onmouseover]").count() == 0


def test_as_description_and_comment(page, folder):
    assert len(set(PAYLOADS)) == 40
    saved = "document.querySelector('#probe .feedback .saved').textContent"
    for payload in PAYLOADS:
        answered = int(page.get_attribute(".viewer", "data-answer"))
        page.fill("textarea", payload)
        page.wait_for_function(
            "n => Number(document.querySelector('.viewer').dataset.answer) > n", arg=answered
        )
        assert page.input_value("textarea") == payload
        page.click("[data-there=yes]")
        page.wait_for_function(f"/^saved /.test({saved})")
        page.fill("#probe .feedback input", payload)
        page.press("#probe .feedback input", "Enter")
        page.wait_for_function(f"/^saved /.test({saved})")
        assert page.input_value("#probe .feedback input") == payload
    unhurt(page)
    with duckdb.connect(str(folder / "data" / FILE_NAME)) as database:
        kept = database.execute("SELECT description, comment FROM answers ORDER BY seq").fetchall()
    assert kept == [(clean_text(payload), clean_text(payload)) for payload in PAYLOADS]

    page.get_by_role("tab", name="Results").click()
    page.fill("#results [name=code]", CODE)
    page.press("#results [name=code]", "Enter")
    page.select_option("#results .which", "")
    expect(page.locator("#results table td").filter(has_text=PAYLOADS[0]).first).to_be_attached()
    shown = page.locator("#results table td").all_text_contents()
    assert set(map(clean_text, PAYLOADS)) <= set(shown)
    page.wait_for_selector("#results .js-plotly-plot .main-svg")
    unhurt(page)


def test_as_name_of_a_file_and_of_a_patient(page):
    for number, payload in enumerate(PAYLOADS[::4]):  # all forty stand as descriptions
        dataset = dcmread(io.BytesIO(to_dicom(a_film(number, 200 + number))))
        dataset.PatientName = f"{payload} Doe-4711"
        out = io.BytesIO()
        with config.disable_value_validation():
            dataset.save_as(out)
        upload(page, out.getvalue(), f"{payload}.dcm")
        wait_for_size(page, 240, 200 + number)
        assert "Doe-4711" not in page.inner_text("body")
    unhurt(page)


def test_as_label_of_ground_truth(page):
    page.get_by_role("tab", name="Ground truth").click()
    page.wait_for_selector("#ground_truth .viewer[data-answer='1'][data-state='ready']")
    numbered = list(enumerate(PAYLOADS, 1))
    film = a_film(height=300, width=480)
    coco = {
        "images": [{"id": 1, "file_name": "film.png", "width": 480, "height": 300}],
        "categories": [{"id": number, "name": payload} for number, payload in numbered],
        "annotations": [
            {"id": number, "image_id": 1, "category_id": number, "bbox": [10 * number, 20, 50, 60]}
            for number, _ in numbered
        ],
    }
    file = {"name": "truth.json", "mimeType": "application/json", "buffer": json.dumps(coco).encode()}
    page.set_input_files("#ground_truth .of-image", {**file, "name": "film.png", "buffer": to_png(film)})
    page.wait_for_function("document.querySelector('#ground_truth .viewer').viewer.image.width === 480")
    page.set_input_files("#ground_truth .of-truth", file)
    row = page.locator("#ground_truth .findings tbody tr:nth-child(40)")
    expect(row).to_be_attached(timeout=120_000)
    shown = page.locator("#ground_truth .findings .pick").all_text_contents()
    assert set(map(clean_text, PAYLOADS)) <= set(shown)
    unhurt(page)


def test_as_code(page):
    for tab, name in (("Reader study", "study"), ("Results", "results")):
        page.get_by_role("tab", name=tab).click()
        for payload in PAYLOADS[::4]:
            page.fill(f"#{name} [name=code]", payload)
            page.press(f"#{name} [name=code]", "Enter")
            problem = page.locator(f"#{name} .problem").first
            expect(problem).to_have_text(re.compile(r"check it and try again\.$|Too many requests: .*\.$"))
    unhurt(page)
