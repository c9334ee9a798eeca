"""The ratings of a study as JAFROC workbooks, which RJafroc reads: ROC, and LROC and FROC where regions are
drawn.

Sheets TRUTH, TP and FP in the layout of RJafroc 2. Cases have numbers there; `NAME.cases.csv` says which. In
LROC a positive case that is located wrongly stands in FP. In FROC each drawn region is a mark: it finds the
lesion with which its IoU is highest, `overlap.HIT` or more, or stands in FP. Its rating is its own where the
answer to the question of kind regions is a list of one rating a region, else that of the case.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from afloc.errors import DataError
from afloc.feedback.analysis.afroc import hit
from afloc.feedback.store.regions import sound_regions
from afloc.feedback.store.store import Store
from afloc.feedback.studies.reference_standard import Reference, references
from afloc.feedback.studies.versions import Selection
from afloc.feedback.workbook import write_workbook
from afloc.imaging.regions import Region

Rows = list[list[Any]]


def write_jafroc(store: Store, path: Path, selected: Selection) -> list[Path]:
    """Write `path` (ROC), and `NAME.lroc.xlsx` and `NAME.froc.xlsx` where there are regions.

    Returns the files. DataError as `jafroc_sheets`.
    """
    sheets, cases = jafroc_sheets(store, selected)
    written = []
    for paradigm, workbook in sheets.items():
        ending = "" if paradigm == "ROC" else f".{paradigm.lower()}"
        written.append(path.with_name(f"{path.stem}{ending}.xlsx") if ending else path)
        write_workbook(written[-1], workbook)
    written.append(path.with_name(f"{path.stem}.cases.csv"))
    with open(written[-1], "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(cases)
    return written


def jafroc_sheets(store: Store, selected: Selection) -> tuple[dict[str, dict[str, Rows]], Rows]:
    """The sheets TRUTH, TP and FP of ROC, and of LROC and FROC where there are regions; and the number of
    each case. Each table has its head in the first row.

    Repeated cases are left out. DataError where there is no rating of a case whose truth is known.
    """
    study, known = selected.study, references(store, selected.study)
    if study.presence is None:
        raise DataError(f"The study {study.id} asks for no rating of presence, which JAFROC is about.")
    asked = next((question.id for question in study.questions if question.type.drawn), "")
    rows = [
        row
        for row in store.rows(
            "SELECT reader, arm, case_id, answers, regions FROM answers WHERE kind = 'reading' AND study = ? "
            "AND repeat = 0 AND list_contains(?::VARCHAR[], coalesce(study_version, '')) ORDER BY seq",
            [study.id, list(selected.versions)],
        )
        if row["case_id"] in known and isinstance((row["answers"] or {}).get(study.presence), int)
    ]
    if not rows:
        raise DataError(
            f"The study {study.id} has no rating of a case whose truth is known: import the reference."
        )
    numbers = {name: number for number, name in enumerate(sorted({row["case_id"] for row in rows}), 1)}
    marks = [
        (
            [row["reader"], row["arm"], numbers[row["case_id"]]],
            known[row["case_id"]],
            row["answers"][study.presence],
            _rated_regions(row, asked, row["answers"][study.presence]),
        )
        for row in rows
    ]
    lesions = {number: known[name] for name, number in numbers.items()}
    located = any(each.regions for each in lesions.values()) and any(regions for *_, regions in marks)
    paradigms = ("ROC", "LROC", "FROC") if located else ("ROC",)
    cases = [["CaseID", "case"], *([number, name] for name, number in numbers.items())]
    return {paradigm: _sheets(paradigm, marks, lesions) for paradigm in paradigms}, cases


def _sheets(
    paradigm: str,
    marks: Sequence[tuple[list[Any], Reference, int, list[tuple[Region, float]]]],
    lesions: Mapping[int, Reference],
) -> dict[str, Rows]:
    found: Rows = [["ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating"]]
    false: Rows = [["ReaderID", "ModalityID", "CaseID", "FP_Rating"]]
    for who, reference, rating, regions in marks:
        if paradigm == "FROC":
            best: dict[int, float] = {}
            for region, own in regions:
                lesion = hit(region, reference)
                if lesion:
                    best[lesion] = max(own, best.get(lesion, own))
                else:
                    false.append([*who, own])
            found += ([*who, lesion, own] for lesion, own in sorted(best.items()))
        elif not reference.truth:
            false.append([*who, rating])
        elif paradigm == "ROC" or any(hit(region, reference) for region, _ in regions):
            found.append([*who, 1, rating])
        else:
            false.append([*who, rating])
    readers, arms = (", ".join(sorted({who[0][n] for who in marks})) for n in (0, 1))
    truth: Rows = [["CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm"]]
    for case, reference in lesions.items():
        count = len(reference.regions) or 1 if paradigm == "FROC" else 1
        names = range(1, count + 1) if reference.truth else [0]
        truth += ([case, name, 0, readers, arms, ""] for name in names)
    for row, text in zip(truth[1:], (paradigm, "FCTRL"), strict=False):
        row[-1] = text
    return {"TRUTH": truth, "TP": found, "FP": false}


def _rated_regions(row: Mapping[str, Any], question: str, rating: int) -> list[tuple[Region, float]]:
    regions = sound_regions(row["regions"])
    own = (row["answers"] or {}).get(question)
    if not isinstance(own, list) or len(own) != len(regions) or any(type(each) is not int for each in own):
        own = [rating] * len(regions)
    return list(zip(regions, own, strict=True))
