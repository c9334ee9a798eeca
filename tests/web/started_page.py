"""From `python app.py` to its first answer, with the embedded model.

`python -m tests.web.started_page` starts the page a few times, each time with an empty data folder. It prints
the median and the range of the seconds until it is served, of its memory then, and of the seconds until a
film was sent and a finding on it answered. It starts once before, so that all is exported and compiled.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from tests.web.nginx import answers, free_port
from tests.web.tabs.test_probe import a_film, to_png

ROOT = Path(__file__).parents[2]


def start(film: bytes) -> tuple[float, float, float]:
    """Seconds to the page, megabytes then, and seconds to the answer."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with tempfile.TemporaryDirectory() as data, contextlib.ExitStack() as stack:
        own = {"AFLOC_HOST": "127.0.0.1", "AFLOC_PORT": str(port), "AFLOC_DATA_DIR": data}
        begin = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=os.environ | own, stdout=subprocess.DEVNULL
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        while not answers(f"{url}/health"):
            assert process.poll() is None, "the page did not start"
            time.sleep(0.01)
        served = time.monotonic() - begin
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        with httpx.Client(base_url=f"{url}/gradio_api", timeout=60) as client:
            (path,) = client.post("/upload", files={"files": film}).json()
            said = [{"path": path, "meta": {"_type": "gradio.FileData"}}, "left pleural effusion"]
            event = client.post("/call/locate", json={"data": said}).json()["event_id"]
            assert '"present"' in client.get(f"/call/locate/{event}").text
        return served, pages * os.sysconf("SC_PAGE_SIZE") / 2**20, time.monotonic() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=8)
    film = to_png(a_film(0))
    start(film)
    found = [start(film) for _ in range(parser.parse_args().starts)]
    for name, values in zip(("served, s", "memory, MB", "answered, s"), np.transpose(found), strict=True):
        digits = 0 if "MB" in name else 1
        print(f"{name}: {np.median(values):.{digits}f} ({min(values):.{digits}f} … {max(values):.{digits}f})")


if __name__ == "__main__":
    main()
