"""What readers drew, as COCO."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shapely

from afloc.feedback.store.regions import shape, sound_regions
from afloc.feedback.store.store import Store
from afloc.imaging.regions import Region
from afloc.text import file_name

INFO = (
    "Regions drawn by readers, exported from AFLoc. The image of a case is named STUDY-CASE.png, any other "
    "by the SHA-256 of its pixels, which every image has as sha256: give your files these names."
)


def write_coco(store: Store, path: Path, study: str | None) -> None:
    """Every region of the answers that stand, as polygons within the image, with their box and area.

    What lies outside the image is cut off. A region of which nothing is left is left out, as is a stored one
    that is none.
    """
    images: dict[str, dict] = {}
    categories: dict[str, int] = {}
    annotations: list[dict] = []
    where, parameters = ("WHERE study = ?", [study]) if study is not None else ("", [])
    for row in store.rows(f"SELECT * FROM answers {where} ORDER BY seq", parameters):
        shapes = [
            found
            for region in sound_regions(row["regions"])
            if row["image_digest"] is not None
            and (found := _within(region, row["image_width"], row["image_height"])).area > 0
        ]
        if not shapes:
            continue
        name = f"{row['study']}-{row['case_id']}" if row["case_id"] else row["image_digest"]
        image = images.setdefault(
            name,
            {
                "id": len(images) + 1,
                "file_name": f"{file_name(name)}.png",
                "width": row["image_width"],
                "height": row["image_height"],
                "sha256": row["image_digest"],
            },
        )
        category = categories.setdefault(row["description"] or "finding", len(categories) + 1)
        for found in shapes:
            left, top, right, bottom = found.bounds
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": category,
                    "bbox": [left, top, right - left, bottom - top],
                    "segmentation": list(_polygons(found)),
                    "area": float(found.area),
                    "iscrowd": 0,
                    "attributes": {key: row[key] for key in _ATTRIBUTES},
                }
            )
    coco = {
        "info": {"description": INFO},
        "images": list(images.values()),
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
        "annotations": annotations,
    }
    path.write_text(json.dumps(coco, indent=1) + "\n", encoding="utf-8")


_ATTRIBUTES = ("id", "reader", "study", "study_version", "case_id", "arm", "repeat")


def _within(region: Region, width: Any, height: Any) -> shapely.Geometry:
    found = shape([region])
    return found if width is None or height is None else found.intersection(shapely.box(0, 0, width, height))


def _polygons(found: shapely.Geometry) -> Iterator[list[float]]:
    """The outlines of an area as COCO has them, which knows no holes: one with a hole is cut through it."""
    for part in shapely.get_parts(found):
        if part.geom_type != "Polygon":
            if part.area > 0:
                yield from _polygons(part)
        elif not part.interiors:
            yield [float(value) for point in part.exterior.coords[:-1] for value in point]
        else:
            left, top, right, bottom = part.bounds
            middle = part.interiors[0].centroid.x
            for half in (shapely.box(left, top, middle, bottom), shapely.box(middle, top, right, bottom)):
                yield from _polygons(part.intersection(half))
