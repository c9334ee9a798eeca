"""Make the pictures of README and docs again: `python -m tests.web.screenshots`. No image needs a licence."""

import io
import tempfile
from pathlib import Path

import PIL.Image
from playwright.sync_api import Page, Playwright, sync_playwright

from afloc.settings import read_settings
from afloc.web.serve import serving
from tests.web.conftest import CHROMIUM, FLAGS
from tests.web.tabs.test_probe import ask, insist
from tests.web.tabs.test_viewer import settled

FOLDER = Path(__file__).parents[2] / "assets" / "screenshots"
GROUND_TRUTH = "#ground_truth .viewer"


def first_screen(page: Page) -> None:
    insist(page)


def compare(page: Page) -> None:
    """Of one eye: what is there, and what is not."""
    page.click("#probe [data-example=exudates]")
    page.wait_for_selector(".viewer[data-answer='2'][data-state='ready']")
    for description in ("optic disc", "diabetic retinopathy"):
        ask(page, description)
        page.click(".keep")
    ask(page, "glaucoma")
    page.click(".scan-all")
    page.wait_for_selector(".scan .bar")


def ground_truth(page: Page) -> None:
    page.get_by_role("tab", name="Ground truth").click()
    page.wait_for_selector(f"{GROUND_TRUTH}[data-answer='1'][data-state='ready']")
    page.click("[data-compare=both]")
    page.wait_for_selector(f"{GROUND_TRUTH}[data-answer='2'][data-state='ready']")
    page.wait_for_function(f"document.querySelector('{GROUND_TRUTH}').viewer.painted")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = read_settings({"AFLOC_HOST": "127.0.0.1", "AFLOC_DATA_DIR": folder})
        with serving(settings) as url:
            take_all(playwright, url)


def take_all(playwright: Playwright, url: str) -> None:
    browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
    for scene, theme in ((first_screen, "dark"), (compare, "dark"), (ground_truth, "light")):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(f"localStorage['afloc-theme'] = '{theme}'; localStorage['afloc-hint'] = 'seen'")
        page.goto(url)
        page.wait_for_selector(".viewer[data-answer='1'][data-state='ready']")
        scene(page)
        settled(page)
        picture = PIL.Image.open(io.BytesIO(page.screenshot()))
        picture.convert("RGB").save(FOLDER / f"{scene.__name__}.webp", quality=82, method=6)
        page.close()
    browser.close()


if __name__ == "__main__":
    main()
