"""The example a newcomer sees first."""

from dataclasses import dataclass, field

import numpy as np

from afloc.imaging.examples import EXAMPLES
from afloc.web.tabs.html import colour_maps
from afloc.web.tabs.suggestions import OFFERED, choose_first, offer_examples


def test_the_first_example_is_one_whose_finding_the_model_sees(model):
    first = choose_first(model)
    seen = [each for each in OFFERED if each.modality in model.modalities and sees(model, each)]
    flagged = [
        each for each in seen if model.encode(each.load(), each.modality).locate(each.description).present
    ]
    assert first is (flagged or seen or OFFERED)[0]
    if model.name == "afloc-mini":
        assert first in flagged  # one look at the first screen says what this is
        assert {"chest_xray", "fundus"} == {each.modality for each in flagged}
    offered = [each["name"] for each in offer_examples(model)]
    assert offered[0] == first.name and sorted(offered) == sorted(each.name for each in OFFERED)


def sees(model, example):
    """Not judged absent, and the highest place of the map lies in the example's boxes."""
    image = example.load()
    finding = model.encode(image, example.modality).locate(example.description)
    marked = np.zeros((image.height, image.width), bool)
    for _, x, y, width, height in example.boxes:
        marked[y : y + height, x : x + width] = True
    return finding.present is not False and marked[finding.heatmap == finding.heatmap.max()][0]


@dataclass
class Seer:
    """A model that sees the finding of the images of one modality, high in a place of its own."""

    sees: str
    at: tuple[float, float]
    modalities: tuple[str, ...] = field(default=("chest_xray", "fundus", "histopathology"))

    def encode(self, image, modality):
        self.looking = modality
        self.heatmap = np.zeros((image.height, image.width))
        self.heatmap[int(self.at[0] * image.height), int(self.at[1] * image.width)] = 1
        return self

    def locate(self, description):
        self.present = self.looking == self.sees
        return self


def test_the_first_example_is_one_whose_map_is_right():
    lesions, beside = (0.5, 0.5), (0, 0)
    assert choose_first(Seer("fundus", lesions)).name == "exudates"
    assert choose_first(Seer("fundus", beside)) is EXAMPLES[0]
    assert choose_first(Seer("nothing", lesions)) is EXAMPLES[0]
    assert choose_first(Seer("fundus", lesions, ("chest_xray",))) is EXAMPLES[0]


def test_lightness_rises_along_every_colour_map():
    for name, table in colour_maps().items():
        lightness = table.astype(float) @ [0.299, 0.587, 0.114]
        assert table.shape == (256, 3) and lightness[0] < 40 < 200 < lightness[-1], name
        assert (lightness[8:] - lightness[:-8] > 0).all(), name
