"""Out of the store and back: CSV, Parquet, COCO JSON, iMRMC and JAFROC, with what explains them beside."""

import csv
import glob
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from afloc.errors import DataError, StoreError
from afloc.feedback.analysis.data_frames import kept_studies, kept_study
from afloc.feedback.coco import write_coco
from afloc.feedback.export_formats import FORMATS, format_of
from afloc.feedback.imrmc import write_imrmc
from afloc.feedback.jafroc import write_jafroc
from afloc.feedback.store.events import ADDED, COLUMNS, JSON_NAMES, NAMES, event_from_row
from afloc.feedback.store.store import Store
from afloc.feedback.studies.reference_standard import references
from afloc.feedback.studies.schedule import schedule
from afloc.feedback.studies.study import study_from_definition, version_of
from afloc.feedback.studies.versions import read_versions, select_versions
from afloc.text import file_name, safe_cell, unsafe_cell

OF_A_STUDY = ("imrmc", "jafroc")  # formats of the ratings of one study, in one version
DERIVED = ("order", "truth")  # columns of the CSV that the store has not
ANSWER = "answer_"  # before a question's id: the column of its answers
_MEANINGS = (
    ("order", "INTEGER", "The place of the reading in its reader's order, from 1."),
    ("truth", "INTEGER", "Whether the finding is there, by the reference standard, 1 or 0."),
    (f"{ANSWER}ID", "", "The answer to the question with this id, as in `answers`."),
)


