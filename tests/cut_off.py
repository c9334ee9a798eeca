"""Page and commands where no network is: `unshare --net --mount python -m tests.cut_off
FOLDER`, as root.

The one name server is here and notes every question. The page and the commands start at once, with an empty
home in FOLDER; the page is asked something and stays until the commands are done. The commands are in
`FOLDER/commands.json`, {name: arguments}: one process does them in turn; with `--apart`, each has its own.
Prints JSON: `asked`, the names; `left`, the files in the home folder; `failed`, what each that failed said;
`said`, what the commands said.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
FILM = ROOT / "tests" / "reference" / "images" / "pattern_3.png"
IN_TURN = """
import json, sys
from afloc.cli.main import main
for arguments in json.loads(sys.argv[1]):
    if status := main(arguments):
        sys.exit(status)
"""
SET_FLAGS, SET_ADDRESS, UP = 0x8914, 0x8916, 1  # of linux/sockios.h and linux/if.h
NO_SUCH_NAME = 0x8183


def connect_to_nothing() -> None:
    """Bring the loopback interface up, with an address besides 127.0.0.1: what finds no other than that takes
    itself to be offline, and asks for no name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SET_FLAGS, struct.pack("16sh22x", b"lo", UP))
        address = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton("192.0.2.1"))
        fcntl.ioctl(control, SET_ADDRESS, struct.pack("16s8s16x", b"lo:1", address))


def note_questions(folder: Path) -> list[str]:
    """Become the only name server of this process and those it starts; the names asked for, as they come.
    None is known."""
    settings = {"resolv.conf": "nameserver 127.0.0.1\n", "nsswitch.conf": "hosts: files dns\n"}
    for name, content in settings.items():
        (folder / name).write_text(content)
        subprocess.run(["mount", "--bind", folder / name, Path("/etc") / name], check=True)
    asked: list[str] = []
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))

    def answer() -> None:
        while True:
            question, sender = server.recvfrom(4096)
            labels, place = [], 12
            while length := question[place]:
                labels.append(question[place + 1 : place + 1 + length].decode("ascii", "replace"))
                place += 1 + length
            asked.append(".".join(labels))
            header = struct.pack(">HHHHH", NO_SUCH_NAME, 1, 0, 0, 0)
            server.sendto(question[:2] + header + question[12 : place + 5], sender)

    threading.Thread(target=answer, daemon=True).start()
    return asked


def ask_page(url: str) -> None:
    """One question of one image, as `curl` asks it."""
    with httpx.Client(base_url=url, trust_env=False, timeout=100) as client:
        client.get("/").raise_for_status()
        (path,) = client.post("gradio_api/upload", files={"files": FILM.read_bytes()}).json()
        image = {"path": path, "meta": {"_type": "gradio.FileData"}}
        call = client.post("gradio_api/call/locate", json={"data": [image, "pleural effusion"]}).json()
        answer = client.get(f"gradio_api/call/locate/{call['event_id']}").text
    assert "event: complete" in answer, answer


def main(folder: Path, apart: bool) -> None:
    connect_to_nothing()
    asked = note_questions(folder)
    home, temporary = folder / "home", folder / "tmp"
    home.mkdir(), temporary.mkdir()
    # Nothing of a CI service, in which some libraries keep quiet, and nothing that turns them off.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temporary)}
    environment |= {"LANG": "C.UTF-8", "AFLOC_DATA_DIR": str(folder / "data")}
    environment |= {"OMP_NUM_THREADS": "1", "AFLOC_MODEL": os.environ.get("AFLOC_MODEL", "")}

    def start(*arguments) -> subprocess.Popen:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(list(map(str, arguments)), cwd=ROOT, env=environment, **pipes)

    page = start(sys.executable, "app.py")
    arguments = json.loads((folder / "commands.json").read_text())
    if apart:
        commands = {name: start(sys.executable, "-m", "afloc", *own) for name, own in arguments.items()}
    else:
        in_turn = json.dumps([*arguments.values()])
        commands = {" and ".join(arguments): start(sys.executable, "-c", IN_TURN, in_turn)}
    try:
        if line := page.stdout.readline():
            ask_page(line.split()[-1])
        said = {name: command.communicate()[1] for name, command in commands.items()}
    finally:
        page.terminate()
        _, page_said = page.communicate()
    failed = {name: said[name] for name, command in commands.items() if command.returncode}
    if not line:
        failed["page"] = page_said
    left = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    print(json.dumps({"asked": asked, "left": left, "failed": failed, "said": said}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--apart" in sys.argv)
