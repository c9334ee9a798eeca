"""Sets of images with ground truth, whatever their layout: `read_dataset(path)` recognises it.

The project's own is a CSV with the columns `image`, `labels` (joined by ";" or "|", or a list), `boxes` (JSON
list of {label, x, y, w, h}, pixels, top-left origin) and `mask` (JSON object label -> picture, not zero
where the finding is); `patient`, `source` and `modality` may stand beside them, and `width` and `height` of
the image that the boxes were drawn on. Paths are relative to the CSV; those of images to their folder, where
it is given. The public sets are read as they are downloaded; the modules imported below say which file or
folder to give.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from afloc.errors import DataError
from afloc.evaluation.datasets import chest_films as chest
from afloc.evaluation.datasets import coco, film_records, label_studio, mask_folders, tbx11k
from afloc.evaluation.datasets.fitting import fit_rows
from afloc.evaluation.datasets.ground_truth import GroundTruth, MaskFile, read_box
from afloc.evaluation.datasets.picture_files import PictureFiles
from afloc.evaluation.datasets.rows import (
    UNNAMED_SOURCE,
    Dataset,
    Row,
    by_label,
    canonical_label,
    check_label,
    load_json,
    parse_json,
    read_columns,
    read_extent,
    read_table,
)
from afloc.language.modalities import MODALITIES

TABLES = (".csv", ".json")
_TABLES = {  # by a column that only this table has, or is the first to have
    "Left Lung": chest.read_chexmask,
    "Image Index": chest.read_nih,
    "patientId": chest.read_rsna,
    "image_id": chest.read_vindr,
    "ImageId": chest.read_siim,
}
_RECORDS = (
    (film_records.is_padchest_gr, film_records.read_padchest_gr),
    (film_records.is_chestx_det, film_records.read_chestx_det),
)


def read_dataset(
    path: str | Path, images: str | Path | None = None, within: str | Path | None = None
) -> Dataset:
    """A set from its table or folder, checked. DataError, one sentence, where anything in it is wrong.

    `images`: the folder with its images, where they do not lie beside the table. `within`: for a table that
    is not trusted; every file of the set must lie in this folder.
    """
    path = Path(path).absolute()  # the workers of a run may have another current folder
    images = None if images is None else Path(images).absolute()
    for each in filter(None, (path, images)):
        if not each.exists():
            raise DataError(f"There is no {each.name}: give the table or the folder of a set.")
    rows = tuple(_read(path, images))
    if not rows:
        raise DataError(f"{path.name} names no image.")
    if within is not None:
        _check_within(rows, Path(within).resolve())
    return Dataset(path.stem or path.name, fit_rows(rows))


def _check_within(rows: Iterable[Row], folder: Path) -> None:
    for row in rows:
        truths = (*row.truths, *row.readers)
        masks = (truth.mask.path for truth in truths if isinstance(truth.mask, MaskFile))
        if not all(each.resolve().is_relative_to(folder) for each in (row.path, *masks)):
            raise DataError(f"{row.location}: the files of a set must lie in its own folder.")


def _read(path: Path, images: Path | None) -> Iterator[Row]:
    if path.is_dir():
        if images is not None:
            raise DataError(f"{path.name} is a folder, and its images lie in it: leave out --images.")
        if mask_folders.is_known(path):
            return mask_folders.read_folder(path)
        return _read_below(path)
    if path.suffix.lower() == ".json":
        content = load_json(path, (dict, list))
        if isinstance(content, list):
            for known, read_records in _RECORDS:
                if known(content):
                    return read_records(path, content, images)
            return label_studio.read_label_studio(path, content, images)
        if tbx11k.is_tbx11k(content):
            return tbx11k.read_tbx11k(path, content, images)
        if coco.is_coco(content):
            return coco.read_coco(path, content, images)
        return chest.read_chexlocalize(path, content, images)
    columns = read_columns(path)
    if "image" in columns:
        return read_csv(path, images)
    for column, read in _TABLES.items():
        if column in columns:
            return read(path, images)
    return read_csv(path, images)


def _read_below(folder: Path) -> Iterator[Row]:
    """The one table somewhere in a folder, or all of its COCO files: the parts of a set that tools export."""
    tables = sorted(each for each in folder.rglob("*") if each.suffix.lower() in TABLES and each.is_file())
    tables = [
        each for each in tables if not any(part.startswith(".") for part in each.relative_to(folder).parts)
    ]
    if not tables and (folder / "images").is_dir():
        return mask_folders.read_masks(folder)
    if not tables:
        raise DataError(
            f"{folder.name} holds no set: give a CSV or a COCO JSON with its images, or the folders images "
            "and masks."
        )
    if len(tables) == 1:
        return _read(tables[0], None)
    contents = {each: load_json(each, (dict, list)) for each in tables if each.suffix.lower() == ".json"}
    drawn = {each: content for each, content in contents.items() if coco.draws(content)}
    if len(contents) < len(tables) or not drawn:
        names = ", ".join(each.relative_to(folder).as_posix() for each in tables[:8])
        raise DataError(f"There are several tables, {names}: please give one with its images.")
    return (
        row
        for each, content in drawn.items()
        for row in coco.read_coco(each, content, prefix=_part(each, folder) if len(drawn) > 1 else "")
    )


def _part(table: Path, folder: Path) -> str:
    return table.relative_to(folder).with_suffix("").as_posix() + "/"


def read_csv(path: Path, images: Path | None = None) -> Iterator[Row]:
    """The rows of the project's own layout; `images`: what its images, not its masks, are relative to."""
    beside = path.parent.parent if path.parent.name == "annotations" else path.parent
    masks = PictureFiles(path.parent, beside)
    files = PictureFiles(images) if images else masks
    for number, cells in read_table(path, required=("image",), one_of=("labels", "boxes", "mask")):
        location = f"{path.name}, row {number}"

        def where(column: str, location: str = location) -> str:
            return f"{location}, column {column}"

        name = cells["image"].strip()
        if not name:
            raise DataError(f"{where('image')}: the image is missing.")
        labels = _read_labels(cells.get("labels", "").strip(), where("labels"))
        try:
            picture = files.find(name)
        except DataError as error:
            raise DataError(f"{where('image')}: {error}.") from None
        modality = cells.get("modality", "").strip() or None
        if modality not in (None, *MODALITIES):
            raise DataError(f"{where('modality')}: {modality!r} is none of {', '.join(MODALITIES)}.")
        yield Row(
            name=name,
            path=picture,
            location=location,
            truths=_read_truths(cells, masks, where),
            labels=labels or None,
            patient=cells.get("patient", "").strip() or name,
            source=source_of(name, cells.get("source", "")),
            modality=modality,
            drawn_on=read_extent(cells.get("height", ""), cells.get("width", ""), location),
        )


