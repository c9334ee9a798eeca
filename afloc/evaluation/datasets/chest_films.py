"""Public sets of chest films, as they are downloaded. Each reader's docstring names the table to give.

Images are searched for below `images`, or else below the folder of the table, in any subfolder.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from afloc.errors import DataError
from afloc.evaluation.datasets.ground_truth import GroundTruth, Turned, read_box
from afloc.evaluation.datasets.masks import (
    Runs,
    Shapes,
    read_coco_runs,
    read_numbered_runs,
    read_relative_runs,
    read_size,
)
from afloc.evaluation.datasets.rows import (
    Row,
    by_label,
    check_label,
    index_files,
    load_json,
    read_columns,
    read_extent,
    read_table,
)
from afloc.imaging.regions import Box
from afloc.text import one_line

_MODALITY = "chest_xray"
_FILM_COLUMNS = ("image_id", "ImageID", "dicom_id", "Image Index", "Path")  # of CheXmask's five sets
_ANATOMY = {"Left Lung": "Left Lung", "Right Lung": "Right Lung", "Heart": "Cardiac silhouette"}
_QUALITY, _LEAST_QUALITY = "Dice RCA (Mean)", 0.7
_PICTURE = re.compile(r"\.(png|jpg|dcm|dicom)$")
_OVER_DIAGONAL = 5  # the EXIF orientation that swaps rows and columns
_SIDE = 1024  # pixels a side of every film of NIH, RSNA and SIIM, and of their ground truth


def read_nih(path: Path, images: Path | None = None) -> Iterator[Row]:
    """NIH ChestX-ray14: `BBox_List_2017.csv` (nihcc.app.box.com/v/ChestXray-NIHCC, README_CHESTXRAY.pdf).

    Columns "Image Index", "Finding Label" and "Bbox [x", "y", "w", "h]"; films `images_*/images/*.png`. The
    labels come from `Data_Entry_2017.csv` where it lies beside. The films with a box, of eight findings.
    """
    columns = ("Image Index", "Finding Label", "Bbox [x", "y", "w", "h]")
    films: dict[str, list[tuple[str, Box]]] = {}
    first: dict[str, int] = {}
    for number, cells in read_table(path, columns):
        name = cells["Image Index"]
        where = _where(path, number, "Bbox [x")
        box = read_box([cells[column] for column in columns[2:]], cells["Finding Label"], where)
        films.setdefault(name, []).append((cells["Finding Label"], box))
        first.setdefault(name, number)
    entries = _nih_labels(path.parent)
    find = _finder(images or path.parent, (".png", ".jpg"))
    for name, found in films.items():
        labels, patient = entries.get(name, (None, name.split("_")[0]))
        yield Row(
            name=name,
            path=find(Path(name).stem, path, first[name], "Image Index"),
            location=f"{path.name}, row {first[name]}",
            truths=by_label(found),
            labels=labels,
            patient=patient,
            source="NIH ChestX-ray14",
            modality=_MODALITY,
            columns=("Image Index", "Bbox [x", "Bbox [x"),
            drawn_on=(_SIDE, _SIDE),
        )


def _nih_labels(folder: Path) -> dict[str, tuple[tuple[str, ...], str]]:
    table = next(iter(sorted(folder.glob("Data_Entry_2017*.csv"))), None)
    if table is None:
        return {}
    rows = read_table(table, ("Image Index", "Finding Labels", "Patient ID"))
    return {
        cells["Image Index"]: (tuple(cells["Finding Labels"].split("|")), cells["Patient ID"])
        for _, cells in rows
    }


def read_rsna(path: Path, images: Path | None = None) -> Iterator[Row]:
    """RSNA Pneumonia Detection 2018: `stage_2_train_labels.csv` (kaggle.com, its Data page).

    Columns patientId, x, y, width, height, Target, one row a box; films `stage_2_train_images/*.dcm`. A
    Target of 0 means no pneumonia; such a film may show other findings.
    """
    films: dict[str, list[tuple[str, Box]]] = {}
    first: dict[str, int] = {}
    for number, cells in read_table(path, ("patientId", "x", "y", "width", "height", "Target")):
        name, where = cells["patientId"], _where(path, number, "x")
        first.setdefault(name, number)
        boxes = films.setdefault(name, [])
        if cells["Target"].strip() not in ("0", "1"):
            raise DataError(f"{path.name}, row {number}, column Target: it should be 0 or 1.")
        if cells["Target"].strip() == "1":
            values = [cells[column] for column in ("x", "y", "width", "height")]
            boxes.append(("Pneumonia", read_box(values, "Pneumonia", where)))
    find = _finder(images or path.parent, (".dcm", ".png", ".jpg"))
    for name, found in films.items():
        yield Row(
            name=name,
            path=find(name, path, first[name], "patientId"),
            location=f"{path.name}, row {first[name]}",
            truths=by_label(found),
            labels=("Pneumonia",) if found else (),
            patient=name,
            source="RSNA Pneumonia",
            modality=_MODALITY,
            columns=("patientId", "x", "x"),
            drawn_on=(_SIDE, _SIDE),
        )


def read_vindr(path: Path, images: Path | None = None) -> Iterator[Row]:
    """VinDr-CXR 1.0.0: `annotations/annotations_test.csv` or `annotations_train.csv`
    (physionet.org/content/vindr-cxr).

    Columns image_id, class_name, x_min, y_min, x_max, y_max; films `test/*.dicom` or `train/*.dicom`. "No
    finding" has no box. On training films the boxes of three readers are joined, by class. Copies have the
    columns width and height: of the film that the boxes were drawn on.
    """
    corners = ("x_min", "y_min", "x_max", "y_max")
    films: dict[str, list[tuple[str, Box]]] = {}
    labels: dict[str, dict[str, None]] = {}
    extents: dict[str, tuple[int, int] | None] = {}
    first: dict[str, int] = {}
    for number, cells in read_table(path, ("image_id", "class_name", *corners)):
        name, label, where = cells["image_id"], cells["class_name"], _where(path, number, "x_min")
        first.setdefault(name, number)
        extent = read_extent(cells.get("height", ""), cells.get("width", ""), f"{path.name}, row {number}")
        if extents.setdefault(name, extent) != extent:
            raise DataError(f"{path.name}, row {number}, column width: another size of the same film before.")
        labels.setdefault(name, {})[label] = None
        boxes = films.setdefault(name, [])
        if label.lower() != "no finding":
            left, top, right, bottom = _numbers([cells[column] for column in corners], label, where)
            boxes.append((label, read_box([left, top, right - left, bottom - top], label, where)))
    root = images or (path.parent.parent if path.parent.name == "annotations" else path.parent)
    find = _finder(root, (".dicom", ".dcm", ".png", ".jpg"))
    for name, found in films.items():
        yield Row(
            name=name,
            path=find(name, path, first[name], "image_id"),
            location=f"{path.name}, row {first[name]}",
            truths=by_label(found),
            labels=tuple(labels[name]),
            patient=name,
            source="VinDr-CXR",
            modality=_MODALITY,
            columns=("image_id", "x_min", "x_min"),
            drawn_on=extents[name],
        )


def read_siim(path: Path, images: Path | None = None) -> Iterator[Row]:
    """SIIM-ACR Pneumothorax 2019: `train-rle.csv` or `stage_2_train.csv` (kaggle.com, its Data page).

    Columns ImageId and EncodedPixels, relative run lengths down the columns of 1024 x 1024 pixels, -1 for no
    pneumothorax; several rows of a film are one mask. Films `dicom-images-train/*/*/*.dcm`.
    """
    films: dict[str, list[Runs]] = {}
    first: dict[str, int] = {}
    for number, cells in read_table(path, ("ImageId", "EncodedPixels")):
        first.setdefault(cells["ImageId"], number)
        runs = films.setdefault(cells["ImageId"], [])
        if (text := cells["EncodedPixels"].strip()) != "-1":
            try:
                runs.append(read_relative_runs(text, _SIDE, _SIDE))
            except DataError as error:
                raise DataError(f"{path.name}, row {number}, column EncodedPixels: {error}.") from None
    find = _finder(images or path.parent, (".dcm", ".png", ".jpg"))
    for name, runs in films.items():
        mask = Shapes(runs=tuple(runs), extent=(_SIDE, _SIDE))
        yield Row(
            name=name,
            path=find(name, path, first[name], "ImageId"),
            location=f"{path.name}, row {first[name]}",
            truths=(GroundTruth("Pneumothorax", mask=mask),) if runs else (),
            labels=("Pneumothorax",) if runs else (),
            patient=name,
            source="SIIM-ACR Pneumothorax",
            modality=_MODALITY,
            columns=("ImageId", "EncodedPixels", "EncodedPixels"),
            drawn_on=(_SIDE, _SIDE),
        )


def read_chexmask(path: Path, images: Path | None = None) -> Iterator[Row]:
    """CheXmask: a table of its folder `OriginalResolution`, such as `VinDr-CXR.csv`
    (physionet.org/content/chexmask-cxr-segmentation-data; run lengths as in
    github.com/ngaggion/CheXmask-Database, DataPostprocessing/utils.py).

    Columns: the film (image_id, ImageID, dicom_id, Image Index or Path, as its own set has it), "Dice RCA
    (Mean)", "Left Lung", "Right Lung", Heart, Height and Width. Run lengths "start length …" count from 1
    along the rows. The masks are a network's; films whose estimated Dice is below 0.7 are left out, as its
    authors advise. They are anatomy, so no pathology is measured on them.
    """
    name_column = next((column for column in _FILM_COLUMNS if column in read_columns(path)), None)
    if name_column is None:
        raise DataError(f"{path.name} has none of the columns {', '.join(_FILM_COLUMNS)}.")
    depth = 3 if name_column == "Path" else 1  # patient, study and view of CheXpert
    find = _finder(images or path.parent, (".dicom", ".dcm", ".png", ".jpg"), depth)
    for number, cells in read_table(path, (name_column, _QUALITY, *_ANATOMY, "Height", "Width")):
        location = f"{path.name}, row {number}"
        try:
            quality = float(cells[_QUALITY])
        except ValueError:
            raise DataError(f"{location}, column {_QUALITY}: it should be a number.") from None
        extent = read_extent(cells["Height"], cells["Width"], location)
        if extent is None:
            raise DataError(f"{location}, column Height: the size of the film is missing.")
        if quality < _LEAST_QUALITY:
            continue
        name = cells[name_column].strip()
        parts = PurePosixPath(_PICTURE.sub("", name)).parts[-depth:]
        yield Row(
            name=name,
            path=find("_".join(parts), path, number, name_column),
            location=location,
            truths=tuple(_anatomy(cells, extent, location)),
            patient=parts[0] if depth > 1 else name,
            source=f"CheXmask {path.stem}",
            modality=_MODALITY,
            columns=(name_column, "Left Lung", "Left Lung"),
            drawn_on=extent,
        )


def _anatomy(cells: dict[str, str], extent: tuple[int, int], location: str) -> Iterator[GroundTruth]:
    height, width = extent
    for column, label in _ANATOMY.items():
        try:
            runs = read_numbered_runs(cells[column], height, width)
        except DataError as error:
            raise DataError(f"{location}, column {column}: {error}.") from None
        if any(runs[1::2]):
            # Along the rows of a film is down the columns of the film turned over its diagonal.
            turned = Shapes(runs=(runs,), extent=(width, height))
            yield GroundTruth(label, mask=Turned(turned, _OVER_DIAGONAL))


def read_chexlocalize(path: Path, content: dict, images: Path | None = None) -> Iterator[Row]:
    """CheXlocalize: `gt_segmentations_val.json` or `gt_segmentations_test.json`
    (github.com/rajpurkarlab/cheXlocalize, README).

    {film: {pathology: {"size": [height, width], "counts": COCO's compressed run lengths}}}, where the film
    patient64622_study1_view1_frontal is `patient64622/study1/view1_frontal.jpg` of CheXpert. What the
    benchmark's radiologists drew is read from `hb_segmentations_*.json` beside it.
    """
    if not all(isinstance(findings, dict) for findings in content.values()):
        raise DataError(
            f"{path.name} is no JSON that is read: give that of COCO, of Label Studio or CheXlocalize."
        )
    human_path = path.with_name(path.name.replace("gt_", "hb_", 1))
    human = load_json(human_path) if human_path != path and human_path.is_file() else {}
    films = index_files(images or path.parent, (".jpg", ".png"), depth=3)
    if not images and not films:  # CheXpert lies beside CheXlocalize
        films = index_files(path.parent.parent, (".jpg", ".png"), depth=3)
    for name, findings in content.items():
        if name not in films:
            raise DataError(f"{path.name}, {name}: the folder of the images holds no such film.")
        truths = _segmentations(path, name, findings)
        yield Row(
            name=name,
            path=films[name],
            location=f"{path.name}, {name}",
            truths=truths,
            labels=tuple(truth.label for truth in truths),
            patient=name.split("_")[0],
            source="CheXlocalize",
            modality=_MODALITY,
            readers=_segmentations(human_path, name, human.get(name, {})),
            columns=("name", "size", "size"),
        )


def _segmentations(path: Path, film: str, findings: object) -> tuple[GroundTruth, ...]:
    """The masks of a film that are not empty."""
    if not isinstance(findings, dict):
        raise DataError(f"{path.name}, {film}: this should be an object of pathologies.")
    truths = []
    for label, drawn in findings.items():
        location = f"{path.name}, {film}, {label}"
        label = check_label(label, f"{path.name}, {film}")
        if not isinstance(drawn, dict) or not {"size", "counts"} <= drawn.keys():
            raise DataError(f"{location} lacks size or counts.")
        size = read_size(drawn["size"], location)
        try:
            runs = read_coco_runs(drawn["counts"], *size)
        except DataError as error:
            raise DataError(f"{location}: {error}.") from None
        if any(runs[1::2]):
            truths.append(GroundTruth(label, mask=Shapes(runs=(runs,), extent=size)))
    return tuple(truths)


def _finder(folder: Path, suffixes: Iterable[str], depth: int = 1) -> Callable[[str, Path, int, str], Path]:
    files = index_files(folder, suffixes, depth)

    def find(name: str, table: Path, number: int, column: str) -> Path:
        if name not in files:
            film = one_line(name, 80)
            raise DataError(f"{table.name}, row {number}, column {column}: no film {film} below the folder.")
        return files[name]

    return find


def _where(path: Path, number: int, column: str) -> Callable[[str], str]:
    return lambda _: f"{path.name}, row {number}, column {column}"


def _numbers(values: list[str], label: str, where: Callable[[str], str]) -> list[float]:
    try:
        return [float(value) for value in values]
    except ValueError:
        raise DataError(f"{where('boxes')}: a box of {label!r} needs four numbers.") from None
