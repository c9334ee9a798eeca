"""The reference standard of a study's cases: from the study itself, or imported later."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afloc.errors import DataError, StoreError
from afloc.feedback.store.events import Event
from afloc.feedback.store.regions import fit_regions, sound_regions
from afloc.feedback.store.store import Saved, Store
from afloc.feedback.studies.study import Study
from afloc.imaging.regions import Region, read_box

_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True)
class Reference:
    """Whether the finding is there, and where, as regions in pixels of the image; empty where not known."""

    truth: bool
    regions: tuple[Region, ...] = ()


def references(store: Store, study: Study) -> dict[str, Reference]:
    """The reference of each case that has one; what was imported last stands over the study's own."""
    found = {case.id: Reference(case.truth, case.boxes) for case in study.cases if case.truth is not None}
    for row in store.rows(
        "SELECT * FROM events WHERE kind = 'reference' AND study = ? ORDER BY seq", [study.id]
    ):
        found[row["case_id"]] = Reference(row["present"], tuple(sound_regions(row["regions"])))
    return found


def import_reference(store: Store, study: Study, path: Path) -> list[Saved]:
    """Save the reference standard in a CSV with the columns `case`, `truth` (1 or 0) and, if wanted, `boxes`.

    `boxes` is a JSON list of {"x", "y", "w", "h"} or [x, y, width, height], in pixels. All rows are saved or
    none; DataError names the line at fault.
    """
    cases = {case.id for case in study.cases}
    events = []
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            if not {"case", "truth"} <= set(table.fieldnames or ()):
                raise DataError("The reference needs the columns case and truth.")
            for row in table:
                where = f"Line {table.line_num}"
                if row["case"] not in cases:
                    raise DataError(f"{where}: the study has no case {row['case']!r}.")
                truth = _TRUTHS.get((row["truth"] or "").strip().lower())
                if truth is None:
                    raise DataError(f"{where}: truth is {row['truth']!r}; it takes 1 or 0.")
                events.append(
                    Event(
                        "reference",
                        study=study.id,
                        study_version=study.version,
                        case_id=row["case"],
                        present=truth,
                        regions=_boxes(row.get("boxes") or "[]", where),
                    )
                )
    except (OSError, UnicodeDecodeError, csv.Error):
        raise DataError(f"{path} cannot be read as a CSV file.") from None
    if not events:
        raise DataError("The reference holds no case.")
    return store.record_all(events)


def _boxes(text: str, where: str) -> list[dict[str, Any]]:
    try:
        return fit_regions([read_box(box).as_json() for box in json.loads(text)])
    except (ValueError, TypeError, StoreError):
        raise DataError(f'{where}: boxes must be a JSON list of {{"x", "y", "w", "h"}}.') from None
