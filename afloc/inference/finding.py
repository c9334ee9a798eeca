"""The answer to one description of one image."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from afloc.errors import ModelError
from afloc.imaging.geometry import Letterbox
from afloc.imaging.heatmap import enlarge, find_regions
from afloc.imaging.regions import Box
from afloc.inference import paper_protocol as paper
from afloc.language.reading import Reading
from afloc.model.tokenizer import Tokens

NOT_FINITE = (
    "The model computed something that is not a number, so there is no answer: "
    "its files may be damaged, so fetch them or make them anew."
)
VERDICTS: Mapping[bool | None, str] = {True: "flagged", False: "not flagged", None: "not judged"}


@dataclass(frozen=True)
class Query:
    """A description, read and tokenized once. `affirmed`: the tokens of what it affirms, which has a place on
    the map. `warning`: a sentence on what the tokens leave out."""

    reading: Reading
    tokens: Tokens
    affirmed: Tokens
    warning: str | None = None


@dataclass(frozen=True)
class AskedStatement:
    """What a description says of one finding, and whether that holds.

    `status`: "affirmed", "denied", "normal", "structure", "described" or "unknown". `finding`: its id in
    assets/findings. `side`: "left", "right" or "both", of the patient. `hedged`: it is affirmed as possible.
    `probability`, `present`: of the bare finding. `holds`: whether the statement holds; None: not judged.
    """

    status: str
    finding: str | None = None
    name: str | None = None
    side: str | None = None
    zones: tuple[str, ...] = ()
    hedged: bool = False
    probability: float | None = None
    present: bool | None = None
    holds: bool | None = None


@dataclass(frozen=True)
class Asked:
    """What a description was read as: its main statement, which names a finding if any does, and all of
    them in the text's order."""

    status: str
    finding: str | None
    name: str | None
    side: str | None
    zones: tuple[str, ...]
    hedged: bool
    statements: tuple[AskedStatement, ...]


@dataclass(frozen=True)
class Side:
    """Where a finding is seen, beside the side that was named: "left", "right" or "both", of the patient.
    `seen` and `agrees` are None unless the finding is present and its side is decided."""

    named: str
    seen: str | None = None
    agrees: bool | None = None


@dataclass(frozen=True)
class Performance:
    """How the verdict on a finding did on the training patients that were held back.

    `ill`, `healthy`: how many of the images with and without the finding got a probability in each of 20
    equal bins from 0 to 1; of "normal", no verdict has a probability and both are empty. `reliable`: False
    where the verdict misses nearly every case.
    """

    n_present: int
    n_absent: int
    sensitivity: float
    specificity: float
    sensitivity_ci95: tuple[float, float]
    specificity_ci95: tuple[float, float]
    ill: tuple[int, ...] = ()
    healthy: tuple[int, ...] = ()
    reliable: bool = True


@dataclass(frozen=True, eq=False)
class Finding:
    """The answer to one description of one image.

    `score`: 0 … 1, rises with the fit of the whole description. `probability` (0 … 1), `present` and
    `operating_point`, the probability from which on it is, are those of the bare finding that the main
    statement names, whatever else was typed; None where there is nothing to judge or no calibration.
    `grid`: float32 (rows, columns), 0 … 1 on a fixed scale, covers exactly the image; it is never gated by
    `present`. `height`, `width`: of `heatmap`, those of the image.

    `asked`: what the description was read as; None only of a model that reads none. `holds`: whether all it
    says holds: False if one statement does not, else True if one was judged, else None. `side`: where a
    finding is seen whose side was named. `suggestions`: names of known findings, where something was not
    understood. `performance`: of the verdict. `flagged`: names of what speaks against "normal", strongest
    first. `cautions`: sentences that belong wherever the answer is shown.

    `mirrored`: the model saw the image turned over. `query`: the description as it was read.

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
    asked: Asked | None = None
    holds: bool | None = None
    side: Side | None = None
    suggestions: tuple[str, ...] = ()
    performance: Performance | None = None
    flagged: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    letterbox: Letterbox | None = field(default=None, repr=False)
    mirrored: bool = False
    query: Query | None = field(default=None, repr=False)

    def __post_init__(self):
        inside = self.grid if self.letterbox is None else paper.inside(self.grid)
        numbers = self.score, 0.0 if self.probability is None else self.probability
        if not (np.isfinite(inside).all() and all(map(math.isfinite, numbers))):
            raise ModelError(NOT_FINITE)

    @property
    def says_normal(self) -> bool:
        """Whether the description calls the image normal, which is nowhere to be seen in particular."""
        return self.asked is not None and self.asked.status == "normal"

    @property
    def warning(self) -> str | None:
        """The cautions in one text; None where there are none."""
        return " ".join(self.cautions) or None

    @property
    def verdict(self) -> str:
        """ "flagged", "not flagged" or "not judged", of the bare finding; "not judged reliably" where it is
        not flagged and hardly ever would be; of "normal": "nothing flagged" or "flagged: …"."""
        if self.says_normal and self.holds is not None:
            return "nothing flagged" if self.holds else f"flagged: {', '.join(self.flagged)}"
        if self.present is False and self.performance is not None and not self.performance.reliable:
            return "not judged reliably"
        return VERDICTS[self.present]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What belongs beside the verdict in words: that an absence was asked for, where a finding is seen
        whose side was named, and the cautions."""
        said = []
        if self.asked is not None and self.asked.status == "denied" and self.probability is not None:
            name = (self.asked.name or "").capitalize()
            said.append(f"You asked for its absence. {name}: {self.verdict}, {self.probability:.2f}.")
        if self.side is not None and self.side.seen is not None:
            seen = "on both sides" if self.side.seen == "both" else f"on the {self.side.seen}"
            but = (
                ""
                if self.side.agrees
                else f"; you named {'both sides' if self.side.named == 'both' else f'the {self.side.named}'}"
            )
            said.append(f"It is seen {seen} of the patient{but}.")
        return (*said, *self.cautions)

    def as_json(self) -> dict[str, Any]:
        """All of it but the map, as result.json, /locate and the page have it; `warning` only if there is
        one."""
        keys = ("text", "score", "probability", "present", "operating_point", "holds")
        answer = {key: getattr(self, key) for key in keys}
        for key in ("asked", "side", "performance"):
            value = getattr(self, key)
            answer[key] = None if value is None else asdict(value)
        answer |= {key: list(getattr(self, key)) for key in ("suggestions", "flagged", "cautions")}
        return answer | ({"warning": self.warning} if self.warning else {})

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
        strongest first; `score` is the map's maximum in a part. None of "normal", which has no place."""
        if self.says_normal:
            return ()
        regions = find_regions(self.heatmap, threshold)
        if self.letterbox is None:
            return regions
        return tuple(filter(None, (_region_on_image(region, self.letterbox) for region in regions)))

    def evidence(self) -> np.ndarray:
        """The map as it is painted over the image: float32 0 … 1, covering exactly the image; all 0 for
        "normal", which has no place."""
        if self.says_normal:
            return np.zeros_like(
                self.heatmap if self.letterbox is None else self.letterbox.crop(self.heatmap)
            )
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
