"""Ground truth that comes with one image: a mask picture, a COCO JSON, a JSON of boxes, or a CSV of ours."""

from collections.abc import Callable, Iterable
from pathlib import Path

from afloc.errors import DataError
from afloc.evaluation.datasets.coco import read_coco
from afloc.evaluation.datasets.dataset import read_boxes, read_csv
from afloc.evaluation.datasets.fitting import check_extent
from afloc.evaluation.datasets.ground_truth import GroundTruth, MaskFile, check_truth
from afloc.evaluation.datasets.label_studio import is_label_studio, read_label_studio
from afloc.evaluation.datasets.mask_names import finding_of_file
from afloc.evaluation.datasets.picture_files import bare_name, path_parts
from afloc.evaluation.datasets.rows import Row, load_json, read_extent
from afloc.imaging.image import Header

UNNAMED = ""
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")


def read_annotation_file(
    path: str | Path, height: int, width: int, image: str | None = None, label: str | None = None
) -> tuple[GroundTruth, ...]:
    """The ground truth that a file gives for an image of this size, checked against it.

    A picture is a mask, not zero where the finding lies: of `label`, or of what its name says; where that is
    nothing known, the truth's label is UNNAMED, for whoever gave it to name. A JSON is COCO's or Label
    Studio's, or a list of {label, x, y, w, h} in pixels, alone or as `boxes` of an object. A CSV has the
    columns of `read_dataset`. Where a table is about several images, `image` is the file name of this one.
    DataError, one sentence, for anything else.
    """
    path = Path(path)
    kind = path.suffix.lower()

    def where(column: str) -> str:
        return f"{path.name}, {column}"

    if kind in _PICTURES:
        label = label or finding_of_file(path.name) or UNNAMED
        truths: tuple[GroundTruth, ...] = (GroundTruth(label, mask=MaskFile(path, path.name)),)
    elif kind == ".csv":
        truths = _truths_of(read_csv(path), image, path, height, width)
        if any(truth.mask is not None for truth in truths):
            raise DataError(f"{path.name} names mask files that did not come with it: give the mask itself.")
    elif kind == ".json":
        content = load_json(path, (dict, list))
        if isinstance(content, dict) and "annotations" in content:
            truths = _truths_of(read_coco(path, content), image, path, height, width)
        elif is_label_studio(content):
            truths = _truths_of(read_label_studio(path, content), image, path, height, width)
        else:
            given = content if isinstance(content, dict) else {"boxes": content}
            drawn_on = read_extent(given.get("height"), given.get("width"), path.name)
            check_extent(drawn_on, Header(height, width), path.name)
            truths = _boxes(given.get("boxes"), where)
    else:
        raise DataError(f"{path.name} is no ground truth: give a PNG mask, or a JSON or CSV of boxes.")
    if not truths:
        raise DataError(f"{path.name} holds no ground truth for this image.")
    for truth in truths:
        check_truth(truth, height, width, where)
    return truths


def _boxes(boxes: object, where: Callable[[str], str]) -> tuple[GroundTruth, ...]:
    if not isinstance(boxes, list):
        raise DataError(f"{where('boxes')}: this should be a list of boxes with label, x, y, w and h.")
    return read_boxes(boxes, where)


def _truths_of(
    rows: Iterable[Row], image: str | None, path: Path, height: int, width: int
) -> tuple[GroundTruth, ...]:
    row = _pick(tuple(rows), image, path)
    check_extent(row.drawn_on, Header(height, width), row.location)
    return row.truths


def _pick(rows: tuple[Row, ...], image: str | None, path: Path) -> Row:
    """The row of the image: by its name, whole, without folder, without ending, or the only one."""
    for same in (_file, _bare, _stem) if image else ():
        name = same(image or "")
        found = [row for row in rows if same(row.name) == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise DataError(f"{path.name} names {len(found)} images {name}: give the rows of one alone.")
    if len(rows) != 1:
        raise DataError(f"{path.name} is about {len(rows)} images, and this one's name is not among them.")
    return rows[0]


def _file(name: str) -> str:
    return (path_parts(name) or ("",))[-1]


def _bare(name: str) -> str:
    return bare_name(_file(name))


def _stem(name: str) -> str:
    return Path(_bare(name)).stem