def _read_labels(text: str, location: str) -> tuple[str, ...]:
    """The labels of a cell, each once: joined by ";" or "|", or a list as JSON or Python writes it."""
    labels: Any = re.split(r"[;|]", text)
    if text.startswith("["):
        try:
            labels = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            labels = None
        if not isinstance(labels, list) or not all(isinstance(each, str) for each in labels):
            raise DataError(f"{location}: this should be a list of the names of findings.")
    return tuple(dict.fromkeys(filter(None, map(str.strip, labels))))


def source_of(image: str, source: str) -> str:
    """The source that an image shares with others: the text, cut where it starts to name image or patient.

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


def _read_truths(
    cells: dict[str, str], files: PictureFiles, where: Callable[[str], str]
) -> tuple[GroundTruth, ...]:
    """The masks of a row, and the boxes of those findings that no mask is given for."""
    masks = parse_json(cells.get("mask", ""), dict, where("mask"))
    truths = []
    for label, file in masks.items():
        if not isinstance(file, str) or not file.strip():
            raise DataError(f"{where('mask')}: {label!r} needs the path of its mask.")
        label = check_label(label, where("mask"))
        try:
            truths.append(GroundTruth(label, mask=MaskFile(files.find(file), file)))
        except DataError as error:
            raise DataError(f"{where('mask')}: {error} (mask of {label!r}).") from None
    masked = {canonical_label(label) for label in masks}
    boxes = read_boxes(parse_json(cells.get("boxes", ""), list, where("boxes")), where)
    return (*truths, *(truth for truth in boxes if canonical_label(truth.label) not in masked))


def read_boxes(entries: list, where: Callable[[str], str]) -> tuple[GroundTruth, ...]:
    """A truth for each label of a list of {label, x, y, w, h}; `where` says where a column stands."""
    found = []
    for entry in entries:
        if not isinstance(entry, dict) or not {"label", "x", "y", "w", "h"} <= entry.keys():
            raise DataError(f"{where('boxes')}: each box needs label, x, y, w and h.")
        label = check_label(entry["label"], where("boxes"))
        found.append((label, read_box([entry[key] for key in "xywh"], label, where)))
    return by_label(found)
