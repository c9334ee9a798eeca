"""What readers drew, as the store keeps it: a JSON list of boxes and outlines in pixels of the image."""

from collections.abc import Sequence
from typing import Any

import shapely

from afloc.errors import StoreError
from afloc.imaging.regions import Box, Region, region_from_json

LARGEST_COORDINATE = 1e6  # of a region, in pixels, to either side


def shape(regions: Sequence[Region]) -> shapely.Geometry:
    """The area that boxes and outlines cover together."""
    parts = [
        shapely.box(*region.bounds)
        if isinstance(region, Box)
        else shapely.make_valid(shapely.Polygon(region.points))
        for region in regions
    ]
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)


def sound_regions(values: Sequence[Any] | None) -> list[Region]:
    """The regions in what is stored, without what is none: rows of earlier versions may hold other things."""
    found = []
    for value in values or ():
        try:
            region = region_from_json(value)
        except ValueError:
            continue
        numbers = region if isinstance(region, Box) else (each for point in region.points for each in point)
        if all(abs(number) <= LARGEST_COORDINATE for number in numbers):
            found.append(region)
    return found


def fit_regions(values: Any) -> list[dict[str, Any]]:
    """Regions as they are stored, with nothing else in them; StoreError where one is none."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise StoreError("Regions are a list of boxes and outlines.")
    sound = sound_regions(values)
    if len(sound) < len(values):
        raise StoreError(
            'A region is either {"box": [x, y, width, height]} or {"outline": [[x, y], …]}, '
            f"with numbers up to {LARGEST_COORDINATE:,.0f}."
        )
    return [region.as_json() for region in sound]
