"""The reference standard of a study's cases: from the study itself, or imported later."""

import csv
import io
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afloc.errors import DataError, StoreError
from afloc.feedback.store.events import Event
from afloc.feedback.store.regions import fit_regions, sound_regions
from afloc.feedback.store.store import Saved, Store
from afloc.feedback.studies.study import Study
from afloc.imaging.regions import Region, read_box

MOST_NAMED = 10  # faults, in one message
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
    """Save the reference standard of a CSV, as `read_truths` has it. All rows are saved or none; DataError
    names the lines at fault."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{path} cannot be read as a CSV file.") from None
    told = read_truths(text, [case.id for case in study.cases])
    if told.faults:
        more = f" And {len(told.faults) - MOST_NAMED} more." if len(told.faults) > MOST_NAMED else ""
        raise DataError(" ".join(told.faults[:MOST_NAMED]) + more)
    return store.record_all(
        [
            Event(
                "reference",
                study=study.id,
                study_version=study.version,
                case_id=case,
                present=reference.truth,
                regions=[region.as_json() for region in reference.regions],
            )
            for case, reference in told.references.items()
        ]
    )


@dataclass(frozen=True)
class Truths:
    """What a table says: the reference of each case, and a sentence for each line that is wrong."""

    references: dict[str, Reference]
    faults: tuple[str, ...]


def read_truths(text: str, cases: Collection[str]) -> Truths:
    """The reference standard in a CSV with the columns `case`, `truth` (1 or 0) and, if wanted, `boxes`.

    `boxes` is a JSON list of {"x", "y", "w", "h"} or [x, y, width, height], in pixels. A line without a truth
    says nothing. Commas, semicolons and tabs may stand between the columns. `cases`: those that there are.
    """
    head = text.lstrip("\ufeff\r\n").partition("\n")[0]
    table = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), delimiter=max(",;\t", key=head.count))
    found: dict[str, Reference] = {}
    lines: dict[str, int] = {}
    faults: list[str] = []
    try:
        table.fieldnames = [name.strip().lower() for name in table.fieldnames or ()]
        if not {"case", "truth"} <= set(table.fieldnames):
            return Truths({}, ("The reference needs the columns case and truth.",))
        for row in table:
            case, said = (row["case"] or "").strip(), (row["truth"] or "").strip()
            if not case and not said:
                continue
            problem = _fault_of(row, case, said, cases, lines)
            if problem:
                faults.append(f"Line {table.line_num}: {problem}.")
            elif said:
                found[case] = Reference(_TRUTHS[said.lower()], tuple(_boxes(row)))
            lines.setdefault(case, table.line_num)
    except csv.Error:
        return Truths({}, (f"Line {table.line_num} cannot be read as one of a CSV file.",))
    if not found and not faults:
        faults.append("The reference holds no case.")
    return Truths(found, tuple(faults))


def _fault_of(
    row: Mapping[str, Any], case: str, said: str, cases: Collection[str], lines: Mapping[str, int]
) -> str:
    """What is wrong with a line, or ""."""
    if case not in cases:
        return f"the study has no case {case!r}"
    if case in lines:
        return f"case {case!r} stands in line {lines[case]} already"
    if said and said.lower() not in _TRUTHS:
        return f"truth is {said!r}; it takes 1 or 0"
    try:
        boxes = _boxes(row)
    except (ValueError, TypeError, RecursionError, StoreError):
        return 'boxes must be a JSON list of {"x", "y", "w", "h"} or [x, y, width, height]'
    if boxes and not _TRUTHS.get(said.lower()):
        return "boxes are only for a case whose truth is 1"
    return ""


def _boxes(row: Mapping[str, Any]) -> list[Region]:
    boxes = json.loads((row.get("boxes") or "").strip() or "[]")
    return sound_regions(fit_regions([read_box(box).as_json() for box in boxes]))
