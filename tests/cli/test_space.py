"""The project to a Space and feedback to a dataset repository, against a stand-in of the hub."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.hub import running_hub

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hub():
    with running_hub() as hub:
        yield hub


def afloc(hub, *arguments):
    command = [sys.executable, "-m", "afloc", *map(str, arguments)]
    return subprocess.run(command, env=hub.environment, capture_output=True, text=True, cwd=ROOT)


def test_a_space_holds_what_the_page_needs_and_no_more(hub):
    asked = ["--private", "--hardware", "zero-a10g", "--model", "hf:owner/model"]
    done = afloc(hub, "deploy", "owner/afloc", *asked)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    files = hub.repositories["owner/afloc"]
    assert hub.asked["owner/afloc"]["sdk"] == "gradio" and hub.asked["owner/afloc"]["visibility"] == "private"
    assert hub.asked["hardware"]["flavor"] == "zero-a10g"
    assert hub.asked["variables"] == {"key": "AFLOC_MODEL", "value": "hf:owner/model"}
    sent = ("app.py", "README.md", "LICENSE", "requirements.txt", "pyproject.toml", "afloc", "assets")
    assert {name.split("/")[0] for name in files} == set(sent)
    tracked = subprocess.run(["git", "ls-files", *sent], capture_output=True, text=True, cwd=ROOT).stdout
    assert set(tracked.split("\n")) - {""} <= files.keys()
    assert not [name for name in files if "__pycache__" in name]
    weights = "assets/models/afloc-mini/model.safetensors"
    assert files["app.py"] == (ROOT / "app.py").read_bytes()
    assert not (ROOT / weights).exists() or files[weights] == (ROOT / weights).read_bytes()


def test_updating_a_space_changes_its_files_only(hub):
    hub.repositories["owner/afloc"] = {"app.py": b"old"}
    assert afloc(hub, "deploy", "owner/afloc").returncode == 0
    assert hub.repositories["owner/afloc"]["app.py"] != b"old" and "hardware" not in hub.asked


def test_a_refusal_is_one_sentence(hub):
    hub.down = True
    for name in ("owner/afloc", "afloc", "owner/a b"):
        done = afloc(hub, "deploy", name)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and done.stderr.endswith(".\n")


def test_the_readme_says_what_a_space_runs():
    front = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---")[1])
    pinned = (ROOT / "requirements.txt").read_text()
    assert front["sdk"] == "gradio" and f"gradio=={front['sdk_version']}" in pinned
    assert (ROOT / front["app_file"]).is_file() and front["python_version"] == "3.11"


FILL = """
import sys
from pathlib import Path
from afloc.feedback.backup import Backup
from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Store
for start, events in enumerate(map(int, sys.stdin)):
    with Store(Path(sys.argv[1]) / str(start)) as store:
        backup = Backup(store, "hf:owner/feedback", 60)
        for number in range(events): store.record(Event("feedback", visible_ms=number))
        backup.close()
        print(backup.problem or store.rows("SELECT count(*) AS n FROM events")[0]["n"], flush=True)
"""


def test_feedback_survives_the_disk_of_a_space(hub, tmp_path):
    """Each start has an empty disk; one of them does not reach the hub, and overwrites nothing."""

    command = [sys.executable, "-c", FILL, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, env=hub.environment, cwd=ROOT, **pipes) as process:

        def start(events):
            process.stdin.write(f"{events}\n")
            return process.stdout.readline()

        assert start(3) == "3\n"
        made = hub.asked["owner/feedback"]
        assert (made["type"], made["visibility"]) == ("dataset", "private")
        assert start(2) == "5\n"
        hub.down, before = True, dict(hub.repositories["owner/feedback"])
        assert start(1).startswith("The copy of the feedback could not be read")
        hub.down = False
        assert hub.repositories["owner/feedback"] == before
        assert start(0) == "5\n"
