"""The answer to one description of one image."""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from afloc.errors import ModelError
from afloc.imaging.geometry import Letterbox
from afloc.imaging.heatmap import enlarge, find_regions
from afloc.imaging.regions import Box
from afloc.inference import paper_protocol as paper
from afloc.language.descriptions import ReadText
from afloc.model.tokenizer import Tokens

NOT_FINITE = (
    "The model computed something that is not a number, so there is no answer: "
    "its files may be damaged, so fetch them or make them anew."
)


@dataclass(frozen=True)
class Query:
    """A description, read and tokenized once. `affirmed`: the tokens of what it affirms, which has a place on
    the map. `warning`: a sentence on what the tokens leave out."""

    read: ReadText
    tokens: Tokens
    affirmed: Tokens
    warning: str | None


@dataclass(frozen=True, eq=False)
class Finding:
    """The answer to one description of one image.

    `score`: 0 … 1, rises with the fit of the whole description. `probability` (0 … 1), `present` and
    `operating_point`, the probability from which on it is, come from the model's calibration and are None
    without one. `grid`: float32 (rows, columns), 0 … 1 on a fixed scale, covers exactly the image; it is
    never gated by `present`. `height`, `width`: of `heatmap`, those of the image. `warning`: a sentence on
    what the answer leaves out. `mirrored`: the model saw the image turned over. `query`: the description as
    it was read.

    Under protocol `paper`, `score` is the raw cosine, and `grid` and `heatmap` are the published map: (224,
    224) over the letterboxed square, -1 … 1, NaN in the margin; `letterbox` leads back to the image.

    Every number but that margin is finite: ModelError where a model computes anything else.
    """

    text: str
    score: float
    probability: float | None
    present: bool | None
    grid: np.ndarray = field(repr=False)
    height: int
    width: int
    operating_point: float | None = None
    warning: str | None = None
    letterbox: Letterbox | None = field(default=None, repr=False)
    mirrored: bool = False
    query: Query | None = field(default=None, repr=False)

    def __post_init__(self):
        inside = self.grid if self.letterbox is None else paper.inside(self.grid)
        numbers = self.score, 0.0 if self.probability is None else self.probability
        if not (np.isfinite(inside).all() and all(map(math.isfinite, numbers))):
            raise ModelError(NOT_FINITE)

    @cached_property
    def heatmap(self) -> np.ndarray:
        """The map at full size, float32 (height, width)."""
        if self.letterbox:
            return self.grid
        if self.mirrored:  # enlarged as the model saw it, so that not a digit depends on how a film hangs
            return enlarge(self.grid[:, ::-1], self.height, self.width)[:, ::-1]
        return enlarge(self.grid, self.height, self.width)

    def regions(self, threshold: float = 0.5) -> tuple[Box, ...]:
        """The boxes around the connected parts of the map from `threshold` up, in pixels of the image,
        strongest first; `score` is the map's maximum in a part."""
        regions = find_regions(self.heatmap, threshold)
        if self.letterbox is None:
            return regions
        return tuple(filter(None, (_region_on_image(region, self.letterbox) for region in regions)))

    def evidence(self) -> np.ndarray:
        """The map as it is painted over the image: float32 0 … 1, covering exactly the image."""
        if self.letterbox is None:
            return self.heatmap
        return self.letterbox.crop(np.nan_to_num((self.heatmap + 1) / 2))


def _region_on_image(region: Box, letterbox: Letterbox) -> Box | None:
    x, y, width, height = letterbox.unbox(region)
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + width, letterbox.width), min(y + height, letterbox.height)
    if right <= left or bottom <= top:
        return None
    return Box(left, top, right - left, bottom - top, region.score)
