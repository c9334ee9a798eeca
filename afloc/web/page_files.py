"""The files of the page, `assets/page`: the markup that Python puts in place, and what the browser fetches.

The browser fetches scripts, which are ES modules, and the style sheets in one, as GET
/afloc/page/<version>/<file>. The version is a hash of all of them, so that a browser keeps what it has for as
long as nothing changes. The modules that the tab shown first needs come in one file too.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from afloc.resources import ASSETS
from afloc.web.joined_modules import join, use_joined, what_it_needs
from afloc.web.paths import PAGE

FOLDER = ASSETS / "page"
STYLES = "styles.css"
SHEETS = (  # joined in this order: where two rules are alike, the later one counts
    *(
        "shell/page.css",
        "shell/first.css",
        "shell/panel.css",
        "shell/sheet.css",
        "viewer/viewer.css",
        "probe/feedback.css",
        "shell/card.css",
    ),
    *(
        "probe/probe.css",
        "probe/pacs.css",
        "worklist/worklist.css",
        "ground_truth/ground_truth.css",
        "study/study.css",
        "results/results.css",
    ),
)
LATE_SHEETS = ("study_editor/study_editor.css",)  # come with the scripts that need them
FIRST_TAB = "probe/probe.js"
JOINED = (
    "joined/first_tab.js"  # all that it needs; a folder deep, as they are, so that import.meta.url serves
)
KEEP = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


@dataclass(frozen=True)
class PageFile:
    """A file as it is sent: its bytes, the same compressed, and its media type."""

    plain: bytes
    packed: bytes
    kind: str

    def response(self, packed: bool) -> Response:
        headers = KEEP | {"Content-Encoding": "gzip"} if packed else KEEP
        return Response(self.packed if packed else self.plain, media_type=self.kind, headers=headers)


def read_asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@cache
def page_files() -> dict[str, PageFile]:
    """What the browser may fetch, by name, as it is when this is first called."""
    names = (path.relative_to(FOLDER).as_posix() for path in sorted(FOLDER.rglob("*.js")))
    scripts = {name: without_comments(read_asset(name)) for name in names}
    first = what_it_needs(FIRST_TAB, scripts)
    sent = {
        name: use_joined(name, script, first, JOINED) for name, script in scripts.items() if name not in first
    }
    sent[JOINED] = join(first, scripts, JOINED)
    return (
        {STYLES: pack("".join(map(read_asset, SHEETS)), "text/css")}
        | {name: pack(script, "text/javascript") for name, script in sent.items()}
        | {name: pack(read_asset(name), "text/css") for name in LATE_SHEETS}
    )


def without_comments(script: str) -> str:
    """A script without the lines that are comments, a quarter of all; they stay empty, so that the numbers of
    lines in an error are those of the file. No template literal of ours goes over several lines."""
    return "\n".join(
        "" if line.lstrip().startswith("//") or _is_note(line.strip()) else line
        for line in script.split("\n")
    )


def _is_note(line: str) -> bool:
    """A line of types alone."""
    return line.startswith("/**") and line.endswith("*/")


def pack(text: str, kind: str) -> PageFile:
    plain = text.encode()
    return PageFile(plain, gzip.compress(plain, mtime=0), kind)


@cache
def version() -> str:
    digest = hashlib.sha256()
    for name, file in page_files().items():
        digest.update(f"{name} {len(file.plain)} ".encode() + file.plain)
    return digest.hexdigest()[:16]


def address(name: str) -> str:
    """Where a file is, seen from the page: right below a path, too."""
    return f"{PAGE[1:]}/{version()}/{name}"


def head() -> str:
    """What the page needs in its <head>: the surroundings chosen last time, the styles, the first modules."""
    links = "".join(
        f'<link rel="modulepreload" fetchpriority="low" href="{address(name)}">'
        for name in ("shell/bar.js", FIRST_TAB, JOINED)
    )
    return f"""<script>{read_asset("shell/theme.js")}</script>
<link rel="stylesheet" href="{address(STYLES)}">
<template id="first-modules">{links}</template>
<script>{read_asset("shell/preload.js")}</script>"""


def first_paint() -> str:
    """What the body begins with: the outlines of the page, painted until the scripts have built it."""
    return read_asset("shell/first.html")


def page_routes() -> list[Route]:
    """The route that scripts and style sheets come by."""
    files, current = page_files(), version()

    async def send(request: Request) -> Response:
        file = files.get(request.path_params["name"])
        if file is None or request.path_params["version"] != current:
            return JSONResponse({"error": "There is no such page."}, 404)
        return file.response("gzip" in request.headers.get("accept-encoding", ""))

    return [Route(f"{PAGE}/{{version}}/{{name:path}}", send)]
