"""Images to try AFLoc on, without a download: of scikit-image, one with drawn lesions; a chest phantom.

What is drawn lies in assets/examples, as `afloc.imaging.draw_examples` wrote it.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
from skimage import data

from afloc.imaging.image import Image, image_from_array
from afloc.resources import ASSETS


@dataclass(frozen=True)
class Example:
    """An image with a description to begin with.

    ``modality``: its id, as `afloc.language.modalities` lists it. ``pixels``: reads them.
    ``boxes``: ground truth as (label, x, y, width, height) in pixels of the image, where it is known.
    ``offered``: the page offers it; every example can be named in a study.
    """

    name: str
    title: str
    modality: str
    description: str
    pixels: Callable[[], np.ndarray]
    boxes: tuple[tuple[str, float, float, float, float], ...] = ()
    offered: bool = True

    def load(self) -> Image:
        """The image; read once."""
        return _load(self)


@functools.cache
def _load(example: Example) -> Image:
    return image_from_array(example.pixels())


def drawn_file(name: str) -> Path:
    """Where the picture of an example that is drawn lies."""
    return ASSETS / "examples" / f"{name}.png"


def _read_drawn(name: str) -> np.ndarray:
    with PIL.Image.open(drawn_file(name)) as picture:
        return np.asarray(picture)


EXAMPLES = (
    Example(
        name="chest_film",
        title="Chest film (synthetic)",
        modality="chest_xray",
        description="left pleural effusion",
        pixels=partial(_read_drawn, "chest_film"),
        boxes=(("Effusion", 679, 415, 245, 448),),  # of the fluid in the lung
    ),
    Example(
        name="retina",
        title="Eye fundus (scikit-image)",
        modality="fundus",
        description="optic disc",
        pixels=data.retina,
        boxes=(("Optic disc", 116, 540, 200, 217),),
        offered=False,
    ),
    Example(
        name="immunohistochemistry",
        title="Colon tissue (scikit-image; nothing is flagged)",
        modality="histopathology",
        description="glandular epithelium",
        pixels=data.immunohistochemistry,
        boxes=tuple(
            ("Gland", *box)
            for box in ((0, 0, 275, 262), (272, 0, 190, 298), (252, 302, 132, 206), (0, 145, 160, 367))
        ),
    ),
    Example(
        name="exudates",
        title="Eye fundus (scikit-image, exudates drawn)",
        modality="fundus",
        description="diabetic retinopathy",
        pixels=partial(_read_drawn, "exudates"),
        boxes=(("Hard exudates", 500, 472, 400, 422),),
    ),
)


def load_example(name: str) -> Image:
    """The image of an example."""
    return next(each for each in EXAMPLES if each.name == name).load()
