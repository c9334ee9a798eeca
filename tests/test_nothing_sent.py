"""Nobody is told that AFLoc is used: no name is looked up, and nothing is left but what the README names."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cut_off import FILM
from tests.evaluation.sets import write_set
from tests.training.mimic import write_mimic, write_recipe

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory() as folder:  # with a short name: Chromium has a socket in it
        yield Path(folder)


def test_page_and_commands_ask_nobody_and_leave_nothing(folder, small_folder, long):
    """Also where `CI` is not set, which alone keeps some libraries quiet. `--long`: each command is one
    process, and has the embedded model."""
    alone = ["unshare", "--net", "--mount"]
    if sys.platform != "linux" or os.getuid() or subprocess.run([*alone, "true"]).returncode:
        pytest.skip("only root on Linux can give a program a network of its own")
    recipe, data = write_recipe(folder), write_mimic(folder / "mimic")
    model = [] if long else ["--model", small_folder]
    commands = {
        "locate": ["locate", FILM, "effusion", *model, "--out", folder / "located"],
        "evaluate": ["evaluate", write_set(folder / "set", 3), *model, "--out", folder / "evaluated"],
        "train": ["train", recipe, "--data", data, "--out", folder / "trained"],
    }
    (folder / "commands.json").write_text(json.dumps(commands, default=str))
    command = [*alone, sys.executable, "-m", "tests.cut_off", folder, *["--apart"] * long]
    environment = os.environ | {"AFLOC_MODEL": "" if long else str(small_folder)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["failed"] == {}
    assert found["asked"] == []
    ours = (".cache/afloc/", ".cache/matplotlib/fontlist")  # exported encoders; where the system's fonts lie
    assert [path for path in found["left"] if not path.startswith(ours)] == []
    assert (folder / "evaluated" / "figure_means.svg").is_file(), found["said"]


def test_a_setting_of_the_user_turns_no_telemetry_on():
    asked = "import os, afloc; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    command = [sys.executable, "-c", asked]
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"ORT_DISABLE_TELEMETRY": "0"}, capture_output=True
    )
    assert ended.stdout == b"1\n"
