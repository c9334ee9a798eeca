"""The page's scripts: unit tests by Node, and what ESLint and the TypeScript compiler say of them.

Nothing that runs needs Node. Without it, or without what `npm ci` brings, these are skipped.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OLDEST = (20, 19)  # that ESLint runs on
OFFLINE = re.compile("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH")


def run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True)


@pytest.fixture(scope="module")
def node() -> str:
    path = shutil.which("node")
    if path is None or shutil.which("npm") is None:
        pytest.skip("Node and npm are not installed")
    version = run(path, "--version").stdout.strip()
    if tuple(map(int, version.lstrip("v").split(".")[:2])) < OLDEST:
        pytest.skip(f"Node {version} is too old: {'.'.join(map(str, OLDEST))} is needed")
    return path


@pytest.fixture(scope="module")
def packages(node: str) -> None:
    """ESLint and TypeScript, as the lock file has them; fetched where they are not there yet."""
    installed, lock = HERE / "node_modules" / ".package-lock.json", HERE / "package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    done = run("npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=0")
    if done.returncode and OFFLINE.search(done.stderr):
        pytest.skip("npm cannot reach its registry")
    assert done.returncode == 0, done.stderr


def test_units(node):
    done = run(node, "--test")
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)[1]) >= 40


@pytest.mark.parametrize("check", ["lint", "types"])
def test_nothing_is_found_by(check, packages):
    done = run("npm", "run", "--silent", check)
    assert done.returncode == 0, done.stdout + done.stderr
