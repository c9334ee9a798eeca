"""Public sets of chest films that come as a JSON list, a record for each film. Give the JSON file.

Images are searched for below `images`, or else below the folder of the JSON.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from afloc.errors import DataError
from afloc.evaluation.datasets.ground_truth import GroundTruth, picture_size, read_box
from afloc.evaluation.datasets.picture_files import PictureFiles
from afloc.evaluation.datasets.rows import Row, by_label, check_label, read_table
from afloc.imaging.regions import Box

_MODALITY = "chest_xray"
_NIH_SIDE = 1024  # pixels a side of the films of ChestX-Det10, which are of NIH ChestX-ray14


def is_padchest_gr(content: list) -> bool:
    return _has(content, "ImageID", "findings")


def is_chestx_det(content: list) -> bool:
    return _has(content, "file_name", "syms")


def _has(content: list, *keys: str) -> bool:
    return any(isinstance(record, dict) and record.keys() >= set(keys) for record in content)


def read_padchest_gr(path: Path, content: list, images: Path | None = None) -> Iterator[Row]:
    """PadChest-GR: `grounded_reports_20240819.json` (bimcv.cipf.es/bimcv-projects/padchest-gr; Castro et al.
    2024, arXiv 2411.05085).

    Records {"StudyID", "ImageID": "….png", "findings": [{"sentence_en", "abnormal", "labels", "boxes",
    "extra_boxes"}]}. Boxes are [left, top, right, bottom] as shares of the film's sides. A sentence's boxes
    are ground truth for each of its labels, and the sentence is the precise description; `extra_boxes` are
    those of a second reader. A film without an abnormal sentence is called "No finding". Where
    `master_table.csv` lies beside (columns StudyID, PatientID, split), the patients come from it, and each
    split is a source of its own.
    """
    patients = _read_master_table(path.with_name("master_table.csv"))
    files = PictureFiles(images or path.parent)
    for number, record in enumerate(content):
        location = f"{path.name}, record {number + 1}"
        if not isinstance(record, dict):
            raise DataError(f"{location}: it should be an object.")
        name, study = _text(record, "ImageID", location), _text(record, "StudyID", location)
        sentences = _objects(record, "findings", location)
        film = _find(files, name, f"{location}, ImageID")
        labels: dict[str, None] = {}
        truths: list[GroundTruth] = []
        readers: list[GroundTruth] = []
        try:
            size = picture_size(film)
        except DataError as error:
            raise DataError(f"{location}, ImageID: {error}.") from None
        for index, sentence in enumerate(sentences):
            where = f"{location}, findings[{index}]"
            if not sentence.get("abnormal"):
                continue
            text = _text(sentence, "sentence_en", where)
            own = [check_label(label, f"{where}, labels") for label in _list(sentence, "labels", where)]
            labels |= dict.fromkeys(own)
            for key, found in (("boxes", truths), ("extra_boxes", readers)):
                drawn = _list(sentence, key, where)
                for label in own:
                    boxes = tuple(_share_box(box, label, size, f"{where}, {key}") for box in drawn)
                    if boxes:
                        found.append(GroundTruth(label, boxes, description=text))
        patient, split = patients.get(study, (study, ""))
        yield Row(
            name=name,
            path=film,
            location=location,
            truths=tuple(truths),
            labels=tuple(labels) or ("No finding",),
            patient=patient,
            source=f"PadChest-GR {split}".strip(),
            modality=_MODALITY,
            readers=tuple(readers),
            columns=("ImageID", "boxes", "boxes"),
        )


def _read_master_table(path: Path) -> dict[str, tuple[str, str]]:
    """(patient, split) of each study; empty where there is no such table."""
    if not path.is_file():
        return {}
    rows = read_table(path, ("StudyID", "PatientID", "split"))
    return {cells["StudyID"]: (cells["PatientID"] or cells["StudyID"], cells["split"]) for _, cells in rows}


def _share_box(values: Any, label: str, size: tuple[int, int], location: str) -> Box:
    """A box of shares of the sides, in pixels of a film of this size."""
    left, top, right, bottom = _corners(values, label, location)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise DataError(f"{location}: a box of {label!r} should be [left, top, right, bottom] within 0 … 1.")
    height, width = size
    return Box(left * width, top * height, (right - left) * width, (bottom - top) * height)


def read_chestx_det(path: Path, content: list, images: Path | None = None) -> Iterator[Row]:
    """ChestX-Det10: `train.json` or `test.json` (github.com/Deepwise-AILab/ChestX-Det10-Dataset, README; Liu
    et al. 2020, arXiv 2006.10550).

    Records {"file_name": "00000042_006.png", "syms": [label, …], "boxes": [[left, top, right, bottom], …]},
    in pixels of the films of NIH ChestX-ray14, 1024 x 1024. A film without any has none of the ten findings.
    """
    files = PictureFiles(images or path.parent)
    for number, record in enumerate(content):
        location = f"{path.name}, record {number + 1}"
        if not isinstance(record, dict):
            raise DataError(f"{location}: it should be an object.")
        name = _text(record, "file_name", location)
        labels = [check_label(label, f"{location}, syms") for label in _list(record, "syms", location)]
        drawn = _list(record, "boxes", location)
        if len(labels) != len(drawn):
            raise DataError(f"{location}: it has {len(labels)} syms and {len(drawn)} boxes.")

        def where(column: str, location: str = location) -> str:
            return f"{location}, {column}"

        found = []
        for label, values in zip(labels, drawn, strict=True):
            left, top, right, bottom = _corners(values, label, f"{location}, boxes")

            found.append((label, read_box([left, top, right - left, bottom - top], label, where)))
        yield Row(
            name=name,
            path=_find(files, name, f"{location}, file_name"),
            location=location,
            truths=by_label(found),
            labels=tuple(dict.fromkeys(labels)),
            patient=name.split("_")[0],
            source="ChestX-Det10",
            modality=_MODALITY,
            columns=("file_name", "boxes", "boxes"),
            drawn_on=(_NIH_SIDE, _NIH_SIDE),
        )


def _find(files: PictureFiles, name: str, location: str) -> Path:
    try:
        return files.find(name)
    except DataError as error:
        raise DataError(f"{location}: {error}.") from None


def _text(record: dict, key: str, location: str) -> str:
    if not isinstance(value := record.get(key), str) or not value.strip():
        raise DataError(f"{location}, {key}: it should be a text.")
    return value


def _list(record: dict, key: str, location: str) -> list:
    """The list under a key; empty where the record has none."""
    if not isinstance(value := record.get(key) or [], list):
        raise DataError(f"{location}, {key}: it should be a list.")
    return value


def _objects(record: dict, key: str, location: str) -> list[dict]:
    found = _list(record, key, location)
    if not all(isinstance(each, dict) for each in found):
        raise DataError(f"{location}, {key}: it should be a list of objects.")
    return found


def _corners(values: Any, label: str, location: str) -> tuple[float, float, float, float]:
    if isinstance(values, list) and len(values) == 4 and all(type(value) in (int, float) for value in values):
        left, top, right, bottom = map(float, values)
        return left, top, right, bottom
    raise DataError(f"{location}: a box of {label!r} needs four numbers.")
