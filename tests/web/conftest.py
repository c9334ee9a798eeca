"""The real page on a free port, and a real browser to drive it."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from afloc.imaging.examples import EXAMPLES
from afloc.language.findings import load_findings
from afloc.settings import read_settings
from afloc.web.serve import serving
from tests.web.tiny import write_tiny_model

expect.set_options(timeout=30_000)  # a busy machine may take more than the usual five seconds

EMBEDDED = Path(__file__).parents[2] / "assets" / "models" / "afloc-mini"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync"
)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """The embedded model, or where it is not built yet a tiny random one."""
    if (EMBEDDED / "model.safetensors").is_file():
        return EMBEDDED
    return write_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def tiny_folder(make_once):
    """For what does not depend on what the model says."""
    return make_once("tiny", write_tiny_model)


@pytest.fixture(scope="session")
def model(model_folder):
    from afloc import load_model

    return load_model(model_folder)


@pytest.fixture(scope="session")
def low_map(model_folder, tmp_path_factory):
    """A model whose maps are low everywhere, and a finding that is present on the drawn film all the same."""
    from afloc import load_model

    folder = shutil.copytree(model_folder, tmp_path_factory.mktemp("low") / "model")
    config = json.loads((folder / "config.json").read_text())
    config["calibration"]["chest_xray"]["map"]["top"] = 3.0  # beyond what any map reaches
    (folder / "config.json").write_text(json.dumps(config))
    view = load_model(folder).encode(EXAMPLES[0].load())
    answers = (view.locate(entry.simple) for entry in load_findings("chest_xray").values())
    low = next(each for each in answers if each.present)
    assert low.grid.max() < 0.45
    return folder, low


@contextmanager
def serve(model_folder, **settings):
    """The address of a page with further settings, while it is served."""
    own = {"AFLOC_MODEL": str(model_folder), "AFLOC_HOST": "127.0.0.1"}
    with serving(read_settings(own | settings)) as url:
        yield url


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def url(model_folder, data_folder):
    with serve(model_folder, AFLOC_DATA_DIR=str(data_folder)) as url:
        yield url


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        own = str(CHROMIUM) if CHROMIUM.is_file() else None
        args = [*FLAGS.split(), "--process-per-site"]  # what one page has compiled, the next one has, too
        browser = playwright.chromium.launch(executable_path=own, args=args)
        yield browser
        browser.close()


CLIPBOARD = ["clipboard-read", "clipboard-write"]


@pytest.fixture(scope="session")
def shared_context(chromium):
    """A browser session for all tests, and a tab that stays: so the next page opens in half the time."""
    with chromium.new_context(permissions=CLIPBOARD) as context:
        yield context, context.new_page()


@pytest.fixture
def open_page(chromium, shared_context, url):
    """Open the page where nothing is left of earlier tests: first in the session that all share, from then on
    in new ones. An error in its scripts fails the test."""
    shared, tab = shared_context
    contexts, errors = [], []
    if not tab.url.startswith(url):
        tab.goto(f"{url}health")

    def open_page(width=1440, height=900, theme="dark", path=""):
        contexts.append(chromium.new_context(permissions=CLIPBOARD) if contexts else shared)
        page = contexts[-1].new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.add_init_script(
            f"localStorage.getItem('afloc-theme') || localStorage.setItem('afloc-theme', '{theme}')"
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: "Content Security Policy" in said.text and errors.append(said.text))
        page.goto(url.rstrip("/") + "/" + path)
        page.wait_for_selector(".viewer[data-answer='1'][data-state='ready']")
        return page

    yield open_page
    for context in contexts[1:]:
        context.close()
    for page in shared.pages:
        if page is not tab:
            page.close()
    shared.set_offline(False)
    shared.clear_cookies()
    tab.evaluate("localStorage.clear()")
    assert not errors


@pytest.fixture
def page(open_page):
    """The page on the drawn film, whichever example the model makes it open with."""
    page = open_page()
    show_film(page)
    return page


@contextmanager
def held(page, wanted):
    """The requests of `page` that `wanted` names, kept from the server until the block ends."""
    waiting = []

    def take(route):
        waiting.append(route) if wanted(route.request) else route.fallback()

    page.route("**/*", take)
    yield waiting
    for route in waiting:
        route.continue_()
    page.unroute("**/*", take)


def call_of(name):
    """What tells a tab's calls of a server function from other requests."""
    return lambda request: "/component_server" in request.url and request.post_data_json["fn_name"] == name


def show_film(page):
    """The drawn film on a page just opened."""
    page.wait_for_selector(".viewer[data-answer='1'][data-state='ready']")
    if page.get_attribute("#probe [data-example=chest_film]", "aria-pressed") != "true":
        page.click("#probe [data-example=chest_film]")
        page.wait_for_selector(".viewer[data-answer='2'][data-state='ready']")
