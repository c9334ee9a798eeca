"""Ground truth between the page and the server, as JSON.

A truth is {"label", "boxes", "polygons", "runs"}: boxes [x, y, width, height] and polygons [x, y, x, y, …] in
pixels of the image, `runs` the lengths of a mask's runs down its columns, the first outside. What lies in any
of them is ground truth. The page keeps it and sends it with each request; the server keeps nothing.
"""

import base64
import binascii
import re
from dataclasses import replace

import numpy as np

from afloc.errors import DataError
from afloc.evaluation.datasets.ground_truth import GroundTruth, check_truth, draw_boxes, read_box
from afloc.evaluation.datasets.masks import Shapes, encode_runs, read_coco_runs
from afloc.evaluation.datasets.rows import check_label
from afloc.evaluation.datasets.single_image import read_annotation_file
from afloc.files import temporary_folder
from afloc.text import LONGEST_LABEL
from afloc.web.messages import GroundTruthEntry, Marks

MOST_SHAPES = 2000  # boxes and polygons of a truth


def read_file(content: str, name: str, height: int, width: int, image: str | None) -> tuple[GroundTruth, ...]:
    """The truths of a dropped file, `content` in base64; DataError, one sentence, for anything else.

    `image`: the image's own file name, to find it in a table of many. Names serve the sentence and the
    search and go nowhere else.
    """
    try:
        data = base64.b64decode(content, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise DataError("The ground truth arrived incomplete; please drop it again.") from None
    with temporary_folder() as folder:
        path = folder / (re.sub(r"[^\w .()-]", "_", name)[-80:].lstrip(". ") or "file")
        path.write_bytes(data)
        return tuple(
            _drawn(truth, height, width) for truth in read_annotation_file(path, height, width, image)
        )


def _drawn(truth: GroundTruth, height: int, width: int) -> GroundTruth:
    """The same with its mask as runs, which need no file."""
    if truth.mask is None:
        return truth
    runs = encode_runs(truth.draw(height, width))
    return replace(truth, boxes=(), mask=Shapes(runs=(runs,), extent=(height, width)))


def to_json(truth: GroundTruth, height: int, width: int) -> dict:
    """A truth for the page; beside it `outline`, what is drawn of a mask: rings of [x, y]."""
    mask = None if truth.mask is None else truth.draw(height, width)
    return {
        "label": truth.label,
        "boxes": [list(box) for box in truth.boxes] if mask is None else [],
        "polygons": [],
        "runs": [] if mask is None else list(encode_runs(mask)),
        "outline": [] if mask is None else outline(mask),
    }


def outline(mask: np.ndarray) -> list[list[list[float]]]:
    """Rings of [x, y] around a mask, the longest first, a point left out where it changes nothing to see."""
    from skimage.measure import approximate_polygon, find_contours  # slow to import, and not for every page

    rings = [
        approximate_polygon(ring - 0.5, tolerance=max(mask.shape) / 4000)
        for ring in find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    ]
    return [ring[:, ::-1].round(2).tolist() for ring in sorted(rings, key=len, reverse=True)]


def draw(entry: GroundTruthEntry, height: int, width: int) -> tuple[str, np.ndarray]:
    """The label of a truth from the page and its mask, bool (height, width); DataError where it is none."""
    check_label(entry.label, "The ground truth")
    if len(entry.label) > LONGEST_LABEL:
        raise DataError(f"Please name the finding in at most {LONGEST_LABEL} characters.")
    return entry.label, draw_marks(entry, entry.label, height, width, "The ground truth")


def draw_marks(marks: Marks, label: str, height: int, width: int, what: str) -> np.ndarray:
    """What was marked, bool (height, width); DataError, which begins with `what`, where it does not fit."""

    def where(_: str) -> str:
        return what

    if len(marks.boxes) + len(marks.polygons) > MOST_SHAPES:
        raise DataError(f"{what} has too many shapes; please give a mask.")
    boxes = tuple(read_box(box, label, where) for box in marks.boxes)
    check_truth(GroundTruth(label, boxes), height, width, where)
    for points in marks.polygons:
        if len(points) < 6 or len(points) % 2 or not np.isfinite(points).all():
            raise DataError(f"{what} holds an outline that is no polygon.")
    try:
        runs = read_coco_runs(marks.runs, height, width)
    except DataError as error:
        raise DataError(f"{what} does not fit the image: {error}.") from None
    mask = Shapes(tuple(map(tuple, marks.polygons)), (runs,) if runs else ()).draw(height, width)
    return mask | draw_boxes(boxes, height, width)
