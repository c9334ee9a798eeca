"""From a key to the next film's painted map, with the real server and a real browser.

`python -m tests.web.reading_a_list` opens a folder of films, asks one description, and goes from film to film
with the key j, as a reader does: `--look` seconds on each, so that the next one is ready. Prints
milliseconds, p50 and p95, from the key to the film with its answer, and in megabytes what the scripts, the
page's process and the server with its decoders hold, on the way. `--films 200` shows whether that is bounded.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import PIL.Image
import PIL.ImageOps
from playwright.sync_api import Page, sync_playwright

from afloc.settings import read_settings
from afloc.web.serve import serving
from tests.web.conftest import CHROMIUM, EMBEDDED, FLAGS
from tests.web.films import EVALUATED, copy_films, draw_films

DESCRIPTION = "pleural effusion"
STEP = 20  # films from one line of figures to the next
WATCH = """() => {  // the time from a key j to the frame in which another answer is on the stage
  window.waits = [];
  const viewer = document.querySelector("#probe .viewer");
  let since = 0;
  document.addEventListener("keydown", ({ key }) => { if (key === "j") since = performance.now(); }, true);
  new MutationObserver(() => {
    const film = document.querySelector("#films output").textContent;
    if (!since || film === window.film) return;
    if (document.querySelector("#probe .verdict").dataset.verdict === "none") return;
    const key = since;
    since = 0;
    window.film = film;
    requestAnimationFrame(() => setTimeout(() => window.waits.push(performance.now() - key)));
  }).observe(viewer, { attributes: true, attributeFilter: ["data-answer"] });
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=20)
    parser.add_argument("--look", type=float, default=1.5, help="seconds on each film")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_films(Path(scratch) / "ward", given.films)
        own = {"AFLOC_MODEL": str(EMBEDDED), "AFLOC_HOST": "127.0.0.1", "AFLOC_DATA_DIR": f"{scratch}/data"}
        with serving(read_settings(own)) as url, sync_playwright() as playwright:
            path = str(CHROMIUM) if CHROMIUM.is_file() else None
            flags = [*FLAGS.split(), "--enable-precise-memory-info", "--js-flags=--expose-gc"]
            browser = playwright.chromium.launch(executable_path=path, args=flags)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(240_000)
            page.goto(url)
            page.wait_for_selector("#probe .viewer[data-answer='1'][data-state='ready']")
            read(page, folder, given.films, given.look)
            browser.close()


def make_films(folder: Path, count: int) -> Path:
    """Films of the evaluation set, again and again with other margins, or drawn ones: no two are alike."""
    if not EVALUATED.is_dir():
        draw_films(folder, count)
        return folder
    films = copy_films(folder, min(count, 20))
    for number in range(len(films) + 1, count + 1):
        with PIL.Image.open(films[(number - 1) % len(films)]) as again:
            PIL.ImageOps.expand(again.convert("L"), number // len(films)).save(folder / f"film-{number}.png")
    return folder


def read(page: Page, folder: Path, count: int, look: float) -> None:
    page.locator("#probe input[webkitdirectory]").set_input_files(str(folder))
    page.wait_for_function(f"document.querySelector('#films').innerText.includes('film 1 of {count}')")
    page.fill("#description", DESCRIPTION)
    page.wait_for_function("document.querySelector('#probe .verdict h2').textContent.includes(':')")
    page.keyboard.press("Escape")
    page.evaluate(WATCH)
    print("film  scripts  page  server")
    for number in range(2, count + 1):
        if number == 2 or number % STEP == 0:
            print(
                f"{number:4}  {scripts(page):5.0f} MB  {process_of(page):4.0f}  {server():6.0f}", flush=True
            )
        time.sleep(look)
        page.keyboard.press("j")
        page.wait_for_function(f"window.waits.length === {number - 1}", timeout=60_000)
    waits = sorted(page.evaluate("window.waits"))
    p95 = waits[int(0.95 * (len(waits) - 1))]
    print(f"{len(waits)} films: p50 {statistics.median(waits):.0f} ms, p95 {p95:.0f} ms")


def scripts(page: Page) -> float:
    """MB of the heap of the page's scripts, without what nobody holds any more."""
    page.evaluate("window.gc?.()")
    return page.evaluate("performance.memory.usedJSHeapSize") / 1e6


def process_of(page: Page) -> float:
    """MB of the page's process: pixels and pictures, too."""
    processes = page.context.browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    return max(resident(each["id"]) for each in processes["processInfo"] if each["type"] == "renderer")


def server() -> float:
    """MB of the server, which runs in this process, and of the processes that decode for it."""
    listed = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    started = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in map(int, listed.split())}
    return resident(os.getpid()) + sum(resident(pid) for pid, line in started.items() if b"decoder" in line)


def resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
