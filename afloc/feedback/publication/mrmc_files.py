"""The ratings of a study as other programs for reader studies read them, and what the files hold."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from afloc.errors import DataError
from afloc.feedback.imrmc import write_imrmc
from afloc.feedback.jafroc import jafroc_sheets, write_jafroc
from afloc.feedback.store.store import Store
from afloc.feedback.studies.versions import Selection
from afloc.files import temporary_folder

ABOUT = """the ratings as other programs read them: {name}.imrmc for iMRMC, {name}.xlsx for RJafroc (ROC; LROC
           and FROC beside it where regions are drawn), and the sheets of these workbooks as CSV; what they
           hold is in mrmc/dictionary.csv"""
_WHO = "ReaderID, ModalityID, CaseID"
DICTIONARY = (
    ("file", "column", "meaning"),
    (
        "NAME.imrmc",
        "reader, case, modality, score",
        "One line a rating, after BEGIN DATA; the modality is the arm. The truth of a case has reader -1 "
        "and modality 0. N0, N1: cases without and with the finding; NR: readers; NM: arms.",
    ),
    (
        "NAME.xlsx",
        "",
        "The sheets TRUTH, TP and FP of ROC in one workbook; NAME.lroc.xlsx and NAME.froc.xlsx: of LROC and "
        "FROC.",
    ),
    ("cases.csv", "CaseID, case", "The number that a case has in the sheets, and its id in the study."),
    (
        "ROC/, LROC/, FROC/",
        "",
        "The paradigm: one rating a case; one rating and one place a case; any number of rated marks. "
        "Repeated cases are left out, and those whose truth is not known.",
    ),
    (
        "TRUTH.csv",
        "CaseID, LesionID, Weight",
        "One line a lesion, or one with LesionID 0 for a case without the finding. Weight 0: the lesions "
        "of a case weigh the same.",
    ),
    (
        "TRUTH.csv",
        "ReaderID, ModalityID, Paradigm",
        "Who could read the case, in which arms; in the last column the paradigm and, below it, the design "
        "(FCTRL: fully crossed).",
    ),
    (
        "TP.csv",
        f"{_WHO}, LesionID, TP_Rating",
        "A rating of a case with the finding (ROC), of one that was found in the right place (LROC), of a "
        "mark that hits the lesion (FROC).",
    ),
    (
        "FP.csv",
        f"{_WHO}, FP_Rating",
        "A rating of a case without the finding (ROC and LROC), of one that was looked for in the wrong "
        "place (LROC), of a mark that hits no lesion (FROC).",
    ),
)


def mrmc_files(store: Store, selected: Selection) -> tuple[dict[str, bytes], str]:
    """The files by their place in a package, and a sentence on them; no files where there are no ratings."""
    name = selected.study.id
    try:
        sheets, cases = jafroc_sheets(store, selected)
        with temporary_folder() as folder:
            written = write_imrmc(store, folder / f"{name}.imrmc", selected)
            written += write_jafroc(store, folder / f"{name}.xlsx", selected)
            files = {f"mrmc/{path.name}": path.read_bytes() for path in written if path.suffix != ".csv"}
    except DataError as error:
        return {}, f"not here. {error}"
    for paradigm, workbook in sheets.items():
        for sheet, rows in workbook.items():
            files[f"mrmc/{paradigm}/{sheet}.csv"] = _csv(rows)
    files["mrmc/cases.csv"] = _csv(cases)
    files["mrmc/dictionary.csv"] = _csv(DICTIONARY)
    return files, ABOUT.format(name=name)


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
