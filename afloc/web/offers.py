"""What the page offers to someone without an image or words of their own."""

import base64
import functools
import io

import PIL.Image
import PIL.ImageOps

from afloc.examples import EXAMPLES, Example
from afloc.findings import load_findings
from afloc.locate import Model

THUMBNAIL = 232, 108  # pixels
MODALITIES = {"chest_xray": "chest film", "fundus": "eye fundus", "histopathology": "tissue section"}


def offer_descriptions() -> dict[str, dict[str, list[str]]]:
    """Descriptions of each modality's pathologies: `simple` names them, `precise` says how they look."""
    offers = {}
    for modality in MODALITIES:
        pathologies = [entry for entry in load_findings(modality).values() if not entry.normal]
        offers[modality] = {
            "simple": [entry.name for entry in pathologies],
            "precise": [entry.precise for entry in pathologies],
        }
    return offers


@functools.cache
def load_example(name: str):
    """The image of an example; drawn or read once."""
    return next(each for each in EXAMPLES if each.name == name).load()


def offer_examples(model: Model) -> list[dict[str, str]]:
    """The example images, the one to begin with first: name, title and a thumbnail as a data URL."""
    first = choose_first(model)
    return [
        {"name": each.name, "title": each.title, "thumbnail": _thumbnail(each)}
        for each in sorted(EXAMPLES, key=lambda each: each is not first)
    ]


def choose_first(model: Model) -> Example:
    """The first example, in their order, that the model was trained for and whose finding it sees.

    The first of all where it sees none of them: the page then says so.
    """
    for example in EXAMPLES:
        if example.modality not in model.modalities:
            continue
        if model.encode(load_example(example.name), example.modality).locate(example.description).present:
            return example
    return EXAMPLES[0]


def _thumbnail(example: Example) -> str:
    out = io.BytesIO()
    picture = PIL.ImageOps.fit(PIL.Image.fromarray(load_example(example.name).rgb()), THUMBNAIL)
    picture.save(out, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
