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
from afloc.feedback.studies.versions import select_versions
from afloc.feedback.workbook import write_workbook
from afloc.imaging.regions import Region

Rows = list[list[Any]]


def write_jafroc(store: Store, path: Path, study_id: str, version: str | None = None) -> list[Path]:
    """Write `path` (ROC), and `NAME.lroc.xlsx` and `NAME.froc.xlsx` where there are regions.

    Returns the files. `version` as `select_versions` has it. Repeated cases are left out. DataError where
    there is no rating of a case whose truth is known.
    """
    selected = select_versions(store, study_id, version)
    study, known = selected.study, references(store, selected.study)
    if study.presence is None:
        raise DataError(f"The study {study_id} asks for no rating of presence, which JAFROC is about.")
    asked = next((question.id for question in study.questions if question.type.drawn), "")
    rows = [
        row
        for row in store.rows(
            "SELECT reader, arm, case_id, answers, regions FROM answers WHERE kind = 'reading' AND study = ? "
            "AND repeat = 0 AND list_contains(?::VARCHAR[], coalesce(study_version, '')) ORDER BY seq",
            [study_id, list(selected.versions)],
        )
        if row["case_id"] in known and isinstance((row["answers"] or {}).get(study.presence), int)
    ]
    if not rows:
        raise DataError(
            f"The study {study_id} has no rating of a case whose truth is known: import the reference."
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
    written = []
    for paradigm, workbook in (
        ("ROC", path),
        ("LROC", path.with_name(f"{path.stem}.lroc.xlsx")),
        ("FROC", path.with_name(f"{path.stem}.froc.xlsx")),
    ):
        if paradigm == "ROC" or located:
            write_workbook(workbook, _sheets(paradigm, marks, lesions))
            written.append(workbook)
    written.append(path.with_name(f"{path.stem}.cases.csv"))
    with open(written[-1], "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("CaseID", "case"), *zip(numbers.values(), numbers, strict=True)])
    return written


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
