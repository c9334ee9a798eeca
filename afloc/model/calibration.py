"""What turns a trained model's cosines into maps, scores and verdicts on fixed scales, for one modality.

`afloc.training.fit.calibration` fits it to a trained model. In the model's config.json some keys have other
names, which the fields give as their alias; a key that is missing there has the default given here.
"""

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter

from afloc.errors import ModelError
from afloc.schema import CLOSED, check

OTHER = "other"  # the operating point of descriptions that name no finding of a family with one of its own
BINS = 20  # of the histograms of probabilities
RETIRED = ("localizes", "sides")  # keys of earlier versions that say nothing any more

Share = Annotated[float, Field(ge=0, le=1)]
AnatomyWeight = Annotated[float, Field(ge=0, le=4)]
MapDetail = Annotated[int, Field(ge=1, le=4)]


@dataclass(frozen=True)
class LevelScale:
    """A level's cosine as a logit: scale * cosine + bias."""

    __pydantic_config__ = CLOSED

    scale: float
    bias: float


@dataclass(frozen=True)
class Levels:
    """The scales of the three levels, learned with the weights."""

    __pydantic_config__ = CLOSED

    word: LevelScale
    sentence: LevelScale
    report: LevelScale

    @classmethod
    def alike(cls, scale: float, bias: float) -> Self:
        """The same scale and bias at every level."""
        return cls(*[LevelScale(scale, bias)] * 3)


@dataclass(frozen=True)
class MapRange:
    """The range of the model's own maps that becomes 0 … 1."""

    __pydantic_config__ = CLOSED

    floor: float
    top: float

    def __post_init__(self) -> None:
        if not self.floor < self.top:
            raise ValueError("top must be more than floor")


@dataclass(frozen=True)
class OperatingPoint:
    """From a score to a verdict: Platt's slope and intercept give the probability, which is present from
    `threshold` up. `sensitivity` and `specificity` are those reached where it was fitted."""

    __pydantic_config__ = CLOSED

    slope: float
    intercept: float
    threshold: Share
    sensitivity: Share | None = None
    specificity: Share | None = None

    def judge(self, logit: float) -> tuple[float, bool]:
        """The probability that the finding is there, from the logit of its score, and the verdict."""
        probability = 1 / (1 + math.exp(-max(-60.0, min(60.0, self.slope * logit + self.intercept))))
        return probability, probability >= self.threshold

    def excess(self, logit: float) -> float:
        """How far the probability lies above the threshold, both as logits."""
        threshold = min(max(self.threshold, 1e-9), 1 - 1e-9)
        return self.slope * logit + self.intercept - math.log(threshold / (1 - threshold))


Counts = tuple[Annotated[int, Field(ge=0)], ...]


@dataclass(frozen=True)
class VerdictCounts:
    """How verdicts on one finding went on images that were held back from training.

    `n_present`, `n_absent`: images with and without the finding; `hits`, `rejections`: those of them that
    were judged so. `ill`, `healthy`: of the images with and without it, how many got a probability in each of
    BINS equal bins from 0 to 1; empty where verdicts have no probability.
    """

    __pydantic_config__ = CLOSED

    n_present: Annotated[int, Field(ge=0)]
    n_absent: Annotated[int, Field(ge=0)]
    hits: Annotated[int, Field(ge=0)]
    rejections: Annotated[int, Field(ge=0)]
    ill: Counts = ()
    healthy: Counts = ()

    def __post_init__(self) -> None:
        if self.hits > self.n_present or self.rejections > self.n_absent:
            raise ValueError("hits and rejections must not be more than n_present and n_absent")
        if {len(self.ill), len(self.healthy)} not in ({0}, {BINS}):
            raise ValueError(f"ill and healthy must have {BINS} numbers each")


@dataclass(frozen=True)
class SideMargin:
    """How a finding's side is read from its map: the map's squares are summed on each side of the patient,
    and the side is decided where the difference, as a share of the sum, is at least `margin`.

    `right`: the share of decided sides that is expected to be right, from the `n` held-back reports that name
    one and those of similar findings.
    """

    __pydantic_config__ = CLOSED

    margin: Share
    right: Share
    n: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Normality:
    """When an image holds for normal: where none of `findings` lies `threshold` or more above its operating
    point, as logits (`OperatingPoint.excess`). `performance`: images that have one of them count as
    present."""

    __pydantic_config__ = CLOSED

    findings: tuple[str, ...]
    threshold: float
    performance: VerdictCounts


