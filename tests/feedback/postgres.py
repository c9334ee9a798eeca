"""A real Postgres for a test: its own server, on a socket in a folder that goes with it."""

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def programs() -> Path | None:
    """The folder with Postgres's programs, if it is installed."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of a fresh server, which ends with the block; skips the test where there is no Postgres."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if (place := programs()) is None:
        pytest.skip("Postgres is not installed (for example: apt-get install postgresql)")
    folder, as_user = Path(tempfile.mkdtemp(prefix="postgres-")), []
    if os.getuid() == 0:  # Postgres refuses to run as root
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    user = "postgres" if as_user else getpass.getuser()
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c shared_buffers=16MB"
    run = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
    subprocess.run([*as_user, place / "initdb", "-D", data, "-A", "trust", "-U", user, "--no-sync"], **run)
    control = [*as_user, place / "pg_ctl", "-D", data, "-w", "-s"]
    subprocess.run([*control, "start", "-l", folder / "log", "-o", options], **run)
    try:
        yield f"postgresql://{user}@/postgres?host={folder}"
    finally:
        subprocess.run([*control, "stop", "-m", "immediate"], **run)
        shutil.rmtree(folder)
