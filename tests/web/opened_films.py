"""From a film that is chosen to its painted map, with the real server and a real browser.

`python -m tests.web.opened_films` opens DICOM files of 3,000 x 2,500 pixels and 16 bits, each a new one. It
prints milliseconds, p50 and p95, from the page's having the file to the frame with the answer on it.
"""

import argparse
import tempfile
from itertools import islice

import numpy as np
from playwright.sync_api import sync_playwright

from afloc.evaluation.bench import film_files
from tests.web.conftest import CHROMIUM, EMBEDDED, FLAGS, serve

WATCH = """() => {
  window.waits = [];
  let since = 0;
  document.addEventListener("change", ({ target }) => {
    if (target.type === "file") since = performance.now();
  }, true);
  new MutationObserver(() => {
    const start = since;
    if (!start) return;
    since = 0;
    requestAnimationFrame(() => setTimeout(() => waits.push(performance.now() - start)));
  }).observe(document.querySelector("#probe .viewer"), { attributeFilter: ["data-answer"] });
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=20)
    count = parser.parse_args().films
    with tempfile.TemporaryDirectory() as own, sync_playwright() as playwright:
        path = str(CHROMIUM) if CHROMIUM.is_file() else None
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
        with serve(EMBEDDED, AFLOC_DATA_DIR=own) as url:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(url)
            page.wait_for_selector("#probe .viewer[data-answer='1'][data-state='ready']")
            page.evaluate(WATCH)
            for number, film in enumerate(islice(film_files(), count + 2), 1):
                file = {"name": f"{number}.dcm", "mimeType": "application/dicom", "buffer": film}
                page.set_input_files("#probe input[type=file]", file)
                page.wait_for_function(f"waits.length === {number}", timeout=600_000)
                page.wait_for_selector("#probe .viewer[data-state='ready']")
            took = page.evaluate("waits")[2:]  # without the first, for which a decoder was started
        browser.close()
    print(f"p50 {np.median(took):.0f}, p95 {np.percentile(took, 95):.0f} ms of {len(took)} films")


if __name__ == "__main__":
    main()
