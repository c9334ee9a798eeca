"""How soon the page paints and can be typed in, beside a bare gradio page: `python -m tests.web.first_paint`.

Both are opened in turn in fresh browser sessions, on the machine as it is; the medians are printed.
"""

import statistics
import sys
import tempfile

import gradio as gr
from playwright.sync_api import Browser, sync_playwright

from tests.web.conftest import CHROMIUM, EMBEDDED, FLAGS, serve

ROUNDS = 15
WATCH = """
window.first = {};
const look = () => {
  const box = document.querySelector("textarea");
  if (box?.checkVisibility({ visibilityProperty: true })) window.first.input = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
new PerformanceObserver((paints) => {
  for (const { name, startTime } of paints.getEntries()) {
    if (name === "first-contentful-paint") window.first.paint = startTime;
  }
}).observe({ type: "paint", buffered: true });
"""


def measure(browser: Browser, url: str) -> tuple[float, float]:
    """Milliseconds to the first paint and to a field that takes text."""
    with browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark") as context:
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(url)
        page.wait_for_function("window.first.paint && window.first.input")
        first = page.evaluate("window.first")
        return first["paint"], first["input"]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with gr.Blocks() as bare:
        gr.Textbox()
    _, bare_url, _ = bare.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    with tempfile.TemporaryDirectory() as own, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        with serve(EMBEDDED, AFLOC_DATA_DIR=own) as url:
            pages = {"bare gradio": bare_url, "AFLoc": url}
            for address in pages.values():
                measure(browser, address)  # what the server does once
            seen: dict[str, list[tuple[float, float]]] = {name: [] for name in pages}
            for _ in range(rounds):
                for name, address in pages.items():
                    seen[name].append(measure(browser, address))
        browser.close()
    bare.close()
    for name, times in seen.items():
        paint, typing = (statistics.median(each) for each in zip(*times, strict=True))
        print(f"{name}: first paint {paint:.0f} ms, first input {typing:.0f} ms, medians of {rounds}")


if __name__ == "__main__":
    main()
