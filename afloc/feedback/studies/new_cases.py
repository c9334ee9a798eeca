"""Cases for a study, from images or from a set with ground truth."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from afloc.errors import AFLocError
from afloc.evaluation.datasets.ground_truth import GroundTruth
from afloc.evaluation.datasets.rows import Dataset, Row, canonical_label
from afloc.imaging.image import image_size

MOST_CASES = 4000
MOST_BOXES = 20  # of a mask
Keep = Callable[[Path], str]
"""Keeps an image for the study: its name as a case has it; AFLocError for what is none."""


@dataclass(frozen=True)
class NewCases:
    """`cases`: tables as a study file has them, and beside each `names`, the name of its image in the set.

    `problems`: a sentence for each image that was not taken.
    """

    cases: list[dict[str, Any]]
    names: list[str]
    problems: list[str]


def cases_of_images(paths: Iterable[Path], keep: Keep, taken: Collection[str]) -> NewCases:
    """A case for each image, without a description. `taken`: the ids that other cases have."""
    return _collect((({"image": path}, path.name) for path in paths), keep, taken)


def cases_of_set(dataset: Dataset, keep: Keep, taken: Collection[str], finding: str = "") -> NewCases:
    """A case for each image of a set, asked for `finding`: its truth is whether the set names it there.

    Without `finding` a case for each finding of each image, and one for an image without any, whose
    description is left open. Boxes are those of the set, of a mask those around its parts.
    """
    patients: dict[str, str] = {}

    def entries() -> Iterator[tuple[dict[str, Any], str]]:
        for row in dataset.rows:
            about: dict[str, Any] = {"image": row.path}
            if row.modality:
                about["modality"] = row.modality
            if row.patient:  # the name in the set may be a real one
                about["patient"] = patients.setdefault(row.patient, f"p{len(patients) + 1:03}")
            for told in [_ask(row, finding)] if finding else _findings(row):
                yield about | told, row.name

    return _collect(entries(), keep, taken)


def _findings(row: Row) -> Iterator[dict[str, Any]]:
    marked = {truth.label for truth in row.truths}
    for truth in row.truths:
        yield {"description": truth.description or truth.label, "truth": True, "boxes": _boxes(truth, row)}
    for label in row.labels or ():
        if label not in marked:
            yield {"description": label, "truth": True}
    if row.labels is None and not row.truths:
        yield {}
    elif not row.labels and not row.truths:
        yield {"truth": False}


def _ask(row: Row, finding: str) -> dict[str, Any]:
    wanted = canonical_label(finding, row.modality)
    marked = [truth for truth in row.truths if canonical_label(truth.label, row.modality) == wanted]
    named = wanted in {canonical_label(label, row.modality) for label in row.labels or ()}
    asked: dict[str, Any] = {"description": finding}
    if marked or named or row.labels is not None:
        asked["truth"] = bool(marked or named)
    if marked:
        asked["boxes"] = [box for truth in marked for box in _boxes(truth, row)]
    return asked


def _boxes(truth: GroundTruth, row: Row) -> list[list[float]]:
    if truth.mask is None:
        return [list(box) for box in truth.boxes]
    height, width = image_size(row.path)
    parts, _ = ndimage.label(truth.draw(height, width), np.ones((3, 3)))
    found = [
        [columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start]
        for rows, columns in ndimage.find_objects(parts)
    ]
    return sorted(found, key=lambda box: box[2] * box[3], reverse=True)[:MOST_BOXES]


def _collect(entries: Iterable[tuple[dict[str, Any], str]], keep: Keep, taken: Collection[str]) -> NewCases:
    found = NewCases([], [], [])
    kept: dict[Path, str | None] = {}  # what each image is kept as; None where it is not
    number = 0
    for about, name in entries:
        path = about["image"]
        try:
            if path not in kept:
                kept[path] = keep(path)
        except AFLocError as error:
            kept[path] = None
            found.problems.append(f"{name}: {error}")
        if kept[path] is None or len(found.cases) >= MOST_CASES:
            continue
        number += 1
        while f"c{number:03}" in taken:
            number += 1
        found.cases.append({"id": f"c{number:03}", "description": ""} | about | {"image": kept[path]})
        found.names.append(name)
    return found
