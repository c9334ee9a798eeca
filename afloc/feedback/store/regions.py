"""Regions that readers drew, as the store keeps them: boxes and outlines in pixels of the image."""

from collections.abc import Mapping, Sequence
from typing import Any

import shapely

from afloc.errors import StoreError

Regions = Sequence[Mapping[str, Any]]


def shape(regions: Regions | None) -> shapely.Geometry:
    """The area that boxes and outlines cover together."""
    parts = []
    for region in regions or ():
        if "box" in region:
            x, y, width, height = region["box"]
            parts.append(shapely.box(x, y, x + width, y + height))
        else:
            parts.append(shapely.make_valid(shapely.Polygon(region["outline"])))
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)


LARGEST_COORDINATE = 1e6  # of a region, in pixels, to either side


def sound_regions(regions: Sequence[Any] | None) -> list[dict[str, Any]]:
    """The regions as the column describes them, with nothing else in them, without those that are none.

    For what is stored: rows of earlier versions may hold other things.
    """
    return [region for region in map(_region, regions or ()) if region]


def fit_regions(regions: Any) -> list[dict[str, Any]]:
    if not isinstance(regions, Sequence) or isinstance(regions, str):
        raise StoreError("Regions are a list of boxes and outlines.")
    sound = sound_regions(regions)
    if len(sound) < len(regions):
        raise StoreError(
            'A region is either {"box": [x, y, width, height]} or {"outline": [[x, y], …]}, '
            f"with numbers up to {LARGEST_COORDINATE:,.0f}."
        )
    return sound


def _region(region: Any) -> dict[str, Any] | None:
    """The box or the outline of a region; None unless it has one of the two, and that one is sound."""
    if not isinstance(region, Mapping) or ("box" in region) == ("outline" in region):
        return None
    if "box" in region:
        box = region["box"]
        return {"box": box} if _numbers(box, 4) and box[2] > 0 and box[3] > 0 else None
    outline = region["outline"]
    points = outline if isinstance(outline, list | tuple) else ()
    sound = len(points) >= 3 and all(_numbers(point, 2) for point in points)
    return {"outline": outline} if sound else None


def _numbers(values: Any, count: int) -> bool:
    return (
        isinstance(values, list | tuple)
        and len(values) == count
        and all(
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and abs(value) <= LARGEST_COORDINATE  # nor is it NaN
            for value in values
        )
    )