def export(
    store: Store,
    path: Path,
    format: str | None = None,
    study: str | None = None,
    version: str | None = None,
) -> list[Path]:
    """Write what the store holds, or one study of it, to `path`; returns the files written.

    `format`: csv or parquet (every row, whatever became of it), coco (what was drawn in the answers that
    stand), imrmc or jafroc (ratings and truth of one study); without it, by the ending. Beside the file go a
    data dictionary (`NAME.dictionary.csv`) and each study's definition (`NAME.ID.study.json`), with those of
    its `earlier_versions`. `version`: whose readings imrmc and jafroc hold, as `select_versions` has it; the
    other formats hold all, each with its version. DataError for a format that is unknown or cannot be had.
    """
    path = Path(path)
    format = format or format_of(path)
    if format not in FORMATS:
        raise DataError(f"The format must be one of {', '.join(FORMATS)}: name it, or end the file in "
                        f"{', '.join(FORMATS.values())}.")  # fmt: skip
    studies = {study: kept_study(store, study)} if study is not None else kept_studies(store)
    if version is not None and (format not in OF_A_STUDY or study is None):
        raise DataError(
            "A version is chosen for iMRMC or JAFROC and one study; the other formats hold all versions."
        )
    if format in OF_A_STUDY and study is None:
        raise DataError(f"The format {format} holds the ratings of one study: say which with --study.")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [path]
    if study is not None and format in OF_A_STUDY:
        write = write_imrmc if format == "imrmc" else write_jafroc
        written = write(store, path, select_versions(store, study, version))
    else:
        _WRITERS[format](store, path, study)
    written.append(path.with_name(f"{path.stem}.dictionary.csv"))
    with open(written[-1], "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("column", "type", "meaning"))
        table.writerows((column.name, column.type, column.meaning) for column in COLUMNS)
        if format == "csv":
            table.writerows(_MEANINGS)
    for name in studies:
        written.append(path.with_name(f"{path.stem}.{file_name(name)}.study.json"))
        *earlier, newest = (
            {"version": each.name, "readings": each.readings, **each.definition}
            for each in read_versions(store, name)
            if each.definition
        )
        text = json.dumps(newest | {"earlier_versions": earlier}, indent=2)
        written[-1].write_text(text + "\n", encoding="utf-8")
    return written


def import_rows(store: Store, path: Path) -> int:
    """Save the rows of an exported CSV or Parquet; returns how many were new. A row that is there stays as it
    is, and one that was erased does not come back.

    The rows keep their ids, times and order; in an empty store they are the same rows. A reading of a slot
    that has one is taken in beside it (`data_frames.double_readings`). The definitions of studies that were
    written beside the file come along, in all their versions. DataError for a file that is no such export;
    then nothing is saved.
    """
    path = Path(path)
    read = _read_parquet if path.suffix.lower() == ".parquet" else _read_csv
    before = store.rows("SELECT count(*) AS n FROM events")[0]["n"]
    try:
        rows = sorted(read(path), key=lambda row: int(row["seq"]))
        events = [event_from_row(row) for row in rows]
        beside = sorted(path.parent.glob(f"{glob.escape(path.stem)}.*.study.json"))
        definitions = [each for file in beside for each in _read_definitions(file)]
        studies = [study_from_definition(definition).id for definition in definitions]
    except (OSError, KeyError, TypeError, ValueError, AttributeError, csv.Error, duckdb.Error, StoreError):
        raise DataError(f"{path.name} is not a CSV or Parquet file that was exported from AFLoc.") from None
    gone = store.erased(event.id for event in events)
    events = [event for event in events if event.id not in gone]
    for study, definition in zip(studies, definitions, strict=True):
        store.keep_study(version_of(definition), study, definition)
    store.record_all(events, doubles=True)
    return store.rows("SELECT count(*) AS n FROM events")[0]["n"] - before


def _read_definitions(path: Path) -> list[dict[str, Any]]:
    """The definitions in a study.json, the newest last."""
    newest = json.loads(path.read_text(encoding="utf-8"))
    found = [*newest.pop("earlier_versions", ()), newest]
    return [{k: v for k, v in each.items() if k not in ("version", "readings")} for each in found]


def _select(study: str | None) -> tuple[str, list[str]]:
    return ("WHERE study = ?", [study]) if study is not None else ("", [])


def _write_csv(store: Store, path: Path, study: str | None) -> None:
    """Beside the columns of the store: the place in the reader's order, the truth of the case, and a column a
    question."""
    where, parameters = _select(study)
    studies = {study: kept_study(store, study)} if study is not None else kept_studies(store)
    questions = list(dict.fromkeys(each.id for kept in studies.values() for each in kept.questions))
    truths = {name: references(store, kept) for name, kept in studies.items()}
    places = _Places(store)
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow((*NAMES, *DERIVED, *(f"{ANSWER}{name}" for name in questions)))
        for row in store.rows(f"SELECT * FROM events {where} ORDER BY seq", parameters):
            reference = truths.get(row["study"], {}).get(row["case_id"])
            answers = row["answers"] or {}
            values = [_cell(name, row[name]) for name in NAMES]
            values += [places.of(row), None if reference is None else int(reference.truth)]
            table.writerow((*values, *(_answer(answers.get(name)) for name in questions)))


class _Places:
    """The place of a reading in its reader's order, from 1, in the version of the study that was read."""

    def __init__(self, store: Store):
        self._store = store
        self._orders: dict[tuple[str, str, str], dict] = {}

    def of(self, row: Mapping[str, Any]) -> int | None:
        if (
            row["kind"] not in ("reading", "draft", "training")
            or row["reader"] is None
            or row["study"] is None
        ):
            return None
        key = (row["study"], row["study_version"] or "", row["reader"])
        if key not in self._orders:
            self._orders[key] = self._order(*key)
        return self._orders[key].get(tuple(row[name] for name in ("period", "case_id", "arm", "repeat")))

    def _order(self, study: str, version: str, reader: str) -> dict:
        for each in read_versions(self._store, study):
            if each.name == version and each.definition and reader in each.definition["readers"]:
                slots = schedule(study_from_definition(each.definition), reader)
                return {slot.key: slot.index + 1 for slot in slots}
        return {}


def _answer(value: Any) -> Any:
    return safe_cell(json.dumps(value) if isinstance(value, list | dict) else value)


def _cell(name: str, value: Any) -> Any:
    if name in JSON_NAMES and value is not None:
        value = json.dumps(value, separators=(",", ":"))
    elif name == "time":
        value = f"{value.isoformat()}+00:00"
    elif isinstance(value, bool):
        value = str(value).lower()
    return safe_cell(value)


def _write_parquet(store: Store, path: Path, study: str | None) -> None:
    where, parameters = _select(study)
    store.copy(
        f"SELECT * REPLACE (make_timestamptz(epoch_us(time)) AS time) FROM events {where} ORDER BY seq",
        path,
        "FORMAT parquet, COMPRESSION zstd",
        parameters,
    )


_WRITERS: dict[str, Callable[[Store, Path, str | None], None]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
    "coco": write_coco,
}


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(10_000_000)
    types = {column.name: column.type for column in COLUMNS}
    with open(path, newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        if not set(NAMES) - set(ADDED) <= set(table.fieldnames or ()):
            raise ValueError("other columns")
        for row in table:
            yield {name: _value(types[name], unsafe_cell(row.get(name, ""))) for name in NAMES}


def _value(type: str, text: str) -> Any:
    if text == "":
        return None
    if type == "JSON":
        return json.loads(text)
    if type in ("INTEGER", "BIGINT"):
        return int(text)
    if type == "DOUBLE":
        return float(text)
    if type == "BOOLEAN":
        return {"true": True, "false": False}[text]
    return datetime.fromisoformat(text) if type == "TIMESTAMP" else text


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT * REPLACE (make_timestamp(epoch_us(time)) AS time) FROM read_parquet(?)", [str(path)]
        )
        names = [column[0] for column in found.description]
        for values in found.fetchall():
            row: dict[str, Any] = dict.fromkeys(ADDED) | dict(zip(names, values, strict=True))
            for name in JSON_NAMES:
                row[name] = None if row[name] is None else json.loads(row[name])
            yield row
