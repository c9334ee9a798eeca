"""What the page offers to someone without an image or words of their own."""

import base64
import io

import numpy as np
import PIL.Image
import PIL.ImageOps

from afloc.imaging.examples import EXAMPLES, Example, load_example
from afloc.inference.finding import Finding
from afloc.inference.model import Model
from afloc.language.findings import FindingEntry, load_findings
from afloc.language.modalities import MODALITIES

THUMBNAIL = 232, 108  # pixels
OFFERED = tuple(each for each in EXAMPLES if each.offered)


def offer_descriptions() -> dict[str, dict[str, list]]:
    """Descriptions of each modality's pathologies: `simple` names them, `precise` says how they look.

    `about`, for the pointer: other words for each, and where a reader would look. `terms`: all names of each,
    the first of which is `simple`.
    """
    offers: dict[str, dict[str, list]] = {}
    for modality in MODALITIES:
        pathologies = [entry for entry in load_findings(modality).values() if not entry.normal]
        offers[modality] = {
            "simple": [entry.name for entry in pathologies],
            "precise": [entry.precise for entry in pathologies],
            "about": [_describe_entry(entry) for entry in pathologies],
            "terms": [[entry.name, *entry.synonyms] for entry in pathologies],
        }
    return offers


def _describe_entry(entry: FindingEntry) -> str:
    return f"{', '.join(entry.terms)}.\nWhere to look: {entry.where[0].lower()}{entry.where[1:]}"


def offer_examples(model: Model) -> list[dict[str, str]]:
    """The example images, the one to begin with first: name, title and a thumbnail as a data URL."""
    first = choose_first(model)
    return [
        {"name": each.name, "title": each.title, "thumbnail": _thumbnail(each)}
        for each in sorted(OFFERED, key=lambda each: each is not first)
    ]


def choose_first(model: Model) -> Example:
    """The example that shows a newcomer most: the first whose finding the model flags and sees where it is,
    the highest place of its map being in the example's ground truth; else the first whose map does so; else
    the first of all: the page then says what the model makes of it.
    """
    placed = []
    for example in OFFERED:
        if example.modality not in model.modalities:
            continue
        view = model.encode(load_example(example.name), example.modality)
        finding = view.locate(example.description)
        if _points_at(finding, example) and finding.present is not False:
            if finding.present:
                return example
            placed.append(example)
    return (placed or OFFERED)[0]


def _points_at(finding: Finding, example: Example) -> bool:
    row, column = np.unravel_index(finding.heatmap.argmax(), finding.heatmap.shape)
    return any(x <= column < x + w and y <= row < y + h for _, x, y, w, h in example.boxes)


def _thumbnail(example: Example) -> str:
    out = io.BytesIO()
    picture = PIL.ImageOps.fit(PIL.Image.fromarray(load_example(example.name).rgb()), THUMBNAIL)
    picture.save(out, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
