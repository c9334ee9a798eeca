"""Pictures of each kind of answer, to be looked at: `python -m tests.web.answer_screenshots FOLDER`.

At four sizes, dark and light; the model is the embedded one with the calibration of `tests.web.calibrated`.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.web.calibrated import write_calibrated_model
from tests.web.conftest import CHROMIUM, EMBEDDED, FLAGS, serve
from tests.web.tabs.test_probe import ask

SIZES = ((1280, 720), (1366, 768), (1440, 900), (390, 844))
ANSWERS = {
    "flagged": "left pleural effusion",
    "not-flagged": "cardiomegaly",
    "denied": "no cardiomegaly",
    "denied-flagged": "no pleural effusion",
    "other-side": "right pleural effusion",
    "several": "No pneumothorax. Left pleural effusion and cardiomegaly.",
    "cautions": "right pneumothorax",
    "unreliable": "nodule",
    "normal": "normal chest",
    "structure": "the heart",
    "described": "hazy grey area behind the heart",
    "misspelt": "small left plural efusion",
    "unknown": "banana",
    "question": "what is wrong with this film?",
}


def take_all(browser: Browser, url: str, folder: Path) -> None:
    for width, height in SIZES:
        for theme in ("dark", "light"):
            page = browser.new_page(viewport={"width": width, "height": height})
            page.add_init_script(
                f"localStorage['afloc-theme'] = '{theme}'; localStorage['afloc-hint'] = 'seen'"
            )
            page.goto(url)
            page.wait_for_selector(".viewer[data-answer='1'][data-state='ready']")
            for name, description in ANSWERS.items():
                ask(page, description)
                page.keyboard.press("Escape")
                page.wait_for_function("document.querySelector('.viewer').viewer.painted")
                page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=width < 860)
            page.click(".scan-all")
            page.wait_for_selector(".scan .bar")
            page.screenshot(path=folder / f"scan-{width}-{theme}.png", full_page=width < 860)
            page.close()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as own, sync_playwright() as playwright:
        model = write_calibrated_model(EMBEDDED, Path(own) / "model")
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        with serve(model, AFLOC_DATA_DIR=str(Path(own) / "data")) as url:
            take_all(browser, url, folder)
        browser.close()


if __name__ == "__main__":
    main()
