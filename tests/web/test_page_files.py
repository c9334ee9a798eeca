"""The scripts and style sheets of the page: fetched once, kept, and right wherever the page lies."""

import re
import shutil
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from afloc.web import page_files
from tests.web.conftest import held, serve
from tests.web.nginx import free_port, running_nginx

READY = "#probe .viewer[data-answer='1'][data-state='ready']"
FRAME = "https://huggingface.co/spaces/owner/afloc"


@pytest.fixture(scope="module")
def url(tiny_folder, tmp_path_factory):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path_factory.mktemp("data"))) as url:
        yield url


@pytest.fixture
def page(chromium):
    """A page of a fresh browser session; an error in its scripts fails the test."""
    errors = []
    with chromium.new_context(permissions=["local-network-access"]) as context:  # for the page in a frame
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: "Content Security Policy" in said.text and errors.append(said.text))
        yield page
    assert not errors


def named(url):
    """The files that the page's HTML names, as addresses."""
    return [f"{url}{name}" for name in re.findall(r'href="(afloc/page/[^"]+)"', httpx.get(url).text)]


def test_what_the_page_names_is_there_and_may_be_kept_for_ever(url):
    files = named(url)
    assert len(files) == len(set(files)) == 4  # the styles, the bar, the first tab, and all that it needs
    for file in files:
        plain = httpx.get(file, headers={"Accept-Encoding": "identity"})
        packed = httpx.get(file, headers={"Accept-Encoding": "gzip"})
        assert plain.status_code == 200 and plain.content == packed.content
        assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
        assert "immutable" in plain.headers["cache-control"] and "Accept-Encoding" in plain.headers["vary"]
        kind = "javascript" if file.endswith(".js") else "css"
        assert plain.headers["content-type"].startswith(f"text/{kind}")


def test_nothing_else_is_there(url):
    file = named(url)[0]
    current = file.removeprefix(url).split("/")[2]
    for path in (
        *("afloc/page", "afloc/page/", f"afloc/page/{current}", f"afloc/page/{current}/"),
        f"afloc/page/{current}/types.d.ts",
        f"afloc/page/{current}/shell/signin.html",
        f"afloc/page/{current}/..%2f..%2fappearance.json",
        f"afloc/page/{current}//etc/hostname",
        file.removeprefix(url).replace(current, "0123456789abcdef"),
    ):
        assert httpx.get(f"{url}{path}").status_code == 404, path


def test_another_file_is_another_version(tmp_path, monkeypatch):
    """Or a browser would go on with a file that it keeps for ever."""

    def version():
        page_files.page_files.cache_clear()
        page_files.version.cache_clear()
        return page_files.version()

    folder = shutil.copytree(page_files.FOLDER, tmp_path / "page")
    before = version()
    monkeypatch.setattr(page_files, "FOLDER", folder)
    try:
        assert version() == before
        script = folder / "viewer" / "paint.js"
        script.write_text(script.read_text() + "\n")
        changed = version()
        late = folder / "worklist" / "report.js"
        late.rename(late.with_name("sentence.js"))
        assert len({before, changed, version()}) == 3
    finally:
        monkeypatch.undo()
        assert version() == before


SIZES = """performance.getEntriesByType("resource")
  .filter(({ name }) => name.includes("/afloc/page/"))
  .map(({ name, decodedBodySize, transferSize }) => [name, decodedBodySize, transferSize])"""


def test_scripts_and_styles_come_once_and_on_a_second_visit_not_at_all(url, page):
    fetched = []
    page.on("request", lambda request: "/afloc/page/" in request.url and fetched.append(request.url))
    page.goto(url)
    page.wait_for_selector(READY)
    first = page.evaluate(SIZES)
    for tab in ("Ground truth", "Reader study", "Results"):
        page.get_by_role("tab", name=tab).click()
    page.wait_for_function("document.querySelector('#results [data-format]')")
    assert len(fetched) == len(set(fetched)), "a module that two tabs share is fetched once"
    assert set(named(url)) == {name for name, _, _ in first}, "what is needed first is named, nothing else"
    scripts = sum(size for name, size, _ in first if name.endswith(".js"))
    assert 0 < scripts < 165_000
    page.goto("about:blank")
    page.goto(url)
    page.wait_for_selector(READY)
    again = page.evaluate(SIZES)
    assert len(again) == len(first) and sum(sent for _, _, sent in again) == 0


def test_the_page_works_below_a_path(tiny_folder, tmp_path, monkeypatch, page):
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/heat/maps")
    port = free_port()
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "data")) as url:
        here = f"location /heat/maps/ {{ proxy_pass {url}; proxy_set_header Host $http_host; }}"
        site = f"server {{ listen 127.0.0.1:{port}; {here} }}"
        with running_nginx(tmp_path, port, site, "/heat/maps/") as below:
            asked = []
            page.on("request", lambda request: asked.append(urlsplit(request.url).path))
            page.goto(below)
            page.wait_for_selector(READY)
            page.get_by_role("tab", name="Ground truth").click()
            page.wait_for_selector("#ground_truth .viewer[data-answer='1'][data-state='ready']")
            own = [path for path in asked if "/afloc/" in path]
            assert len(own) > 10 and all(path.startswith("/heat/maps/afloc/") for path in own)
            page.goto("about:blank")


def test_the_page_works_in_a_frame_of_hugging_face(tiny_folder, tmp_path, monkeypatch, page):
    monkeypatch.setenv("SPACE_ID", "owner/afloc")
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path)) as url:
        body = f'<iframe src="{url}" width="1200" height="800" allow="local-network-access"></iframe>'
        page.route(FRAME, lambda route: route.fulfill(body=body, content_type="text/html"))
        page.goto(FRAME)
        page.frame_locator("iframe").locator(READY).wait_for()
        page.goto("about:blank")


def test_a_part_that_cannot_be_loaded_says_so(url, page):
    page.route("**/joined/*.js", lambda route: route.abort())
    page.goto(url)
    page.wait_for_function(
        "document.querySelector('#probe')?.textContent.includes('Please reload the page.')"
    )


def test_nothing_is_shown_before_it_does_what_it_shows(url, page):
    page.goto(url)
    page.wait_for_selector(READY)
    with held(page, lambda request: "/study/" in request.url):
        with page.expect_request("**/study/study.js"):
            page.get_by_role("tab", name="Reader study").click()
        assert page.locator("#study .card input").count() and not page.is_visible("#study .card input")
    page.wait_for_selector("#study .card input")
    page.keyboard.press("Enter")  # the field has the focus
    expect(page.locator("#study .card .problem")).to_have_text("Please type your code.")


def test_the_surroundings_chosen_last_time_are_there_before_anything_is_painted(url, page):
    page.add_init_script("localStorage['afloc-theme'] = 'light'")
    page.route("**/assets/index-*.js", lambda route: route.abort())  # gradio's, which paints
    page.goto(url)
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
