"""From key press to painted map, with the real server and a real browser: `python -m tests.web.typing_users`.

Prints milliseconds, p50 and p95, for one reader who types in Chromium, then, for each number of `--users`
that type at once (each as the page does: one call at a time, the newest text next), from a key to its answer,
and for the reader in Chromium among them.
"""

import argparse
import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import httpx
import numpy as np
from playwright.async_api import Page, async_playwright

from tests.web.conftest import CHROMIUM, FLAGS

TEXT = "small left pleural effusion with patchy opacities in the lower zone "
KEY_SECONDS = 0.15, 0.35  # between two keys of a user
WATCH = """() => {  // once a page: a second watch would count every key and every map twice
  window.keys = []; window.paints = [];
  document.querySelector("#probe textarea").addEventListener("keydown", (e) => keys.push(e.timeStamp), true);
  const painted = () => paints.push(performance.now());
  new MutationObserver(() => requestAnimationFrame(() => setTimeout(painted)))
    .observe(document.querySelector("#probe .viewer"), { attributeFilter: ["data-answer"] });
}"""


async def type_in_browser(page: Page, keys: int) -> list[float]:
    """Milliseconds from each key to the map that answers it, one key after the other."""
    await page.focus("#probe textarea")
    await page.keyboard.press("Control+a")
    await page.evaluate("() => { keys.length = 0; paints.length = 0; }")
    for number in range(keys):
        await page.keyboard.press("Space" if TEXT[number % len(TEXT)] == " " else TEXT[number % len(TEXT)])
        await page.wait_for_function(f"paints.length > {number}", polling=10)
        await asyncio.sleep(0.1)
    return await page.evaluate("paints.map((paint, k) => paint - keys[k])")


async def type_over_http(url: str, user: int, stop: asyncio.Event) -> list[float]:
    """Milliseconds from a key to the answer for the text it ended with, of those that were answered."""
    chance = random.Random(user)
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        config = (await client.get("config")).json()
        (locate,) = (
            each["id"]
            for each in config["components"]
            if {"locate", "scan"} <= set(each["props"].get("server_fns") or ())
        )
        opened = await client.post("afloc/images", params={"example": "chest_film"})
        token = httpx.Response(200, text=opened.headers["X-AFLoc-Image"]).json()["token"]
        text, pressed, changed, took = "", 0.0, asyncio.Event(), []

        async def press() -> None:
            nonlocal text, pressed
            for number in count():
                await asyncio.sleep(chance.uniform(*KEY_SECONDS))
                text = f"{user} {TEXT * (1 + number // len(TEXT))}"[: 3 + number]
                pressed = time.perf_counter()
                changed.set()

        typing = asyncio.create_task(press())
        while not stop.is_set():
            await changed.wait()
            changed.clear()
            asked, since = text[-60:], pressed
            answer = await client.post(
                "gradio_api/component_server",
                json={
                    "data": {"image": token, "description": asked, "modality": None, "live": True},
                    "component_id": locate,
                    "fn_name": "locate",
                    "session_hash": f"user{user}",
                },
            )
            assert answer.json()["finding"], answer.text[:200]
            took.append(1000 * (time.perf_counter() - since))
        typing.cancel()
        return took


def say(who: str, took: list[float]) -> None:
    print(
        f"{who}: p50 {np.median(took):.0f}, p95 {np.percentile(took, 95):.0f} ms of {len(took)}", flush=True
    )


async def measure(url: str, users: list[int], keys: int) -> None:
    async with async_playwright() as playwright:
        own = str(CHROMIUM) if CHROMIUM.is_file() else None
        browser = await playwright.chromium.launch(executable_path=own, args=FLAGS.split())
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        await page.goto(url)
        await page.wait_for_selector("#probe .viewer[data-answer='1'][data-state='ready']")
        await page.evaluate(WATCH)
        await type_in_browser(page, 5)
        say("one reader in Chromium", await type_in_browser(page, keys))
        for number in users:
            stop = asyncio.Event()
            others = [asyncio.create_task(type_over_http(url, user, stop)) for user in range(number - 1)]
            await asyncio.sleep(3)
            say(f"the reader in Chromium, one of {number}", await type_in_browser(page, keys // 2))
            stop.set()
            if took := await asyncio.gather(*others):  # one alone has nobody beside them
                say(f"{number - 1} users over HTTP", [each for user in took for each in user])
                print(f"  answers of a user: {min(map(len, took))} to {max(map(len, took))}")
        await browser.close()


def at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < least:
            raise ValueError
        return int(text)

    return number


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=at_least(1), nargs="*", default=[25])
    parser.add_argument("--keys", type=at_least(2), default=60)
    arguments = parser.parse_args(given)
    with socket.socket() as free, tempfile.TemporaryDirectory() as data:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        own = {"AFLOC_PORT": str(port), "AFLOC_HOST": "127.0.0.1", "AFLOC_DATA_DIR": data}
        start = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "app.py"], env=os.environ | own, cwd=Path(__file__).parents[2], stdout=sys.stderr
        )
        try:
            url = f"http://127.0.0.1:{port}/"
            while True:
                try:
                    httpx.get(url)
                    break
                except httpx.TransportError:
                    if server.poll() is not None:
                        sys.exit("The page did not start.")
                    time.sleep(0.1)
            print(f"the page is served after {time.perf_counter() - start:.1f} s", flush=True)
            asyncio.run(measure(url, arguments.users, arguments.keys))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
