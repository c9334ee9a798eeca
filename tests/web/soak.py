"""Many at once for a long time: `python -m tests.web.soak` (40 sessions, 30 minutes, 40 kills).

Sessions open images, type, scan, save feedback, drafts and answers of a study, upload sets and ask named
endpoints. Meanwhile the server is killed and started again, its disk runs full three times, and somebody
floods it, is silent on many connections and guesses codes. In the last third it is not killed. Prints
figures, and ends with status 1 where something that was acknowledged is not stored, a session got what is
another's, `/health` was wrong while the server ran, or memory or files grew. The full disk needs the right to
mount one.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import httpx

from afloc.feedback.store.store import SECONDS_BETWEEN_CHECKS, Store
from tests.web.nginx import free_port
from tests.web.routes.test_images import sent_pixels
from tests.web.tabs.test_probe import a_film, to_png

ROOT = Path(__file__).parents[2]
STUDY = """
id = "soak"
title = "Soak"
design = "aided"
seed = 1
back = true
edit = true
consent = "Agreed?"

[readers]
{readers}

[[questions]]
id = "remark"
text = "Anything to add?"
kind = "text"
"""
CASE = """
[[cases]]
id = "case-{number}"
image = "example:chest_film"
description = "left pleural effusion {number}"
"""
PATIENCE = 120.0  # seconds for an answer among so many
LIFE = 5.0  # seconds, the least from a start to the next kill
CASES = 6  # of the study
DISK_MB, FULL_SECONDS, FULL_AT = 256, 20.0, (0.2, 0.5, 0.8)  # of the whole time
GROWTH = 1.25  # of memory, from the beginning to the end of the last third


class Server:
    """`python app.py`, killed and started again. `alive`: set while it should answer; `full`: while its disk
    is."""

    def __init__(self, folder: Path, model: str):
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        own = {"AFLOC_PORT": str(port), "AFLOC_HOST": "127.0.0.1", "AFLOC_DATA_DIR": str(folder / "data")}
        own |= {"AFLOC_PROXIES": "1", "AFLOC_MODEL": model, "TMPDIR": str(folder / "tmp")}
        own |= {"AFLOC_STUDIES_DIR": str(folder / "studies")}
        (folder / "tmp").mkdir()
        self.environment = os.environ | own
        self.alive, self.full = threading.Event(), threading.Event()
        self.changes = 0  # how often one of the two was set or not any more
        self.emptied = 0.0  # when its disk was, the last time
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout and self._process.stdout.readline(), "the server did not start"
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=PATIENCE).status_code == 200:
                    break
            assert self._process.poll() is None, "the server did not start"
            time.sleep(0.1)
        self.changes += 1
        self.alive.set()

    def kill(self) -> None:
        self.changes += 1
        self.alive.clear()
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self.alive.clear()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def size(self) -> tuple[float, int]:
        """Its memory in MB, and how many files it has open."""
        place = Path(f"/proc/{self._process.pid}")
        pages = int((place / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(list((place / "fd").iterdir()))


class Disk:
    """A disk of its own at `folder`, which can run full; `mounted`: whether this process may have one."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self._folder, self._filler = folder, folder / "filler"
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
        self.mounted = not subprocess.run(mount, stderr=subprocess.DEVNULL).returncode

    def fill(self) -> None:
        with contextlib.suppress(OSError), open(self._filler, "ab", buffering=0) as file:
            while file.write(bytes(4096)):
                pass

    def empty(self) -> None:
        self._filler.unlink()

    def unmount(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=True)


