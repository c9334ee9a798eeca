"""A real Orthanc: a PACS with DICOMweb of its own, in a folder that goes with it."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

USER, PASSWORD = "afloc", "a password"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass
class Orthanc:
    address: str
    process: subprocess.Popen

    @property
    def url(self) -> str:
        return f"{self.address}/dicom-web"

    def ask(self, method: str, path: str, content: bytes | None = None):
        answer = httpx.request(
            method, self.address + path, content=content, auth=(USER, PASSWORD), timeout=60
        )
        answer.raise_for_status()
        return answer

    def put(self, content: bytes) -> str:
        """Store a file; its number in Orthanc."""
        return self.ask("POST", "/instances", content).json()["ID"]

    def files(self) -> list[bytes]:
        names = self.ask("GET", "/instances").json()
        return [self.ask("GET", f"/instances/{name}/file").content for name in names]


@contextmanager
def running_orthanc(folder: Path) -> Iterator[Orthanc]:
    """A fresh one; skips the test where it, or the extra that talks to it, is not installed."""
    pytest.importorskip("dicomweb_client", reason="the extra afloc[pacs] is not installed")
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None or not PLUGIN.exists():
        pytest.skip("Orthanc is not installed (for example: apt-get install orthanc orthanc-dicomweb)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    log = (folder / "log").open("wb")
    process = subprocess.Popen([program, folder / "orthanc.json"], stdout=log, stderr=log)
    orthanc = Orthanc(f"http://127.0.0.1:{port}", process)
    try:
        while not _answers(orthanc):
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield orthanc
    finally:
        process.kill()
        process.wait()
        log.close()


def _answers(orthanc: Orthanc) -> bool:
    try:
        orthanc.ask("GET", "/system")
    except httpx.HTTPError:
        return False
    return True
