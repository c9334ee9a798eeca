"""What the page offers to someone without an image or words of their own."""

import base64
import io

import PIL.Image
import PIL.ImageOps

from afloc.examples import EXAMPLES
from afloc.findings import load_findings

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


def offer_examples() -> list[dict[str, str]]:
    """The example images: name, title and a thumbnail as a data URL."""
    return [{"name": each.name, "title": each.title, "thumbnail": _thumbnail(each)} for each in EXAMPLES]


def _thumbnail(example) -> str:
    out = io.BytesIO()
    picture = PIL.ImageOps.fit(PIL.Image.fromarray(example.load().rgb()), THUMBNAIL)
    picture.save(out, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
