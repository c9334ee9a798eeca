"""Label Studio's own JSON and JSON-MIN: a list of tasks, with what was drawn in percent of the image's sides.

(labelstud.io/guide/export) A task has `data` with the image and `annotations`, each with a `result`; in
JSON-MIN it has the image and, under the names of the labelling interface, lists of what was drawn. Give the
JSON file.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from afloc.errors import DataError
from afloc.evaluation.datasets.ground_truth import GroundTruth, read_box
from afloc.evaluation.datasets.masks import Shapes
from afloc.evaluation.datasets.picture_files import PictureFiles, path_parts
from afloc.evaluation.datasets.rows import Row, by_label, check_label, read_extent
from afloc.imaging.regions import Box

_RECTANGLE, _POLYGON = "rectanglelabels", "polygonlabels"
_OTHERS = ("brushlabels", "ellipselabels", "keypointlabels", "bitmasklabels", "vectorlabels")


def is_label_studio(content: object) -> bool:
    return isinstance(content, list) and any(
        isinstance(task, dict) and (isinstance(task.get("data"), dict) or any(_drawn(task)))
        for task in content
    )


def read_label_studio(path: Path, content: list, images: Path | None = None) -> Iterator[Row]:
    """The images in the order of the tasks. What several people drew on one is joined; DataError for what is
    no rectangle or polygon."""
    if not is_label_studio(content):
        raise DataError(f"{path.name} is a list, which no set is: give the JSON of COCO or of Label Studio.")
    files = PictureFiles(images or path.parent)
    for number, task in enumerate(content):
        location = f"{path.name}, task {number + 1}"
        if not isinstance(task, dict):
            raise DataError(f"{location}: it should be an object.")
        name = _image(task, location)
        try:
            picture = files.find(name)
        except DataError as error:
            raise DataError(f"{location}: {error}.") from None
        shapes = list(_drawn(task))
        extents = {
            read_extent(each.get("original_height"), each.get("original_width"), location) for each in shapes
        }
        if shapes and (len(extents) > 1 or None in extents):
            raise DataError(f"{location}: what is drawn needs one original_width and original_height.")
        extent = extents.pop() if extents else None
        truths = _truths(shapes, extent, location)
        yield Row(
            name="/".join(path_parts(name)),
            path=picture,
            location=location,
            truths=truths,
            labels=tuple(truth.label for truth in truths),
            patient=name,
            source=path.stem,
            columns=("image", "value", "value"),
            drawn_on=extent,
        )


def _image(task: dict, location: str) -> str:
    data = task["data"] if isinstance(task.get("data"), dict) else task
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value.strip()}
    name = texts.get("image") or next((text for text in texts.values() if Path(text).suffix), None)
    if name is None:
        raise DataError(f"{location}: the image is missing.")
    return name


def _drawn(task: dict) -> Iterator[dict]:
    """What is drawn on the image of a task: values, `original_width` and `original_height` beside them."""
    for annotation in task.get("annotations") or task.get("completions") or ():
        results = annotation.get("result") if isinstance(annotation, dict) else None
        if isinstance(results, list) and not annotation.get("was_cancelled"):
            for each in results:
                if isinstance(each, dict) and isinstance(each.get("value"), dict):
                    yield {**each, **each["value"]}
    if "data" not in task:
        for values in task.values():
            for each in values if isinstance(values, list) else ():
                if isinstance(each, dict) and "original_width" in each:
                    yield each


def _truths(shapes: list[dict], extent: tuple[int, int] | None, location: str) -> tuple[GroundTruth, ...]:
    def where(_: str) -> str:
        return f"{location}, value"

    if extent is None:  # nothing is drawn
        return ()
    boxes: list[tuple[str, Box]] = []
    polygons: dict[str, list[tuple[float, ...]]] = {}
    for shape in shapes:
        if kind := next((each for each in _OTHERS if each in shape), None):
            raise DataError(f"{location}: {kind} are not read: export the masks as PNG.")
        kind = _RECTANGLE if _RECTANGLE in shape else _POLYGON
        for label in shape.get(kind) or ():
            label = check_label(label, location)
            if kind == _RECTANGLE and not shape.get("rotation"):
                values = [shape.get(key) for key in ("x", "y", "width", "height")]
                boxes.append((label, read_box(_in_pixels(values, extent, location), label, where)))
            else:
                points = (
                    _corners(shape, extent, location)
                    if kind == _RECTANGLE
                    else _points(shape, extent, location)
                )
                polygons.setdefault(label, []).append(points)
    truths = []
    for truth in by_label(boxes):
        if truth.label not in polygons:
            truths.append(truth)
            continue
        for x, y, width, height in truth.boxes:
            polygons[truth.label].append((x, y, x + width, y, x + width, y + height, x, y + height))
    masks = (GroundTruth(label, mask=Shapes(tuple(each), (), extent)) for label, each in polygons.items())
    return (*truths, *masks)


def _in_pixels(values: list, extent: tuple[int, int], location: str) -> list[float]:
    """x, y, x, y, … in percent of the sides, in pixels."""
    numbers = [value for value in values if isinstance(value, int | float) and math.isfinite(value)]
    if len(numbers) != len(values):
        raise DataError(f"{location}: what is drawn needs numbers.")
    height, width = extent
    return [
        value * side / 100 for value, side in zip(numbers, (width, height) * (len(values) // 2), strict=True)
    ]


def _points(shape: dict, extent: tuple[int, int], location: str) -> tuple[float, ...]:
    points = shape.get("points")
    if (
        not isinstance(points, list)
        or len(points) < 3
        or not all(isinstance(point, list) and len(point) == 2 for point in points)
    ):
        raise DataError(f"{location}: a polygon needs three or more points.")
    return tuple(_in_pixels([value for point in points for value in point], extent, location))


def _corners(shape: dict, extent: tuple[int, int], location: str) -> tuple[float, ...]:
    """Of a rectangle turned about its upper left corner, clockwise in degrees."""
    x, y, width, height = _in_pixels(
        [shape.get(key) for key in ("x", "y", "width", "height")], extent, location
    )
    angle = shape["rotation"]
    if not isinstance(angle, int | float) or not math.isfinite(angle):
        raise DataError(f"{location}: a rotation should be a number.")
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    corners = ((0, 0), (width, 0), (width, height), (0, height))
    return tuple(value for a, b in corners for value in (x + a * cos - b * sin, y + a * sin + b * cos))
