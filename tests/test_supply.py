"""What comes from elsewhere: pins, hashes, and nothing that runs what a file says."""

import ast
import hashlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from afloc.errors import ModelError
from afloc.model.files.hub import check_hashes, download

ROOT = Path(__file__).parent.parent
PIN = re.compile(r"^([A-Za-z0-9_.\-]+)==([^\s;\\]+)", re.M)


def test_the_lock_holds_every_pin_with_its_hash():
    pins = dict(PIN.findall((ROOT / "requirements.txt").read_text()))
    lock = (ROOT / "requirements.lock").read_text()
    locked = dict(PIN.findall(lock))
    assert pins and pins == {name: locked.get(name) for name in pins}
    wanted = [
        line for line in (ROOT / "requirements.txt").read_text().splitlines() if line[:1] not in ("#", "")
    ]
    assert len(pins) == len(wanted)
    for entry in re.split(r"\n(?=[a-z0-9])", lock[lock.index("\na") + 1 :]):
        name, *hashes = entry.strip().split(" \\\n")
        assert PIN.match(name) and hashes, name
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", each) for each in hashes), name
    assert "://" not in lock


def test_the_package_takes_the_tested_versions_up_to_the_next_major_one():
    pins = dict(PIN.findall((ROOT / "requirements.txt").read_text()))
    wanted = list(
        map(Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    )
    assert {each.name for each in wanted} == pins.keys()
    for each in wanted:
        tested = Version(pins[each.name])
        assert tested in each.specifier and Version(f"{tested.major + 1}.0") not in each.specifier, each


UNSAFE = {"load", "loads", "Unpickler"}
UNPICKLERS = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle", "yaml"}


def find_unsafe(source: str) -> list[str]:
    """Calls that may run what a file says."""
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        keywords = {each.arg: ast.unparse(each.value) for each in call.keywords}
        home, _, function = name.rpartition(".")
        if (
            name in ("eval", "exec", "__import__", "os.system")
            or (home in UNPICKLERS and function in {*UNSAFE, "open", "unsafe_load", "full_load"})
            or function in ("read_pickle", "load_pickle")
            or (name == "torch.load" and keywords.get("weights_only") != "True")
            or keywords.get("allow_pickle", "False") != "False"
            or keywords.get("trust_remote_code", "False") != "False"
            or keywords.get("shell", "False") != "False"
        ):
            found.append(f"{name}, line {call.lineno}")
    return found


def test_nothing_runs_what_a_file_says():
    for bad in (
        "pickle.loads(x)",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "np.load(p, allow_pickle=True)",
        "yaml.load(x)",
        "eval(x)",
        "AutoModel.from_pretrained(p, trust_remote_code=True)",
    ):
        assert find_unsafe(bad), bad
    files = [*(ROOT / "afloc").rglob("*.py"), ROOT / "app.py"]
    assert len(files) > 80
    assert {file.name: found for file in files if (found := find_unsafe(file.read_text()))} == {}


def snapshot(folder, content, name):
    """A file as the hub's client keeps it: a link to a blob that is named by its hash."""
    (folder / "blobs").mkdir()
    (folder / "snapshots" / "main").mkdir(parents=True)
    (folder / "blobs" / name).write_bytes(content)
    (folder / "snapshots" / "main" / "model.safetensors").symlink_to(f"../../blobs/{name}")
    return folder / "snapshots" / "main"


@pytest.mark.parametrize("kind", ["sha256", "git"])
def test_a_download_is_what_the_hub_has(tmp_path, kind):
    content = b"weights"
    name = hashlib.sha256(content).hexdigest()
    if kind == "git":
        name = (
            subprocess.check_output(["git", "hash-object", "--stdin"], input=content, text=False)
            .decode()
            .strip()
        )
    good = snapshot(tmp_path, content, name)
    check_hashes(good, "owner/name")
    (tmp_path / "blobs" / name).write_bytes(b"other weights")
    with pytest.raises(ModelError, match=r"^model\.safetensors of owner/name is not what .*\.$"):
        check_hashes(good, "owner/name")


@pytest.mark.parametrize(
    "name", ["../x", "a/b@", "a/b@../main", "a/b@x y", "https://x/y", "a/b@" + "x" * 200, "a--b"]
)
def test_names_that_are_none_on_the_hub(name):
    with pytest.raises(ModelError, match="neither a folder here nor a name on the hub"):
        download(name, ("config.json",), "a folder")
