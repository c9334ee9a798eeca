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
from afloc.feedback.backup import Backup
from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Store
with Store(sys.argv[1]) as store:
    backup = Backup(store, "hf:owner/feedback", 60)
    if backup.problem: print(backup.problem)
    for number in range(int(sys.argv[2])): store.record(Event("feedback", visible_ms=number))
    backup.close()
    print(store.rows("SELECT count(*) AS n FROM events")[0]["n"])
"""


def test_feedback_survives_the_disk_of_a_space(hub, tmp_path):
    """Each start has an empty disk; one of them does not reach the hub, and overwrites nothing."""

    def run(number, events):
        command = [sys.executable, "-c", FILL, str(tmp_path / str(number)), str(events)]
        return subprocess.run(command, env=hub.environment, capture_output=True, text=True, check=True).stdout

    assert run(1, 3) == "3\n"
    made = hub.asked["owner/feedback"]
    assert (made["type"], made["visibility"]) == ("dataset", "private")
    assert run(2, 2) == "5\n"
    hub.down, before = True, dict(hub.repositories["owner/feedback"])
    assert run(3, 1).startswith("The copy of the feedback could not be read")
    hub.down = False
    assert hub.repositories["owner/feedback"] == before
    assert run(4, 0) == "5\n"