class Session:
    """One open page, at an address of its own. `said`: what it was promised is stored, by id."""

    def __init__(self, number: int, server: Server, counts: Counter[str]):
        self.number, self.server, self.counts = number, server, counts
        self.name, self.chance = f"soak-{number}", random.Random(number)
        self.film = a_film(number)
        self.said: dict[str, str] = {}
        self.pending: dict[str, dict] = {}  # sent, not acknowledged: sent again under the same id
        self.token, self.parts = "", {}
        address = {"X-Forwarded-For": f"192.0.2.{number % 250}"}
        self.client = httpx.Client(base_url=server.url, headers=address, timeout=PATIENCE)

    def run(self, end: threading.Event) -> None:
        acts = [self.type] * 3 + [self.save] * 2 + [self.read] * 2 + [self.scan, self.call, self.send_set]
        while not end.is_set():
            try:
                if not self.token:
                    self.open()
                self.chance.choice(acts)()
            except (httpx.HTTPError, KeyError, json.JSONDecodeError):  # killed in the middle
                self.token = ""
                self.counts["broken off"] += 1
                self.server.alive.wait(PATIENCE)
        while self.pending and self.server.alive.is_set():
            with contextlib.suppress(httpx.HTTPError):
                self.open()
                self.send_pending()

    def check(self, own: bool) -> None:
        self.counts["foreign"] += not own

    def ask(self, name: str, part: str = "probe", **said) -> dict:
        if not self.parts:
            components = self.client.get("/config").json()["components"]
            self.parts = {each["props"].get("elem_id"): each["id"] for each in components}
        body = {"data": said, "component_id": self.parts[part], "session_hash": self.name, "fn_name": name}
        answer = self.client.post("/gradio_api/component_server", json=body)
        self.counts[name] += 1
        if answer.status_code != 200 or "gone" in (found := answer.json()):
            self.token = ""
            return {}
        return found

    def open(self) -> None:
        answer = self.client.post("/afloc/images", content=to_png(self.film))
        pixels, about = sent_pixels(answer)
        self.check((pixels == self.film).all())
        self.token = about["token"]
        self.counts["opened"] += 1

    def type(self) -> None:
        text = f"opacity {self.chance.randrange(1000)} of {self.name}"
        found = self.ask("locate", image=self.token, description=text, modality="chest_xray", live=True)
        if "finding" in found:
            self.check(found["finding"]["text"] == text)

    def scan(self) -> None:
        self.ask("scan", image=self.token, modality="chest_xray")

    def save(self) -> None:
        said = {"description": "opacity", "agreement": "yes", "modality": "chest_xray", "session": self.name}
        self.pending[str(uuid.uuid4())] = said | {"comment": f"{self.name} {len(self.said)}"}
        self.send_pending()

    def send_pending(self) -> None:
        for name, said in list(self.pending.items()):
            found = self.ask("feedback", id=name, token=self.token, **said)
            if "id" in found:
                self.check(found["id"] == name)
                self.said[name] = self.pending.pop(name)["comment"]
            elif found:
                self.counts["refused"] += 1

    def read(self) -> None:
        """One reading of the study: its draft, and its answer; a case that was read before where it is the
        end."""
        code, name = f"reader-{self.number}", str(uuid.uuid4())
        place = self.ask("place", "study", code=code)
        if place.get("stage") == "consent":
            self.ask("agree", "study", code=code, session=self.name)
        if place.get("stage") == "end":
            place = self.ask("place", "study", code=code, index=self.chance.randrange(CASES))
        if place.get("stage") != "case":
            return
        before = place["saved"]["answers"].get("remark", self.name)
        self.check(before.split()[0] == self.name)
        said = {"code": code, "index": place["slot"]["index"], "session": self.name}
        remark = f"{self.name} {len(self.said)}"
        for act, id in (("draft", str(uuid.uuid4())), ("answer", name)):
            kept = self.ask(act, "study", id=id, answers={"remark": remark}, **said)
            if "id" in kept:
                self.said[id] = remark
            elif kept:
                self.counts["refused"] += 1

    def call(self) -> None:
        (path,) = self.client.post("/gradio_api/upload", files={"files": to_png(self.film)}).json()
        text = f"nodule of {self.name}"
        body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, text]}
        event = self.client.post("/gradio_api/call/locate", json=body).json()["event_id"]
        found = self.client.get(f"/gradio_api/call/locate/{event}").text
        self.counts["named endpoint"] += 1
        self.check("nodule" not in found or f'"text": "{text}"' in found)

    def send_set(self) -> None:
        name = {"name": f"{self.name}.csv"}
        key = self.client.post("/afloc/sets", params=name, content=b"image,labels\n").json().get("set")
        self.counts["set"] += 1
        if key:
            self.client.delete(f"/afloc/sets/{key}")


def disturb(server: Server, end: threading.Event, counts: Counter[str]) -> None:
    """Silent connections, floods, guesses, foreign names, one after the other."""
    place = httpx.URL(server.url)
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        while not end.is_set():
            with contextlib.suppress(OSError, httpx.HTTPError), contextlib.ExitStack() as silent:
                for _ in range(300):
                    silent.enter_context(socket.create_connection((place.host, place.port), timeout=5))
                flood = {"X-Forwarded-For": "198.51.100.1"}
                for number in range(3000):
                    counts[f"flood {client.get('/robots.txt', headers=flood).status_code}"] += 1
                    if number % 100 == 0:
                        guess = {"code": f"guess {number}", "index": 0}
                        client.post("/afloc/study", json=guess, headers=flood)
                        foreign = client.get("/config", headers={**flood, "Host": "evil.example"})
                        counts["foreign name let in"] += foreign.status_code == 200
            end.wait(1)


