"""COCO's object detection JSON, and MS-CXR, which is one with a phrase on every annotation.

Give the JSON file. COCO (cocodataset.org/#format-data): `images` (id, file_name, and width and height of what
was drawn on), `annotations` (image_id, category_id, bbox [x, y, width, height] and segmentation: polygons or
run lengths), `categories` (id, name). CVAT, Label Studio, Roboflow and FiftyOne export it too; the images lie
somewhere below the folder of the JSON, or beside it where that is called `annotations`.
MS-CXR (physionet.org/content/ms-cxr, MS_CXR_Local_Alignment_v1.0.0.json): besides, `label_text` on each
annotation, the phrase that its box belongs to, and `path` on each image, below the folder of MIMIC-CXR-JPG.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from afloc.errors import DataError
from afloc.evaluation.datasets.ground_truth import GroundTruth, are_relative, read_box
from afloc.evaluation.datasets.masks import Shapes, read_coco_runs, read_size
from afloc.evaluation.datasets.picture_files import PictureFiles, is_file
from afloc.evaluation.datasets.rows import Row, check_label, read_extent
from afloc.imaging.regions import Box

_FIELDS = {
    "images": ("id", "file_name"),
    "annotations": ("image_id", "category_id"),
    "categories": ("id", "name"),
}


def is_coco(content: Any) -> bool:
    return isinstance(content, dict) and ("images" in content or "annotations" in content)


def draws(content: Any) -> bool:
    """Whether it is a COCO file of boxes or masks; COCO's own sets come with captions, too."""
    return is_coco(content) and "categories" in content


def read_coco(path: Path, content: dict, images: Path | None = None, prefix: str = "") -> Iterator[Row]:
    """The images in the order of the file, those without annotation too; labels are their categories.

    `prefix`: what their names begin with, where several files make up a set.
    Where some annotations of a category on an image have a segmentation, the boxes of its other annotations
    become part of the mask. Boxes with different phrases are different truths.
    """
    for table, fields in _FIELDS.items():
        if not isinstance(content.get(table), list):
            raise DataError(f"{path.name} lacks the list {table}.")
        for number, entry in enumerate(content[table]):
            for field in fields:
                if not isinstance(entry, dict) or field not in entry:
                    raise DataError(f"{path.name}, {table}[{number}] lacks {field}.")
                if field.endswith("id") and not isinstance(entry[field], str | int | float):
                    raise DataError(
                        f"{path.name}, {table}[{number}], {field}: it should be a number or a text."
                    )
    known = _by_id(content["images"], f"{path.name}, images")
    names = {
        key: check_label(category["name"], f"{path.name}, categories[{number}], name")
        for number, (key, category) in enumerate(
            _by_id(content["categories"], f"{path.name}, categories").items()
        )
    }
    annotations: dict[object, list[tuple[str, dict]]] = {}
    for number, annotation in enumerate(content["annotations"]):
        location = f"{path.name}, annotations[{number}]"
        for field, values in (("image_id", known), ("category_id", names)):
            if annotation[field] not in values:
                raise DataError(f"{location}, {field}: {annotation[field]!r} is not listed.")
        annotations.setdefault(annotation["image_id"], []).append((location, annotation))

    beside = next((each.parent for each in path.parents[:2] if each.name == "annotations"), path.parent)
    files = PictureFiles(images or path.parent, images or beside, path.stem)
    for number, image in enumerate(content["images"]):
        found = annotations.get(image["id"], [])
        location = f"{path.name}, images[{number}]"
        file, picture = _find(image, files, f"{location}, file_name")
        folders = [part for part in Path(file).parts[:-1] if re.fullmatch(r"p\d{8}", part)]  # of MIMIC-CXR
        yield Row(
            name=prefix + file,
            path=picture,
            location=location,
            truths=_truths(found, names, image),
            labels=tuple(dict.fromkeys(names[each["category_id"]] for _, each in found)),
            patient=folders[0] if folders else file,
            source=path.stem,
            columns=("file_name", "bbox", "segmentation"),
            drawn_on=read_extent(image.get("height"), image.get("width"), location),
        )


def _by_id(entries: list[dict], location: str) -> dict[object, dict]:
    """DataError where an id stands twice, as in sets that were put together."""
    found: dict[object, dict] = {}
    for number, entry in enumerate(entries):
        if entry["id"] in found:
            raise DataError(f"{location}[{number}], id: {entry['id']!r} stands for another entry already.")
        found[entry["id"]] = entry
    return found


def _find(image: dict, files: PictureFiles, location: str) -> tuple[str, Path]:
    """What the set calls an image, and its file; `path` is MS-CXR's, and in other tools' own folders."""
    named = [str(name) for name in (image.get("path"), image["file_name"]) if name]
    if not named:
        raise DataError(f"{location}: the image is missing.")
    try:
        found = [(name, files.find(name)) for name in named]
    except DataError as error:
        raise DataError(f"{location}: {error}.") from None
    return next((each for each in found if is_file(each[1])), found[0])


def _truths(found: list[tuple[str, dict]], names: dict, image: dict) -> tuple[GroundTruth, ...]:
    groups: dict[tuple[str, str | None], list[tuple[str, dict]]] = {}
    for location, annotation in found:
        text = annotation.get("label_text")
        if not isinstance(text, str | None):
            raise DataError(f"{location}, label_text: it should be a text.")
        groups.setdefault((names[annotation["category_id"]], text), []).append((location, annotation))
    return tuple(_truth(label, text, group, image) for (label, text), group in groups.items())


def _truth(label: str, text: str | None, group: list[tuple[str, dict]], image: dict) -> GroundTruth:
    boxes: list[Box] = []
    polygons: list[tuple[float, ...]] = []
    runs, extent = [], None
    for location, annotation in group:
        drawn = annotation.get("segmentation")
        if isinstance(drawn, dict):
            extent = read_size(drawn.get("size"), f"{location}, segmentation")
            try:
                runs.append(read_coco_runs(drawn.get("counts"), *extent))
            except DataError as error:
                raise DataError(f"{location}, segmentation: {error}.") from None
        elif drawn and not isinstance(drawn, list):
            raise DataError(f"{location}, segmentation: it should be a list of polygons, or run lengths.")
        elif drawn:
            polygons += [_polygon(each, f"{location}, segmentation") for each in drawn]
        else:
            values = annotation.get("bbox")
            values = values if isinstance(values, list) else []
            boxes.append(read_box(values, label, lambda _, location=location: f"{location}, bbox"))  # type: ignore[misc]  # it has a default
    if not (polygons or runs):
        return GroundTruth(label, tuple(boxes), description=text)
    polygons += [(x, y, x + w, y, x + w, y + h, x, y + h) for x, y, w, h in boxes]
    if extent is None and isinstance(image.get("height"), int) and isinstance(image.get("width"), int):
        extent = image["height"], image["width"]
    return GroundTruth(label, mask=Shapes(tuple(polygons), tuple(runs), extent), description=text)


def _polygon(values: object, location: str) -> tuple[float, ...]:
    numbers = values if isinstance(values, list) else []
    if len(numbers) < 6 or len(numbers) % 2 or not all(isinstance(value, int | float) for value in numbers):
        raise DataError(f"{location}: a polygon needs three or more points, [x, y, x, y, …].")
    if not all(map(math.isfinite, numbers)):
        raise DataError(f"{location}: a polygon holds a value that is not a finite number.")
    if are_relative(numbers):
        raise DataError(f"{location}: a polygon lies within 0 … 1: give it in pixels.")
    return tuple(float(value) for value in numbers)
