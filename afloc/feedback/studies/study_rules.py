"""What holds between the keys of a study file, and which images it names.

The values are those of the file as they are: what is wrong in itself is passed over here, so that a file with
several faults is told of all of them at once.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from afloc.feedback.studies.questions import KINDS
from afloc.feedback.studies.study import EXAMPLE, NAME, NAME_RULE, Study, digest_of
from afloc.imaging.examples import EXAMPLES
from afloc.schema import Fault

CASES = ("cases", "training")  # the keys whose tables are cases


def find_faults(values: Mapping[str, Any], folder: Path) -> list[Fault]:
    """All that is wrong between the keys of a study file that lies in `folder`."""
    return [
        *_images(values, folder),
        *_names(values),
        *_readers(values),
        *_numbers(values),
        *_answers(values),
    ]


def case_tables(values: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every table of a case, training too, with its key: "cases[1]"."""
    for name in CASES:
        yield from tables(values, name)


def tables(values: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables of a list that are tables, each with its key."""
    listed = values.get(name)
    for number, table in enumerate(listed if isinstance(listed, list) else (), 1):
        if isinstance(table, dict):
            yield f"{name}[{number}]", table


def image_digest(folder: Path, image: str) -> str:
    """Which image it is: SHA-256 (hex). OSError where it cannot be read.

    An example's pixels may differ by a rounding between machines, so that its name stands for them.
    """
    if image.startswith(EXAMPLE):
        return hashlib.sha256(image.encode()).hexdigest()
    path = folder / image
    found = path.stat()
    return _digest(path, found.st_size, found.st_mtime_ns)


@lru_cache(10_000)
def _digest(path: Path, _size: int, _time: int) -> str:
    """Worked out again only where the file is another one."""
    with open(path, "rb") as file:
        return digest_of(file)


def same_codes(studies: Iterable[Study]) -> str:
    """Who of several studies have one code, by name, "" for nobody: the code itself is told to nobody."""
    holders: dict[str, str] = {}
    for study in studies:
        for name, code in (*study.readers.items(), ("coordinator", study.coordinator)):
            if code and code in holders:
                return f"{holders[code]} and {study.id}: {name}"
            holders[code] = f"{study.id}: {name}"
    return ""


def _images(values: Mapping[str, Any], folder: Path) -> Iterator[Fault]:
    names = [example.name for example in EXAMPLES]
    for place, case in case_tables(values):
        key, image = f"{place}.image", case.get("image")
        if not isinstance(image, str) or not image.strip():
            continue
        if image.startswith(EXAMPLE):
            if image.removeprefix(EXAMPLE) not in names:
                yield Fault(key, f"{key} names no example; there are {', '.join(names)}")
            continue
        try:
            if (folder / image).is_file():
                image_digest(folder, image)
            else:
                yield Fault(key, f"{key} names a file that is not there")
        except (OSError, ValueError):
            yield Fault(key, f"{key} names a file that cannot be read")


def _names(values: Mapping[str, Any]) -> Iterator[Fault]:
    for entries in (tables(values, "questions"), case_tables(values)):
        seen: set[str] = set()
        for place, table in entries:
            name = table.get("id")
            if isinstance(name, str) and name in seen:
                yield Fault(f"{place}.id", f"{place.partition('[')[0]} has {name!r} twice")
            seen.add(str(name))


def _readers(values: Mapping[str, Any]) -> Iterator[Fault]:
    readers = values.get("readers")
    if not isinstance(readers, dict):
        return
    if not readers:
        yield Fault("readers", "readers names nobody")
    holders: dict[str, str] = {}
    coordinator = values.get("coordinator")
    for name, code in (*readers.items(), ("the coordinator", coordinator)):
        if name != "the coordinator" and not NAME.fullmatch(name):
            yield Fault(f"readers.{name}", f"readers.{name} {NAME_RULE}")
        if isinstance(code, str) and code.strip():
            if code.strip() in holders:
                yield Fault("readers", f"readers gives {holders[code.strip()]} and {name} one code")
            holders[code.strip()] = name


def _numbers(values: Mapping[str, Any]) -> Iterator[Fault]:
    """The design, and what is counted by cases."""
    cases = [case for _, case in tables(values, "cases")]
    blocks = Counter(str(case["block"]) for case in cases if case.get("block"))
    each, repeats = values.get("blocks_each", 1), values.get("repeats", 0)
    if type(each) is int and each > max(1, len(blocks)):
        yield Fault("blocks_each", f"blocks_each is {each}; the cases name {len(blocks)} blocks")
    elif type(each) is int and type(repeats) is int:
        sizes = list(blocks.values())
        fewest = min(
            (sum((sizes * 2)[first : first + each]) for first in range(len(sizes))),
            default=0,
        )
        fewest += len(cases) - sum(sizes)
        if repeats > fewest // 2 and cases:
            half = f"at most half of the {fewest} cases can be repeated"
            yield Fault("repeats", f"repeats is {repeats}; {half}")
    if values.get("washout_days") and values.get("design") != "crossover":
        yield Fault("washout_days", "washout_days is for the design crossover only")
    if values.get("edit") is True and values.get("back") is not True:
        yield Fault("edit", "edit needs back = true")


def _answers(values: Mapping[str, Any]) -> Iterator[Fault]:
    """The questions together, and those that other keys name."""
    kinds = {
        str(question.get("id")): KINDS.get(str(question.get("kind")))
        for _, question in tables(values, "questions")
    }
    drawn = [
        place
        for place, question in tables(values, "questions")
        if (kind := KINDS.get(str(question.get("kind")))) and kind.drawn
    ]
    if len(drawn) > 1:
        yield Fault(drawn[1], "questions has two of kind regions; one is enough")
    presence = values.get("presence")
    if isinstance(presence, str) and presence.strip():
        kind = kinds.get(presence.strip())
        if kind is None or kind.scale != "ordinal":
            yield Fault("presence", "presence names no question of kind rating")