def watch(server: Server, end: threading.Event, counts: Counter[str], sizes: list[tuple[float, int]]) -> None:
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        while not end.wait(1):
            changes, full = server.changes, server.full.is_set()
            try:
                status = client.get("/health").status_code
            except httpx.HTTPError:
                status = 0
            settled = time.monotonic() > server.emptied + 2 * SECONDS_BETWEEN_CHECKS
            if server.alive.is_set() and server.changes == changes and settled:
                counts["health asked"] += 1
                counts["health asked, disk full"] += full
                counts["health wrong"] += status != (503 if full else 200)
                with contextlib.suppress(OSError):
                    sizes.append(server.size())


def fill_at_times(disk: Disk, server: Server, end: threading.Event, seconds: float) -> None:
    begin = time.monotonic()
    for share in FULL_AT:
        if end.wait(max(0.0, begin + share * seconds - time.monotonic())):
            break
        server.changes += 1
        disk.fill()
        server.full.set()
        server.changes += 1
        end.wait(min(FULL_SECONDS, 0.05 * seconds))
        server.full.clear()
        server.changes += 1
        disk.empty()
        server.emptied = time.monotonic()


def write_study(folder: Path, readers: int) -> None:
    folder.mkdir()
    codes = "\n".join(f'R{number} = "reader-{number}"' for number in range(readers))
    cases = "".join(CASE.format(number=number) for number in range(CASES))
    (folder / "soak.toml").write_text(STUDY.format(readers=codes) + cases)


def soak(folder: Path, minutes: float, sessions: int, kills: int, model: str) -> list[str]:
    """What went wrong; the figures are printed."""
    write_study(folder / "studies", sessions)
    disk = Disk(folder / "data")
    try:
        return _soak(folder, disk, 60 * minutes, sessions, kills, model)
    finally:
        disk.unmount()


def _soak(folder: Path, disk: Disk, seconds: float, sessions: int, kills: int, model: str) -> list[str]:
    server, counts, sizes = Server(folder, model), Counter[str](), []
    end, watched = threading.Event(), threading.Event()
    visitors = [Session(number, server, counts) for number in range(sessions)]
    threads = [threading.Thread(target=each.run, args=(end,)) for each in visitors]
    threads.append(threading.Thread(target=disturb, args=(server, end, counts)))
    if disk.mounted:
        threads.append(threading.Thread(target=fill_at_times, args=(disk, server, end, seconds)))
    watching = threading.Thread(target=watch, args=(server, watched, counts, sizes))
    begin = time.monotonic()
    for thread in (*threads, watching):
        thread.start()
    for number in range(kills):
        due = begin + (number + 1) * seconds * 2 / 3 / kills
        time.sleep(max(LIFE, due - time.monotonic()))
        server.kill()
        server.start()
    warm = len(sizes) + 20  # of the last life
    time.sleep(max(seconds / 3, begin + seconds - time.monotonic()))
    end.set()
    for thread in threads:
        thread.join()
    watched.set()
    watching.join()
    server.stop()

    with Store(folder / "data") as store:
        rows = store.rows("SELECT id, comment, answers, kind FROM events")
    stored = Counter(row["id"] for row in rows)
    comments = {row["id"]: row["comment"] or (row["answers"] or {}).get("remark", "") for row in rows}
    said = {name: text for each in visitors for name, text in each.said.items()}
    left = [path for path in (folder / "tmp").rglob("*") if path.is_file()]
    last = sizes[warm:] or sizes[-1:]
    growth = last[-1][0] / last[0][0]
    counts |= Counter(acknowledged=len(said), killed=kills, files_left=len(left))
    counts |= Counter(f"stored: {row['kind']}" for row in rows)
    print(json.dumps(dict(sorted(counts.items())), indent=1))
    print(f"{(time.monotonic() - begin) / 60:.0f} minutes, the disk {'' if disk.mounted else 'not '}filled")
    print(f"memory {last[0][0]:.0f} to {last[-1][0]:.0f} MB, open files {last[0][1]} to {last[-1][1]}")
    wrong = {
        "acknowledged and not stored": sum(comments.get(name) != text for name, text in said.items()),
        "stored twice": sum(n > 1 for n in stored.values()),
        "of another session": counts["foreign"],
        "/health wrong": counts["health wrong"],
        "let in under a foreign name": counts["foreign name let in"],
        "files left": len(left),
        "memory grew": growth > GROWTH,
        "open files grew": last[-1][1] > last[0][1] + 400,  # the silent ones come and go
        "nothing was saved": not said,
        "no answer of the study was saved": not counts["stored: reading"],
    }
    return [f"{what}: {number}" for what, number in wrong.items() if number]


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--sessions", type=int, default=40)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--model", default="", help="as AFLOC_MODEL")
    arguments = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        wrong = soak(Path(folder), **vars(arguments))
    print("\n".join(wrong) or "All that was acknowledged is stored.")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
