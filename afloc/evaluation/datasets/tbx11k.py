"""TBX11K: `annotations/json/TBX11K_val.json`, or another of that folder (mmcheng.net/tb; Liu et al. 2020,
CVPR). Give the JSON file.

COCO's layout, with the categories ActiveTuberculosis, ObsoletePulmonaryTuberculosis and
PulmonaryTuberculosis (which of both is uncertain). Films `imgs/tb/tb0003.png` of 512 x 512 pixels; those in
`imgs/health` have no finding, those in `imgs/sick` other findings and no tuberculosis. Of the films in
`imgs/test` and `imgs/extra` without a box nothing is known.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from afloc.evaluation.datasets.coco import is_coco, read_coco
from afloc.evaluation.datasets.picture_files import path_parts
from afloc.evaluation.datasets.rows import Row

_LABELS = {
    "ActiveTuberculosis": "active tuberculosis",
    "ObsoletePulmonaryTuberculosis": "obsolete pulmonary tuberculosis",
    "PulmonaryTuberculosis": "pulmonary tuberculosis",
}
_SIDE = 512
_WITHOUT_A_BOX: dict[str, tuple[str, ...] | None] = {"health": ("No finding",), "sick": (), "tb": ()}
"""The labels of a film without a box, by its folder; None, for any other: not known."""


def is_tbx11k(content: Any) -> bool:
    """Whether it is a COCO file whose categories are those of TBX11K."""
    categories = content.get("categories") if is_coco(content) else None
    names = [each.get("name") for each in categories or () if isinstance(each, dict)]
    return bool(names) and set(map(str, names)) <= _LABELS.keys()


def read_tbx11k(path: Path, content: dict, images: Path | None = None) -> Iterator[Row]:
    """The films in the order of the file."""
    named = [each | {"name": _LABELS[each["name"]]} for each in content["categories"]]
    for row in read_coco(path, content | {"categories": named}, images):
        folder = next(iter(path_parts(row.name)[:-1]), "")
        yield replace(
            row,
            labels=row.labels or _WITHOUT_A_BOX.get(folder),
            source="TBX11K",
            modality="chest_xray",
            drawn_on=row.drawn_on or (_SIDE, _SIDE),
        )
