"""Pictures of every state of the page, to be looked at: `python -m tests.web.state_screenshots FOLDER`.

At four sizes, dark and light. `--only worklist,help` takes some states, `--size 390 --theme light` one
size or theme, `--url URL` a page that is served already. `answer_screenshots` has each kind of answer.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from afloc.feedback.store.store import Store
from afloc.feedback.studies.readings import give_consent, save_reading
from afloc.feedback.studies.schedule import schedule
from afloc.feedback.studies.study_file import read_study
from tests.web.conftest import CHROMIUM, EMBEDDED, FLAGS, serve
from tests.web.films import EVALUATED, copy_films, draw_films
from tests.web.tabs.test_probe import ask, to_png

SIZES = {1280: 720, 1440: 900, 2560: 1440, 390: 844}
DEMO = Path(__file__).parents[2] / "assets" / "studies" / "demo.toml"
VIEWER = "document.querySelector('#probe .viewer').viewer"
FILMS = 12


def show_example(page: Page, name: str) -> None:
    before = page.get_attribute("#probe .viewer", "data-answer")
    if not page.is_visible("#probe .images"):
        page.click("#probe .examples")
    page.click(f"#probe [data-example={name}]")
    page.wait_for_selector(f"#probe .viewer:not([data-answer='{before}'])[data-state='ready']")


def first_screen(page: Page, folder: Path) -> None:
    pass


def tissue(page: Page, folder: Path) -> None:
    show_example(page, "immunohistochemistry")


def chest(page: Page, folder: Path) -> None:
    show_example(page, "chest_film")


def typing(page: Page, folder: Path) -> None:
    chest(page, folder)
    page.fill("#description", "")
    page.focus("#description")
    page.keyboard.type("small left pleural")
    page.wait_for_selector("#probe .completions:not([hidden])")
    page.keyboard.press("ArrowDown")


def not_answered(page: Page, folder: Path) -> None:
    chest(page, folder)
    ask(page, "small left plural efusion")
    page.keyboard.press("Escape")


def doubt(page: Page, folder: Path) -> None:
    page.set_input_files("#probe input[type=file]", str(folder / "cat.png"))
    page.wait_for_selector("#probe .verdict[data-verdict=doubt]")


def error(page: Page, folder: Path) -> None:
    file = {"name": "report.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 nothing"}
    page.set_input_files("#probe input[type=file]", [file])
    page.wait_for_selector("#probe .verdict[data-verdict=problem]")


def scan(page: Page, folder: Path) -> None:
    page.click("#probe .scan-all")
    page.wait_for_selector("#probe .scan .bar")


def suggestions(page: Page, folder: Path) -> None:
    page.click("#probe .try .more")


def compare(page: Page, folder: Path) -> None:
    for description in ("optic disc", "diabetic retinopathy"):
        ask(page, description)
        page.keyboard.press("Escape")
        page.click("#probe .keep")
    ask(page, "glaucoma")
    page.keyboard.press("Escape")


def measuring(page: Page, folder: Path) -> None:
    chest(page, folder)
    for mode, start, end in (("ruler", (0.3, 0.7), (0.7, 0.7)), ("box", (0.55, 0.55), (0.7, 0.8))):
        page.click(f"#probe [data-mode={mode}]")
        page.wait_for_selector(f"#probe [data-mode={mode}][aria-pressed=true]")
        box = page.locator("#probe .pane").first.bounding_box()
        page.mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=3)
        page.mouse.up()


def display(page: Page, folder: Path) -> None:
    if page.is_visible("#probe .display"):
        page.click("#probe .display")


def worklist(page: Page, folder: Path) -> None:
    page.locator("#probe input[webkitdirectory]").set_input_files(str(folder / "ward"))
    page.wait_for_function("document.querySelector('#films').innerText.includes('film 1 of')")
    page.fill("#description", "pleural effusion")
    page.wait_for_function("document.querySelector('#probe .verdict h2').textContent.includes(':')")
    page.keyboard.press("Escape")
    for number in range(2, 5):
        page.focus("#probe .stage")
        page.keyboard.press("j")
        page.wait_for_function(f"document.querySelector('#films').innerText.includes('film {number} of')")
        page.wait_for_selector("#probe .verdict:not([data-verdict=none])")
    page.wait_for_timeout(1500)


def asked(page: Page, folder: Path) -> None:
    worklist(page, folder)
    page.focus("#probe .stage")
    page.keyboard.press("Shift+A")
    page.fill("#probe .asking textarea", "pleural effusion\nno pneumothorax\ncardiomegaly\nnormal chest")
    page.click("#probe .asking .primary")
    page.wait_for_function(
        "document.querySelector('#probe .asking .progress').textContent.includes('flagged')"
    )


def asked_list(page: Page, folder: Path) -> None:
    asked(page, folder)
    page.keyboard.press("Escape")
    page.wait_for_timeout(1000)


def beside(page: Page, folder: Path) -> None:
    worklist(page, folder)
    row = page.locator("#probe .worklist .film").nth(1)
    row.hover()
    row.locator(".beside").click()
    page.wait_for_selector("#probe .caption:has-text('asked by itself')")
    page.locator("#probe .stage").hover()


def sheet(opener: str, dialog: str) -> Callable[[Page, Path], None]:
    def open_sheet(page: Page, folder: Path) -> None:
        if page.is_visible(opener):  # a phone has no sheet of keys
            page.click(opener)
            page.wait_for_selector(f"{dialog}[open]")

    return open_sheet


def ground_truth(page: Page, folder: Path) -> None:
    page.get_by_role("tab", name="Ground truth").click()
    page.wait_for_selector("#ground_truth .viewer[data-answer='1'][data-state='ready']")


def ground_truth_compare(page: Page, folder: Path) -> None:
    ground_truth(page, folder)
    page.click("[data-compare=both]")
    page.wait_for_selector("#ground_truth .viewer[data-answer='2'][data-state='ready']")


def a_set(page: Page, folder: Path) -> None:
    ground_truth(page, folder)
    page.click("#ground_truth [data-view=set]")


def sign_in(page: Page, folder: Path) -> None:
    page.get_by_role("tab", name="Reader study").click()
    page.wait_for_selector("#study [name=code]")


def consent(page: Page, folder: Path) -> None:
    sign_in(page, folder)
    page.fill("#study [name=code]", "demo-3")
    page.keyboard.press("Enter")
    page.wait_for_selector("#study .card .go")


def case(page: Page, folder: Path) -> None:
    sign_in(page, folder)
    page.fill("#study [name=code]", "demo-2")
    page.keyboard.press("Enter")
    page.wait_for_selector("#study .viewer[data-case][data-state='ready']")
    page.click("#study .option >> nth=3")


def results_sign_in(page: Page, folder: Path) -> None:
    page.get_by_role("tab", name="Results").click()
    page.wait_for_selector("#results [name=code]")


def results(page: Page, folder: Path) -> None:
    results_sign_in(page, folder)
    page.fill("#results [name=code]", "demo-coordinator")
    page.keyboard.press("Enter")
    page.wait_for_selector("#results .figure .main-svg")


SCENES: dict[str, Callable[[Page, Path], None]] = {
    "first-screen": first_screen,
    "tissue": tissue,
    "chest": chest,
    "typing": typing,
    "not-answered": not_answered,
    "doubt": doubt,
    "error": error,
    "scan": scan,
    "suggestions": suggestions,
    "compare": compare,
    "measuring": measuring,
    "display": display,
    "worklist": worklist,
    "asked": asked,
    "asked-list": asked_list,
    "beside": beside,
    "share": sheet("#probe .share", "#probe .sharing"),
    "keys": sheet("#bar .keysheet", "#probe .keys"),
    "help": sheet("#bar .help", "#probe .about"),
    "ground-truth": ground_truth,
    "ground-truth-compare": ground_truth_compare,
    "set": a_set,
    "sign-in": sign_in,
    "consent": consent,
    "case": case,
    "results-sign-in": results_sign_in,
    "results": results,
}


def take(browser: Browser, url: str, folder: Path, given: argparse.Namespace) -> None:
    for name in given.only.split(",") if given.only else SCENES:
        for width in [given.size] if given.size else SIZES:
            for theme in [given.theme] if given.theme else ("dark", "light"):
                context = browser.new_context(viewport={"width": width, "height": SIZES[width]})
                page = context.new_page()
                page.set_default_timeout(120_000)
                page.add_init_script(f"localStorage['afloc-theme'] = '{theme}'")
                page.goto(url)
                page.wait_for_selector("#probe .viewer[data-answer='1'][data-state='ready']")
                try:
                    SCENES[name](page, folder / "files")
                except Exception as error:
                    print(name, width, theme, str(error).splitlines()[0], flush=True)
                if (
                    width < 860 and not page.locator("dialog[open]").count()
                ):  # the whole page is on the screen
                    height = page.evaluate("document.documentElement.scrollHeight")
                    page.set_viewport_size({"width": width, "height": min(height, 2400)})
                    page.wait_for_timeout(600)
                page.wait_for_function(f"{VIEWER}.painted")
                page.screenshot(path=folder / f"{name}-{width}-{theme}.png")
                context.close()


def write_files(folder: Path) -> None:
    """What the scenes open."""
    if folder.is_dir():
        return
    (copy_films if EVALUATED.is_dir() else draw_films)(folder / "ward", FILMS)
    (folder / "ward" / "notes.txt").write_text("not an image")
    from skimage import data

    (folder / "cat.png").write_bytes(to_png(data.cat()))


def write_readings(data: Path) -> None:
    """Two readers of the demo study: one is done, one is half done."""
    study = read_study(DEMO)
    with Store(data) as store:
        for reader, part in (("R1", 1), ("R2", 2)):
            give_consent(store, study, reader)
            slots = schedule(study, reader)
            for number, slot in enumerate(slots[: len(slots) // part]):
                sure = 5 - number % 4 if slot.case.truth else 1 + number % 3
                save_reading(
                    store, study, reader, slot.index, {"sure": sure}, visible_ms=9_000 + 700 * number
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--size", type=int, choices=SIZES)
    parser.add_argument("--theme", choices=("dark", "light"))
    parser.add_argument("--url")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    write_files(given.folder / "files")
    with tempfile.TemporaryDirectory() as own, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        if given.url:
            take(browser, given.url, given.folder, given)
        else:
            write_readings(Path(own) / "data")
            settings = {"AFLOC_DATA_DIR": f"{own}/data", "AFLOC_STUDIES_DIR": str(DEMO.parent)}
            with serve(EMBEDDED, **settings) as url:
                take(browser, url, given.folder, given)
        browser.close()


if __name__ == "__main__":
    main()
