"""The documentation is held to the code: links, names, commands, settings, rooms, floors and figures."""

import argparse
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import afloc
from afloc.cli.main import main
from afloc.settings import SETTINGS
from tests.test_floors import MAY_IMPORT

ROOT = Path(__file__).parent.parent
CARD = ROOT / "assets/models/afloc-mini/README.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), CARD, ROOT / "tests/reference/README.md"])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`]+)`")
PATH = re.compile(r"(?:\.github|afloc|assets|deploy|docs|tests)/[\w./*-]*(?:::\w+)?")
MODULE = re.compile(r"(?<![\w/.-])(?:[a-z_]+/)+[a-z_]+\.py\b")
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]*\d)")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def read(path: Path | str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub names them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", read(page)), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pages
def test_links_lead_somewhere(page):
    for link in LINK.findall(FENCE.sub("", read(page))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


@pages
def test_files_folders_and_tests_that_are_named_exist(page):
    spans = [span for span in SPAN.findall(FENCE.sub("", read(page))) if PATH.fullmatch(span)]
    for span in spans:
        name, _, test = span.partition("::")
        assert list(ROOT.glob(name.rstrip("/"))), span
        assert not test or f"def {test}(" in read(name), span
    for name in MODULE.findall(read(page)):
        assert any((folder / name).is_file() for folder in (ROOT, ROOT / "afloc")), name


class AcceptedError(Exception):
    """The parser took the arguments; the command itself is not run."""


def said_commands(text: str) -> Iterator[str]:
    """Every call of the command line in a page: lines of its shell blocks, and code within its sentences."""
    lines = [line for kind, block in FENCE.findall(text) if kind == "sh" for line in block.splitlines()]
    spans = [" ".join(span.split()) for span in SPAN.findall(FENCE.sub("", text))]
    for line in (*lines, *spans):
        for command in re.split(r"&&|\|", line.split(" #")[0]):
            if call := re.match(r"(?:(?:.*\s)?\S*-m afloc|\s*afloc) (?=[a-z-])(.+)", command):
                yield call[1].strip()


def accepts(command: str, monkeypatch) -> bool:
    parse = argparse.ArgumentParser.parse_args

    def parse_only(parser, *given):
        parse(parser, *given)
        raise AcceptedError

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
        try:
            main(shlex.split(command))
        except AcceptedError:
            return True
        except SystemExit as end:
            return end.code == 0  # --help, --version
    return False


@pages
def test_commands_are_accepted(page, monkeypatch):
    """Whole commands; of a bare `afloc NAME` in a sentence, that there is such a command."""
    for command in said_commands(read(page)):
        name = command if " " not in command else None
        assert accepts(command, monkeypatch) or (name and accepts(f"{name} --help", monkeypatch)), command


def test_a_command_that_is_not_there_is_found(monkeypatch, capsys):
    text = "```sh\npython -m afloc locate film.png x --no-such y  # z\nafloc nothing\n```\nand `afloc locate`"
    assert list(said_commands(text)) == ["locate film.png x --no-such y", "nothing", "locate"]
    assert not accepts("locate film.png x --no-such y", monkeypatch)
    assert not accepts("nothing", monkeypatch) and not accepts("nothing --help", monkeypatch)
    assert accepts("locate film.png 'left effusion' --out result", monkeypatch)


@pages
def test_examples_compile(page):
    for kind, block in FENCE.findall(read(page)):
        if kind == "python":
            compile(block, str(page), "exec")


def test_the_settings_are_those_of_the_code():
    rows = [line for line in read("docs/settings.md").splitlines() if line.startswith("| `AFLOC_")]
    assert rows == [
        f"| `{setting.name}` | {f'`{setting.default}`' if setting.default else ''} | {setting.help} |"
        for setting in SETTINGS
    ]


@pages
def test_settings_that_are_named_exist(page):
    assert set(re.findall(r"AFLOC_[A-Z_]+", read(page))) <= {setting.name for setting in SETTINGS}


def test_every_room_is_named():
    named = re.findall(r"^\| `(afloc/[\w/]*)` \| \S", read("docs/architecture.md"), re.M)
    rooms = {path.parent for path in (ROOT / "afloc").rglob("*.py")}
    assert sorted(named) == sorted(f"{room.relative_to(ROOT)}/" for room in rooms)


def read_floors() -> dict[str, int]:
    """The floor of each room at the top of afloc/, and of each module that lies there."""
    section = read("docs/architecture.md").split("\n## Floors\n")[1].split("\n## ")[0]
    return {
        name.removesuffix("/").removesuffix(".py"): int(item.split(".")[0])
        for item in re.findall(r"^\d+\. .+(?:\n   .+)*", section, re.M)
        for name in re.findall(r"`afloc/([\w.]+/?)`", item)
    }


def test_the_floors_are_those_the_code_keeps():
    floors = read_floors()
    assert floors.keys() == MAY_IMPORT.keys()
    for room, allowed in MAY_IMPORT.items():
        for other in allowed & floors.keys() if room in floors else ():
            assert floors[other] < floors[room] or floors[room] == 1, f"{room} may import {other}"


def test_the_readme_is_short_and_begins_with_what_it_is_not_for():
    readme = read("README.md")
    assert len(readme.encode()) <= 10_240
    assert "**Research use only. Not for diagnosis.**" in readme.split("---", 2)[2][:700]


def test_the_figures_of_the_readme_are_those_of_the_card_and_of_scale():
    section = read("README.md").split("\n## What it measures\n")[1].split("\n## ")[0]
    cells = [line.split("|")[2:4] for line in section.splitlines() if line.startswith("|")][2:]
    assert len(cells) == 6
    known = set(NUMBER.findall(read(CARD) + read("docs/scale.md")))
    shown = {number for row in cells for cell in row for number in NUMBER.findall(cell)}
    assert len(shown) > 20 and shown <= known, shown - known


def test_the_citation_and_the_templates_are_sound():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors", "references"} <= set(citation)
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert citation["version"] == afloc.__version__
    assert citation["license"] == project["license"]
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"):
        form = yaml.safe_load(read(path))
        assert form["name"] and form["description"], path.name
        for part in form["body"]:
            assert part["type"] in ("markdown", "input", "textarea", "dropdown", "checkboxes"), path.name
            assert part["attributes"].get("label") or part["type"] == "markdown", path.name
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]  # nothing is fetched
