"""How much memory the page needs: a server that may have 2 GB, in a control group of Linux."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import PIL.Image
import pytest

from tests.web.nginx import free_port
from tests.web.routes.test_images import sent_pixels

ROOT = Path(__file__).parents[2]
ROOM = 2 << 30  # bytes
SIDE = 8888  # pixels: 79 megapixels, of 80 that are allowed


@pytest.fixture
def small_machine() -> Iterator[Path]:
    """A control group whose processes may have `ROOM` bytes together; skipped where none can be made."""
    groups = Path("/sys/fs/cgroup")
    kept = [groups / "memory", groups][not (groups / "memory").is_dir()] / f"afloc-test-{os.getpid()}"
    limit = "memory.limit_in_bytes" if (groups / "memory").is_dir() else "memory.max"
    try:
        kept.mkdir()
    except OSError:
        pytest.skip("no control group can be made here")
    try:
        (kept / limit).write_text(str(ROOM))
        yield kept
    except (OSError, FileNotFoundError):
        pytest.skip("the memory of a control group cannot be limited here")
    finally:
        kept.rmdir()


def large_picture() -> bytes:
    """A PNG in colour, of some 80 MB."""
    tile = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE // 8, 3), np.uint8) // 64 * 64
    out = io.BytesIO()
    PIL.Image.fromarray(np.tile(tile, (1, 8, 1))).save(out, "PNG", compress_level=1)
    return out.getvalue()


def test_two_gb_are_enough_for_the_page_and_one_image_of_79_megapixels(small_machine, tmp_path, long):
    if not long:
        pytest.skip("takes a minute: --long")
    port = free_port()
    own = {"AFLOC_PORT": str(port), "AFLOC_HOST": "127.0.0.1", "AFLOC_DATA_DIR": str(tmp_path)}
    join = f'echo $$ > {small_machine}/cgroup.procs; exec "$0" app.py'
    app = subprocess.Popen(
        ["sh", "-c", join, sys.executable], cwd=ROOT, env=os.environ | own, stdout=subprocess.PIPE
    )
    try:
        assert app.stdout and app.stdout.readline()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
            config = client.get("/config").json()["components"]
            (probe,) = (each["id"] for each in config if each["props"].get("elem_id") == "probe")
            fresh = resident_mb(app.pid)
            answer = client.post("/afloc/images", content=large_picture())
            assert answer.status_code == 200, answer.text[:300]
            _, about = sent_pixels(answer)
            asked = {"image": about["token"], "description": "cell nuclei", "modality": "histopathology"}
            found = client.post(
                "/gradio_api/component_server",
                json={"data": asked, "component_id": probe, "fn_name": "locate", "session_hash": "one"},
            )
            assert found.json()["finding"]["grid"]
            assert client.get("/health").status_code == 200
            print(
                f"resident: {fresh} MB fresh, {resident_mb(app.pid)} MB with the image; {peak(small_machine)}"
            )
        assert app.poll() is None
    finally:
        app.terminate()
        app.wait()
        wait_for_workers(small_machine)


def resident_mb(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def peak(group: Path) -> str:
    (found,) = (each for each in ("memory.max_usage_in_bytes", "memory.peak") if (group / each).exists())
    return f"at most {int((group / found).read_text()) >> 20} MB in the group"


def wait_for_workers(group: Path) -> None:
    while (group / "cgroup.procs").read_text():
        time.sleep(0.1)
