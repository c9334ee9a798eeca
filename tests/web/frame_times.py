"""How long frames take on a large film: `python -m tests.web.frame_times` prints the figures of docs/page.md.

A 16-bit film of 3,000 x 3,000 pixels under a map is panned, zoomed and windowed, a step a frame.
The time of a frame is that between two of the animation frames, so it holds all that is done for it.
"""

import io
import tempfile

import numpy as np
from PIL import Image as Pillow
from playwright.sync_api import sync_playwright

from afloc.settings import read_settings
from afloc.web.serve import serving
from tests.web.conftest import CHROMIUM, FLAGS
from tests.web.tabs.test_viewer import VIEWER

SIDE, STEPS = 3000, 120
MOVE = """async ([move, steps]) => {
  const viewer = document.querySelector(".viewer").viewer, { actions } = viewer;
  const moves = {
    pan: (i) => (i % 40 < 20 ? actions.left() : actions.right()),
    zoom: (i) => (i % 20 < 10 ? actions.zoomIn() : actions.zoomOut()),
    window: (i) => viewer.setDisplay({ window: [500 + 40 * i, 40000 - 100 * i] }),
  };
  const frame = () => new Promise(requestAnimationFrame), times = [];
  let last = await frame();
  for (let i = 0; i < steps; i++) {
    moves[move](i);
    const now = await frame();
    times.push(now - last);
    last = now;
  }
  return times;
}"""


def large_film() -> bytes:
    noise = np.random.default_rng(0).integers(0, 9000, (SIDE, SIDE))
    ramp = np.linspace(2000, 50000, SIDE)
    file = io.BytesIO()
    Pillow.fromarray((noise + ramp).astype(np.uint16)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = read_settings({"AFLOC_HOST": "127.0.0.1", "AFLOC_DATA_DIR": folder})
        with serving(settings) as url:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(url)
            page.wait_for_selector(".viewer[data-answer='1'][data-state='ready']")
            film = {"name": "large.png", "mimeType": "image/png", "buffer": large_film()}
            page.set_input_files("#probe input[type=file]", film)
            page.wait_for_function(f"{VIEWER}.image.width === {SIDE}", timeout=120_000)
            page.evaluate(f"{VIEWER}.showMap([[0.2, 0.9], [0.7, 0.4]])")
            clock = page.context.new_cdp_session(page)
            clock.send("Performance.enable", {"timeDomain": "threadTicks"})

            def busy() -> float:
                """CPU seconds of the page's main thread so far, whatever else the machine does."""
                metrics = clock.send("Performance.getMetrics")["metrics"]
                return next(each["value"] for each in metrics if each["name"] == "TaskDuration")

            for move in ("pan", "zoom", "window"):
                before = busy()
                times = np.array(page.evaluate(MOVE, [move, STEPS]))
                worked = 1000 * (busy() - before) / STEPS
                middle, most = np.percentile(times, (50, 95))
                print(f"{move:7} p50 {middle:5.1f} ms   p95 {most:5.1f} ms   CPU {worked:4.1f} ms a frame")
            browser.close()


if __name__ == "__main__":
    main()
