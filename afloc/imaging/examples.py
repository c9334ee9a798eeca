"""Images to try AFLoc on, without a download: of scikit-image, one with drawn lesions; a chest phantom."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from skimage import data

from afloc.imaging import chest_phantom as phantom
from afloc.imaging.fundus_lesions import draw_exudates
from afloc.imaging.image import Image, image_from_array


@dataclass(frozen=True)
class Example:
    """An image with a description to begin with.

    ``modality``: its id, as `afloc.language.modalities` lists it. ``pixels``: makes them, in about a second.
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
        """The image; drawn or read once."""
        return _load(self)


@functools.cache
def _load(example: Example) -> Image:
    return image_from_array(example.pixels())


EXAMPLES = (
    Example(
        name="chest_film",
        title="Chest film (synthetic)",
        modality="chest_xray",
        description="left pleural effusion",
        pixels=phantom.draw_chest_film,
        boxes=(("Effusion", *phantom.EFFUSION_BOX),),
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
        title="Colon tissue (scikit-image)",
        modality="histopathology",
        description="cell nuclei",
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
        description="hard exudates",
        pixels=lambda: draw_exudates(data.retina(), centre=(705, 705), radius=160),
        boxes=(("Hard exudates", 500, 472, 400, 422),),
    ),
)


def load_example(name: str) -> Image:
    """The image of an example."""
    return next(each for each in EXAMPLES if each.name == name).load()
