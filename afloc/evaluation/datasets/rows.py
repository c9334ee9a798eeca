"""The rows that every set is read into, and what the readers share: tables, files, labels, checks.

Every fault is one DataError that names the file, the row (the header is row 1, as in a spreadsheet) and the
column.
"""

import codecs
import csv
import hashlib
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from afloc.errors import DataError
from afloc.evaluation.datasets.ground_truth import GroundTruth
from afloc.imaging.regions import Box
from afloc.language.findings import find_by_label
from afloc.text import LONGEST_LABEL, clean_text, one_line

_KINDS: dict[type, str] = {dict: "object", list: "list"}
_DELIMITERS = (",", ";", "\t")
_Json = TypeVar("_Json", dict, list)
UNNAMED_SOURCE = "all"
_NOT_PATHOLOGY = ("device",)  # families of what is seen but is no disease; structures are marked `normal`


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a set.

    `name`: the image as the set names it; `path`: its file. `truths`: the ground truth, one for each label
    and description. `labels`: all findings that the set names for the image; None where the set says nothing
    of labels. `patient`: the bootstrap draws patients. `source`: an AUROC is computed within a source.
    `readers`: what human readers marked; it is compared with the same truths. `location` and `columns` (of
    image, boxes and mask): where the row stands in its file, for error messages. `drawn_on`: (height, width)
    of the picture that the truths were drawn on, where the set says it.
    """

    name: str
    path: Path
    location: str
    truths: tuple[GroundTruth, ...] = ()
    labels: tuple[str, ...] | None = None
    patient: str = ""
    source: str = UNNAMED_SOURCE
    modality: str | None = None
    readers: tuple[GroundTruth, ...] = ()
    columns: tuple[str, str, str] = ("image", "boxes", "mask")
    drawn_on: tuple[int, int] | None = None


@dataclass(frozen=True)
class Dataset:
    """`rows` in the order of the set; `digest`: SHA-256 (hex) of what the rows say."""

    name: str
    rows: tuple[Row, ...]

    @property
    def digest(self) -> str:
        digest = hashlib.sha256()
        for row in self.rows:
            content = (row.name, row.truths, row.labels, row.patient, row.source, row.modality, row.readers)
            digest.update(repr(content).encode())
        return digest.hexdigest()


def canonical_label(label: str, modality: str | None = None) -> str:
    """The id of the finding that a label names; the label itself, lower-cased, where no finding is known."""
    entry = find_by_label(label, modality)
    return entry.id if entry else label.lower()


def is_pathology(label: str) -> bool:
    """Whether a label is a pathology; one that the findings list does not know is taken for one."""
    entry = find_by_label(label)
    return entry is None or not (entry.normal or entry.family in _NOT_PATHOLOGY)


def check_label(label: object, location: str) -> str:
    """The name of a finding, clean; DataError where a label is no text that names something."""
    if not isinstance(label, str) or not any(character.isalnum() for character in label):
        raise DataError(f"{location}: {one_line(repr(label), 60)} is not the name of a finding.")
    if len(label) > LONGEST_LABEL:
        raise DataError(f"{location}: the name of a finding is longer than {LONGEST_LABEL} characters.")
    return clean_text(label)


def parse_json(text: str, kind: type[_Json], location: str) -> _Json:
    """The JSON of a cell, empty for an empty one; DataError where it is none, or not of this kind."""
    if not text.strip():
        return kind()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{location}: this is not valid JSON.") from None
    if not isinstance(value, kind):
        raise DataError(f"{location}: this should be a JSON {_KINDS[kind]}.")
    return value


def read_extent(height: Any, width: Any, location: str) -> tuple[int, int] | None:
    """(height, width) of the picture a set was drawn on, numbers or their texts; None where it gives none."""
    if any(value in (None, "", 0, "0") for value in (height, width)):
        return None
    try:
        sides = [float(value) for value in (height, width) if not isinstance(value, bool)]
    except (TypeError, ValueError, OverflowError):
        sides = []
    if len(sides) != 2 or not all(side > 0 and math.isfinite(side) and side == int(side) for side in sides):
        raise DataError(f"{location}: width and height should be whole numbers of pixels.")
    return int(sides[0]), int(sides[1])


def read_columns(path: Path) -> tuple[str, ...]:
    """The columns of a CSV, without the blanks around their names."""
    with _open_table(path) as rows:
        return tuple(name.strip() for name in next(rows, ()))


@contextmanager
def _open_table(path: Path) -> Iterator[Iterator[list[str]]]:
    """The rows of a table, the header first, whether commas, semicolons or tabs part its cells.

    In UTF-8, or in UTF-16 with a byte order mark. A first line "sep=;" names the character, as Excel has it.
    """
    csv.field_size_limit(sys.maxsize)
    try:
        with open(path, "rb") as file:
            marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        with open(path, encoding="utf-16" if marked else "utf-8-sig", newline="") as file:
            first = file.readline()
            said = re.fullmatch(r'"?sep=([,;\t|])"?\s*', first, re.IGNORECASE)
            if not said:
                file.seek(0)
            found = (len(next(csv.reader([first], delimiter=each), ())) for each in _DELIMITERS)
            best = max(zip(found, _DELIMITERS, strict=True), key=lambda pair: pair[0])
            yield csv.reader(file, delimiter=said[1] if said else best[1])
    except (UnicodeError, csv.Error):
        raise DataError(f"{path.name} is not a CSV in UTF-8.") from None


def read_table(
    path: Path, required: Iterable[str], one_of: Iterable[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """(row number, cells by column) of a CSV; DataError for no table, a missing column, a row too long."""
    columns = read_columns(path)
    if not any(columns):
        raise DataError(f"{path.name} is empty: give a table with the column {next(iter(required))}.")
    for column in required:
        if column not in columns:
            raise DataError(f"{path.name} lacks the column {column}.")
    if one_of and not set(one_of) & set(columns):
        raise DataError(f"{path.name} has none of the columns {', '.join(one_of)}.")
    number = 1
    with _open_table(path) as rows:
        next(rows)
        for cells in rows:
            number += 1
            if len(cells) > len(columns):
                raise DataError(
                    f"{path.name}, row {number}, column {columns[-1]}: more cells follow than the header "
                    "has columns."
                )
            if cells:
                yield (
                    number,
                    dict.fromkeys(columns, "") | dict(zip(columns, map(clean_text, cells), strict=False)),
                )
    if number == 1:
        raise DataError(f"{path.name} holds no row below its header.")


def load_json(path: Path, kinds: tuple[type, ...] = (dict,)) -> Any:
    """The JSON of a file in UTF-8, -16 or -32; DataError where it is none, or of none of these kinds."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise DataError(f"{path.name} is not valid JSON.") from None
    if not isinstance(content, kinds):
        raise DataError(f"{path.name} should hold a JSON {' or '.join(_KINDS[kind] for kind in kinds)}.")
    return content


def index_files(folder: Path, suffixes: Iterable[str], depth: int = 1) -> dict[str, Path]:
    """The files below a folder by the last `depth` parts of their path, without suffix, joined by "_"."""
    found: dict[str, Path] = {}
    for suffix in suffixes:
        for path in sorted(folder.rglob(f"*{suffix}")):
            found.setdefault("_".join((*path.parts[-depth:-1], path.stem)), path)
    return found


def by_label(found: Iterable[tuple[str, Box]]) -> tuple[GroundTruth, ...]:
    """A truth for each label, with all of its boxes."""
    boxes: dict[str, list[Box]] = {}
    for label, box in found:
        boxes.setdefault(label, []).append(box)
    return tuple(GroundTruth(label, tuple(each)) for label, each in boxes.items())
