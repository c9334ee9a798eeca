"""Sets of images with ground truth, as one kind of row whatever they come from.

`read_dataset(path)` recognises the layout. The project's own is a CSV with the columns `image`, `labels`
(joined by ";"), `boxes` (JSON list of {label, x, y, w, h}, pixels, top-left origin) and `mask` (JSON object
label -> picture, not zero where the finding is); `patient`, `source` and `modality` may stand beside them.
Paths are relative to the CSV. Whatever is wrong is one DataError that names the row (the header being row 1,
as a spreadsheet counts) and the column.
"""

import csv
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from afloc.errors import DataError
from afloc.evaluation.ground_truth import MaskFile, Truth, check_truth, picture_size, read_box
from afloc.findings import MODALITIES, find_by_label

UNNAMED_SOURCE = "all"


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a set.

    `name`: the image as the set names it; `path`: its file. `truths`: the ground truth, at most one for a
    label. `labels`: what is said to be on it, None where nothing is said. `patient`: what the bootstrap
    draws. `source`: AUROCs are taken within one. `place`: where it stands in the set, for messages.
    `readers`: what human readers marked, to be held against the same truths.
    """

    name: str
    path: Path
    place: str
    truths: tuple[Truth, ...] = ()
    labels: tuple[str, ...] | None = None
    patient: str = ""
    source: str = UNNAMED_SOURCE
    modality: str | None = None
    readers: tuple[Truth, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """`rows` in the order of the set; `digest`: SHA-256 (hex) of what the rows say."""

    name: str
    rows: tuple[Row, ...]

    @property
    def digest(self) -> str:
        digest = hashlib.sha256()
        for row in self.rows:
            said = (row.name, row.truths, row.labels, row.patient, row.source, row.modality, row.readers)
            digest.update(repr(said).encode())
        return digest.hexdigest()


def read_dataset(path: str | Path) -> Dataset:
    """A set from its table or folder, checked: DataError of one sentence where anything in it is wrong."""
    path = Path(path)
    if not path.exists():
        raise DataError(f"There is no {path.name}: give the table or the folder of a set.")
    dataset = Dataset(path.stem or path.name, tuple(read_csv(path)))
    check_rows(dataset.rows)
    return dataset


def read_csv(path: Path) -> Iterator[Row]:
    """The rows of the project's own layout."""
    for number, cells in read_table(path, required=("image",), one_of=("labels", "boxes", "mask")):
        place = f"{path.name}, row {number}"

        def where(column: str, place: str = place) -> str:
            return f"{place}, column {column}"

        name = cells["image"].strip()
        if not name:
            raise DataError(f"{where('image')}: the image is missing.")
        labels = tuple(dict.fromkeys(filter(None, map(str.strip, cells.get("labels", "").split(";")))))
        modality = cells.get("modality", "").strip() or None
        if modality not in (None, *MODALITIES):
            raise DataError(f"{where('modality')}: {modality!r} is none of {', '.join(MODALITIES)}.")
        yield Row(
            name=name,
            path=path.parent / name,
            place=place,
            truths=_read_truths(cells, path.parent, where),
            labels=labels or None,
            patient=cells.get("patient", "").strip() or name,
            source=source_of(name, cells.get("source", "")),
            modality=modality,
        )


def source_of(image: str, source: str) -> str:
    """The source an image shares with others: its name, cut where it begins to name the image or its patient.

    "ODIR-5K 2361_left.jpg, patient 2361" of 2361_left.jpg is "ODIR-5K".
    """
    stem = Path(image).stem
    for word in re.finditer(r"patient \d+|[\w.-]+", source):
        name = word[0].rstrip(".").removesuffix(Path(image).suffix)
        named = len(name) > 3 and any(map(str.isdigit, name)) and stem.endswith(name)
        if named or name.startswith("patient "):
            source = source[: word.start()]
            break
    return source.rstrip(" ,;(") or UNNAMED_SOURCE


def _read_truths(cells: dict[str, str], folder: Path, where) -> tuple[Truth, ...]:
    """The masks of a row, and the boxes of those findings that no mask is given for."""
    masks = _read_json(cells.get("mask", ""), dict, where("mask"))
    truths = []
    for label, file in masks.items():
        if not isinstance(file, str) or not file.strip():
            raise DataError(f"{where('mask')}: {label!r} needs the path of its mask.")
        _check_label(label, where("mask"))
        truths.append(Truth(label, mask=MaskFile(folder / file, file)))
    masked = {meaning(label) for label in masks}
    boxes: dict[str, list] = {}
    for entry in _read_json(cells.get("boxes", ""), list, where("boxes")):
        if not isinstance(entry, dict) or not {"label", "x", "y", "w", "h"} <= entry.keys():
            raise DataError(f"{where('boxes')}: each box needs label, x, y, w and h.")
        label = entry["label"]
        _check_label(label, where("boxes"))
        box = read_box([entry[key] for key in "xywh"], label, where)
        boxes.setdefault(label, []).append(box)
    truths += [Truth(label, tuple(found)) for label, found in boxes.items() if meaning(label) not in masked]
    return tuple(truths)


def _check_label(label: object, place: str) -> None:
    if not isinstance(label, str) or not any(character.isalnum() for character in label):
        raise DataError(f"{place}: {label!r} is not the name of a finding.")


def meaning(label: str, modality: str | None = None) -> str:
    """The id of the finding a label stands for, or the label itself, lower-cased."""
    entry = find_by_label(label, modality)
    return entry.id if entry else label.lower()


def _read_json(text: str, kind: type, place: str):
    if not text.strip():
        return kind()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{place}: this is not valid JSON.") from None
    if not isinstance(value, kind):
        raise DataError(f"{place}: this should be a JSON {'list' if kind is list else 'object'}.")
    return value


def read_table(
    path: Path, required: Iterable[str], one_of: Iterable[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """(row number, cells by column) of a CSV; DataError for no table, a missing column, a row too long."""
    csv.field_size_limit(sys.maxsize)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames
            if not columns:
                raise DataError(f"{path.name} is empty: give a table with the column {next(iter(required))}.")
            for column in required:
                if column not in columns:
                    raise DataError(f"{path.name} lacks the column {column}.")
            if one_of and not set(one_of) & set(columns):
                raise DataError(f"{path.name} has none of the columns {', '.join(one_of)}.")
            number = 1
            for number, cells in enumerate(reader, start=2):
                if None in cells:
                    raise DataError(
                        f"{path.name}, row {number}, column {columns[-1]}: more cells follow than the header "
                        "has columns."
                    )
                yield number, {column: value or "" for column, value in cells.items()}
            if number == 1:
                raise DataError(f"{path.name} holds no row below its header.")
    except (UnicodeDecodeError, csv.Error):
        raise DataError(f"{path.name} is not a CSV in UTF-8.") from None


def check_rows(rows: tuple[Row, ...]) -> None:
    """DataError where an image stands twice, is missing, or does not fit its ground truth."""
    seen: dict[str, str] = {}
    for row in rows:
        if (first := seen.setdefault(row.name, row.place)) != row.place:
            raise DataError(f"{row.place}, column image: the same image as in {first.rpartition(', ')[2]}.")
    for row in rows:

        def where(column: str, place: str = row.place) -> str:
            return f"{place}, column {column}"

        try:
            height, width = picture_size(row.path)
        except DataError as error:
            raise DataError(f"{where('image')}: {error}.") from None
        for truth in (*row.truths, *row.readers):
            check_truth(truth, height, width, where)