@dataclass(frozen=True)
class TrainingDistribution:
    """Where vectors of training images lie, each made a unit vector first.

    `mean`, `deviation`: of each of the D numbers. `limit`: how far from the mean a vector may lie, as
    `afloc.inference.appearance.feature_distance` measures it. `level`: which vector of an image: the mean of
    its "shallow" local features, or the "global" one, as before version 0.8.
    """

    __pydantic_config__ = CLOSED

    mean: tuple[float, ...]
    deviation: tuple[Annotated[float, Field(gt=0)], ...]
    limit: Annotated[float, Field(gt=0)]
    level: Literal["global", "shallow"] = "global"

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.deviation):
            raise ValueError("deviation must be as long as mean")


@dataclass(frozen=True)
class Calibration:
    """The calibration of one modality; `Calibration()` is that of a model without one.

    `smoothing`: the sigma of the Gaussian that smooths maps, as a share of their side. `word_weight`: the
    share of the word level in maps; words alone find little, but they sharpen what the sentences find.
    `sentence_weight`: the share of the sentence level in scores. `presence`: operating points by family of
    findings, with one for all others; None: no verdicts. `unreliable_maps`: ids of findings whose maps do not
    find the place.

    `anatomy_weight`: how much of the log odds that anatomy gives a place are added to the logits of a map
    (`afloc.inference.anatomy`): 1 takes them whole, None or 0 not at all, as before version 0.9.

    `precise_weight`: the share of the precise sentences of the findings that a description names in what its
    map is asked by; the rest is the description. `map_detail`: cells of a map along one cell of the shallow
    features. `turned`: images are looked at in four quarter turns (`afloc.model.image_encoder.seen_turned`),
    by scores and doubts too. Without the three all is as before version 0.9.1.

    `finding_points`: operating points of single findings, which outdo those of their families. `performance`:
    by finding, how verdicts on it went. `side_margins`: the findings whose side is judged. `normality`: when
    an image holds for normal; None: that is not judged. `known_words`: those of the reports it learned from.
    """

    __pydantic_config__ = CLOSED

    levels: Levels = Levels.alike(10.0, 0.0)
    smoothing: Annotated[float, Field(ge=0, le=1)] = 1.5 / 19  # that of the published maps: 1.5 of 19 cells
    word_weight: Annotated[Share, Field(alias="words")] = 0.25
    sentence_weight: Annotated[Share, Field(alias="local")] = 0.0
    map_range: Annotated[MapRange, Field(alias="map")] = MapRange(0.0, 1.0)
    presence: Mapping[str, OperatingPoint] | None = None
    training_distribution: Annotated[TrainingDistribution | None, Field(alias="known")] = None
    unreliable_maps: Annotated[tuple[str, ...], Field(alias="unplaced")] = ()
    finding_points: Mapping[str, OperatingPoint] | None = None
    performance: Mapping[str, VerdictCounts] | None = None
    side_margins: Mapping[str, SideMargin] | None = None
    normality: Normality | None = None
    known_words: tuple[str, ...] | None = None
    anatomy_weight: Annotated[AnatomyWeight | None, Field(alias="anatomy")] = None
    precise_weight: Annotated[Share, Field(alias="precise")] = 0.0
    map_detail: Annotated[MapDetail, Field(alias="detail")] = 1
    turned: bool = False

    def __post_init__(self) -> None:
        if self.presence is not None and OTHER not in self.presence:
            raise ValueError(f"presence.{OTHER} is missing")

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """`known_words` as a set."""
        return frozenset(self.known_words or ())

    def operating_point(self, finding: str, family: str) -> OperatingPoint | None:
        """The operating point of a finding: its own, that of its family, or that of all others."""
        if self.presence is None:
            return None
        own = (self.finding_points or {}).get(finding)
        return own or self.presence.get(family, self.presence[OTHER])

    @classmethod
    def from_dict(cls, values: Any, source: str = "The calibration") -> Self:
        """A calibration as config.json has it; ModelError names the first key that is wrong."""
        checked = values
        if isinstance(values, dict):
            checked = {name: value for name, value in values.items() if name not in RETIRED}
            presence = checked.get("presence")
            if isinstance(presence, dict) and "slope" in presence:  # of version 0.1: one for all findings
                checked["presence"] = {OTHER: presence}
        found = check(cls, checked, source, ModelError)
        object.__setattr__(found, "_written", deepcopy(values))
        return found

    def to_dict(self) -> dict[str, Any]:
        """The calibration for config.json; of one that was read there, what was written, to the letter: the
        model's fingerprint is a hash of it."""
        if self._written is not None:
            return deepcopy(self._written)
        return _TYPE.dump_python(self, mode="json", by_alias=True, exclude_none=True)

    _written = None  # what `from_dict` read; a changed copy (`dataclasses.replace`) has none


_TYPE = TypeAdapter(Calibration)
UNCALIBRATED = Calibration()
