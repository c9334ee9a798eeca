"""MIMIC-CXR-JPG 2 in its published layout: frontal films with the sections of their reports.

Below one folder lie `mimic-cxr-2.0.0-split.csv.gz` and `mimic-cxr-2.0.0-metadata.csv.gz` (or the same
unpacked), the films as `files/p10/p10000032/s50414267/DICOM_ID.jpg`, and the reports of MIMIC-CXR as
`files/p10/p10000032/s50414267.txt`, or below `mimic-cxr-reports/`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from afloc.errors import DataError
from afloc.training.data.reports import clean_report, split_sentences


@dataclass(frozen=True)
class Reported:
    """A film and the sentences of its report."""

    image: Path
    sentences: tuple[str, ...]


SPLIT, METADATA = "mimic-cxr-2.0.0-split.csv", "mimic-cxr-2.0.0-metadata.csv"
FRONTAL = ("PA", "AP")
SECTION = re.compile(r"^[ \t]*([A-Z][A-Z /()&,-]{2,}):", re.MULTILINE)
WANTED = ("FINDINGS", "IMPRESSION")
MIN_WORDS = 3


def read_mimic(folder: Path, part: str = "train") -> list[Reported]:
    """The frontal films of one part ("train", "validate", "test") whose report has some text.

    Raises DataError naming the file or column that is missing.
    """
    split = _read(folder, SPLIT, ("dicom_id", "study_id", "subject_id", "split"))
    metadata = _read(folder, METADATA, ("dicom_id", "ViewPosition"))
    films = split[split["split"] == part].merge(metadata[["dicom_id", "ViewPosition"]], on="dicom_id")
    films = films[films["ViewPosition"].isin(FRONTAL)]
    found = []
    for (subject, study), group in films.groupby(["subject_id", "study_id"], sort=True):
        patient = Path(f"p{str(subject)[:2]}") / f"p{subject}"
        sentences = tuple(split_sentences(clean_report(read_sections(_report(folder, patient, study)))))
        if sum(len(sentence.split()) for sentence in sentences) >= MIN_WORDS:
            names = sorted(group["dicom_id"])
            found += [
                Reported(folder / "files" / patient / f"s{study}" / f"{name}.jpg", sentences)
                for name in names
            ]
    if not found:
        raise DataError(f"{folder.name} has no frontal film of the part {part} with a report.")
    return found


def read_sections(report: str) -> str:
    """The findings and the impression of a report; all of it where it has neither heading."""
    report = report.replace("___", "XXXX")
    parts = SECTION.split(report)  # the text before the first heading, then heading and text in turn
    kept = [text for head, text in zip(parts[1::2], parts[2::2], strict=True) if head.strip() in WANTED]
    return "\n".join(re.sub(r"\s*\n\s*", " ", text).strip() for text in (kept or [parts[-1]]))


def _report(folder: Path, patient: Path, study: int) -> str:
    for root in (folder / "mimic-cxr-reports" / "files", folder / "files"):
        path = root / patient / f"s{study}.txt"
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
    raise DataError(
        f"The report s{study}.txt is missing: unpack mimic-cxr-reports.zip of MIMIC-CXR into {folder.name}."
    )


def _read(folder: Path, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    path = next((p for p in (folder / f"{name}.gz", folder / name) if p.is_file()), None)
    if path is None:
        raise DataError(f"{folder.name} is not MIMIC-CXR-JPG: it lacks {name}.gz.")
    table = pd.read_csv(path)
    if missing := [column for column in columns if column not in table]:
        raise DataError(f"{path.name} lacks the column {', '.join(missing)}.")
    return table
