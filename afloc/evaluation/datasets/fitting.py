"""Ground truth held against the pictures it is about: of the same size, and the same way up."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from afloc.errors import DataError
from afloc.evaluation.datasets.ground_truth import GroundTruth, check_truth, picture_header, turn_truth
from afloc.evaluation.datasets.rows import Row
from afloc.imaging.exif_turn import SIDEWAYS
from afloc.imaging.image import Header


def fit_rows(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows with their ground truth on the pictures as they are read, upright.

    DataError where an image stands twice, is missing, or does not fit its ground truth.
    """
    rows = tuple(rows)
    seen: dict[str | Path, str] = {}  # names are texts, files are paths
    for row in rows:
        for key in (row.name, row.path):
            if (first := seen.setdefault(key, row.location)) != row.location:
                raise DataError(
                    f"{row.location}, column {row.columns[0]}: the same image as in "
                    f"{first.removeprefix(row.location.split(', ')[0] + ', ')}."
                )
    return tuple(map(_fit_row, rows))


def _fit_row(row: Row) -> Row:
    def where(column: str) -> str:
        named = dict(zip(("image", "boxes", "mask"), row.columns, strict=True))
        return f"{row.location}, column {named[column]}"

    try:
        header = picture_header(row.path)
    except DataError as error:
        raise DataError(f"{where('image')}: {error}.") from None
    check_extent(row.drawn_on, header, where("image"))
    truths, readers = (
        tuple(_turn(truth, row.drawn_on, header, where) for truth in each)
        for each in (row.truths, row.readers)
    )
    for truth in (*truths, *readers):
        check_truth(truth, header.height, header.width, where)
    return row if header.turn == 1 else replace(row, truths=truths, readers=readers)


def check_extent(drawn_on: tuple[int, int] | None, header: Header, location: str) -> None:
    """DataError where a set was drawn on a picture of another size than its image, upright or as stored."""
    size = header.height, header.width
    if drawn_on not in (None, size, size[::-1] if header.turn in SIDEWAYS else size):
        raise DataError(
            f"{location}: the set was drawn on an image of {drawn_on[1]} x {drawn_on[0]} pixels, this has "
            f"{size[1]} x {size[0]}: give the images that it was drawn on."
        )


def _turn(
    truth: GroundTruth, drawn_on: tuple[int, int] | None, header: Header, where: Callable[[str], str]
) -> GroundTruth:
    """A truth on the picture upright; DataError where nothing says whether it was drawn so or as stored."""
    if header.turn == 1:
        return truth
    size = drawn_on
    if truth.mask is not None:
        try:
            size = truth.mask.size() or size
        except DataError as error:
            raise DataError(f"{where('mask')}: {error} (mask of {truth.label!r}).") from None
    upright = header.height, header.width
    if size is None or header.turn not in SIDEWAYS or header.height == header.width:
        raise DataError(
            f"{where('image')}: the picture is stored turned (EXIF orientation {header.turn}), and nothing "
            "says whether its ground truth was drawn on it as stored or upright: save the picture upright."
        )
    return turn_truth(truth, header.turn, *upright) if size == upright[::-1] else truth
