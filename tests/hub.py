"""A stand-in of the Hugging Face hub's HTTP API, for what the project asks of it: repositories in memory."""

import base64
import hashlib
import json
import os
import re
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub(ThreadingHTTPServer):
    """`repositories`: name to its files; `asked`: what else was asked for it; `fetched`:
    files that somebody had. `down` has it refuse all. `before_commit`: called once, before the next
    commit."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.asked: dict[str, object] = {}
        self.fetched: set[str] = set()
        self.history: dict[str, list[tuple[datetime, dict[str, bytes]]]] = {}  # every commit's files
        self.large: dict[str, bytes] = {}
        self.down = False
        self.before_commit = None

    def head(self, name: str) -> str:
        """What the last commit of a repository is called."""
        files = sorted((path, blob_name(content)) for path, content in self.repositories[name].items())
        return blob_name(json.dumps(files).encode())

    @property
    def environment(self) -> dict[str, str]:
        """That of a process for which this is the hub, with somebody signed in."""
        own = {"HF_ENDPOINT": self.url, "HF_TOKEN": "hf_test", "HF_HUB_DISABLE_XET": "1"}
        return os.environ | own | {"HF_HUB_DISABLE_TELEMETRY": "1"}


def blob_name(content: bytes) -> str:
    """What Git calls a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def running_hub():
    hub = Hub()
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, content=None, status=200, body=None, **headers):
        body = json.dumps(content).encode() if body is None else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub: Hub = self.server
        if hub.down:
            return self.answer({"error": "down"}, 403)
        if found := re.fullmatch(r"/api/(?:space|dataset|model)s/([^/]+/[^/]+)(?:/revision/.*)?", self.path):
            if found[1] not in hub.repositories:
                return self.answer({"error": "none"}, 404, X_Error_Code="RepoNotFound")
            files = [{"rfilename": name} for name in hub.repositories[found[1]]]
            return self.answer({"id": found[1], "sha": hub.head(found[1]), "siblings": files})
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/commits/main", self.path):
            named = {"authors": [], "title": "", "message": ""}
            commits = hub.history.get(found[1], [])
            return self.answer(
                [{"id": str(n), "date": f"{time:%FT%T.%f}Z"} | named for n, (time, _) in enumerate(commits)]
            )
        if found := re.fullmatch(r"/api/(?:dataset|model)s/([^/]+/[^/]+)/tree/.*", self.path):
            files = hub.repositories[found[1]].items()
            return self.answer(
                [{"type": "file", "path": n, "size": len(c), "oid": blob_name(c)} for n, c in files]
            )
        if found := re.fullmatch(r"(?:/datasets)?/([^/]+/[^/]+)/resolve/[^/]+/(.+)", self.path):
            content = hub.repositories[found[1]][found[2]]
            hub.fetched.add(found[2])
            etag = f'"{blob_name(content)}"'
            return self.answer(body=content, ETag=etag, X_Repo_Commit=hub.head(found[1]))
        self.answer({"error": self.path}, 404)

    def do_PUT(self):
        self.server.large[self.path.rpartition("/")[2]] = self.body()
        self.answer({})

    def do_POST(self):
        hub, body = self.server, self.body()
        if hub.down or self.headers["Authorization"] != "Bearer hf_test":
            return self.answer({"error": "no"}, 403)
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            known = name in hub.repositories
            hub.repositories.setdefault(name, {})
            hub.asked.setdefault(name, asked)
            address = f"{hub.url}/{asked['type']}s/{name}"
            return self.answer({"url": address}, 409 if known else 200)
        if self.path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if self.path.endswith("/preupload/main"):
            files = [
                {"path": f["path"], "uploadMode": "lfs" if f["size"] > 10**6 else "regular"}
                for f in json.loads(body)["files"]
            ]
            return self.answer({"files": [f | {"shouldIgnore": False} for f in files]})
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            for each in objects:
                each["actions"] = {"upload": {"href": f"{hub.url}/large/{each['oid']}"}}
            return self.answer({"transfer": "basic", "objects": objects})
        if found := re.fullmatch(r"/api/((?:space|dataset)s/([^/]+/[^/]+))/commit/main", self.path):
            call, hub.before_commit = hub.before_commit, None
            if call:
                call()
            for line in body.splitlines():
                entry = json.loads(line)
                value = entry["value"]
                if entry["key"] == "header":
                    if value.get("parentCommit") not in (None, hub.head(found[2])):
                        return self.answer({"error": "A commit has happened since."}, 412)
                    continue
                if entry["key"] == "file":
                    content = base64.b64decode(value["content"])
                elif entry["key"] == "lfsFile":
                    content = hub.large[value["oid"]]
                else:
                    continue
                hub.repositories[found[2]][value["path"]] = content
            hub.history.setdefault(found[2], []).append((datetime.now(UTC), dict(hub.repositories[found[2]])))
            commit = hub.head(found[2])
            url = f"{hub.url}/{found[1]}/commit/{commit}"
            return self.answer({"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""})
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/super-squash/main", self.path):
            hub.history[found[1]] = [(datetime.now(UTC), dict(hub.repositories[found[1]]))]
            return self.answer({})
        if found := re.fullmatch(r"/api/spaces/([^/]+/[^/]+)/(variables|hardware)", self.path):
            hub.asked[found[2]] = json.loads(body)
            running = {
                "stage": "RUNNING",
                "hardware": {"current": None, "requested": None},
                "gcTimeout": None,
            }
            return self.answer(running if found[2] == "hardware" else {})
        self.answer({"error": self.path}, 404)

    def body(self) -> bytes:
        if length := self.headers.get("Content-Length"):
            return self.rfile.read(int(length))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content
