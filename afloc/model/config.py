"""The configuration of a model, as its config.json holds it."""

import json
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import NoReturn

from afloc.errors import ModelError
from afloc.language.modalities import MODALITIES
from afloc.model.calibration import Calibration

BACKBONES = ("resnet50", "efficientnet_lite0")
NORMALISATIONS = ("half", "lite")

_BERT_LIMITS = {
    "vocab_size": 1_000_000,
    "hidden_size": 8192,
    "num_hidden_layers": 96,
    "num_attention_heads": 128,
    "intermediate_size": 65_536,
    "max_position_embeddings": 65_536,
}
_BERT_OPTIONAL = (
    "type_vocab_size",
    "hidden_act",
    "layer_norm_eps",
    "pad_token_id",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
)


@dataclass(frozen=True)
class ModelConfig:
    """`config.json` of a model folder, and the `[model]` table of a recipe.

    `backbone` is one of BACKBONES; `backbone_options` are overrides of its shape (`hidden_sizes`, `depths`
    and `embedding_size` of a ResNet). An image is letterboxed to `image_size` pixels a side, or to what
    `image_sizes` says for its modality, normalised ("half": (x / 255 - 0.5) / 0.5, "lite": (x - 127) / 128),
    and inside the encoder enlarged to `encoder_size` if that is given. The global vector of a modality in
    `global_grids` is read from the deep map, in so many cells a side, and no layer after that one is there
    (EfficientNet-Lite0 only); of the others, from the last layer's mean. `text_encoder` is a plain BERT
    config; text embeddings sum its `last_n_layers` layers, and `max_tokens` counts [CLS] and [SEP]. `temp1`
    sharpens the attention over regions, `temp2` weighs a unit's fit, `temp3` scales the scores of the losses.
    `released` marks weights of the authors' released code: protocol `paper` then prepares images and texts as
    that code does. `calibration` is by modality.
    """

    name: str
    version: str
    backbone: str
    image_size: int
    normalisation: str
    text_encoder: dict
    last_n_layers: int
    embedding_dim: int
    max_tokens: int
    modalities: tuple[str, ...]
    backbone_options: dict = field(default_factory=dict)
    encoder_size: int | None = None
    image_sizes: dict = field(default_factory=dict)
    global_grids: dict = field(default_factory=dict)
    temp1: float = 4.0
    temp2: float = 5.0
    temp3: float = 10.0
    released: bool = False
    calibration: Mapping[str, Calibration] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "modalities", tuple(self.modalities))
        object.__setattr__(self, "text_encoder", plain_bert_config(self.text_encoder))
        object.__setattr__(self, "calibration", _read_calibrations(self.calibration))
        bert = self.text_encoder
        _one_of("backbone", self.backbone, BACKBONES)
        _one_of("normalisation", self.normalisation, NORMALISATIONS)
        for modality in self.modalities:
            _one_of("modality", modality, MODALITIES)
        _within("image_size", self.image_size, 32, 4096)
        for modality, size in self.image_sizes.items():
            _one_of("modality of image_sizes", modality, self.modalities)
            _within(f"image_sizes.{modality}", size, 32, 4096)
        for modality in self.calibration or ():
            _one_of("modality of calibration", modality, self.modalities)
        for modality, grid in self.global_grids.items():
            _one_of("modality of global_grids", modality, self.modalities)
            _one_of("backbone of global_grids", self.backbone, ("efficientnet_lite0",))
            _within(f"global_grids.{modality}", grid, 1, self.side(modality) // 16 - 2)
        if self.encoder_size is not None:
            _within("encoder_size", self.encoder_size, 32, 4096)
        _within("embedding_dim", self.embedding_dim, 1, 8192)
        _within("last_n_layers", self.last_n_layers, 1, bert["num_hidden_layers"] + 1)
        _within("max_tokens", self.max_tokens, 3, bert["max_position_embeddings"])
        if bert["hidden_size"] != self.embedding_dim:
            raise ModelError(
                f"embedding_dim ({self.embedding_dim}) must equal the text encoder's hidden_size "
                f"({bert['hidden_size']}): text embeddings are not projected."
            )

    def side(self, modality: str) -> int:
        """Pixels a side of the square that the image encoder of a modality sees."""
        return self.image_sizes.get(modality, self.image_size)

    @classmethod
    def from_dict(cls, values: dict, source: str = "The model's config") -> "ModelConfig":
        """Check names and types of `values`; ModelError names every key that is unknown, missing or
        mistyped."""
        if not isinstance(values, dict):
            raise ModelError(f"{source} must be an object of names and values.")
        known = {f.name: f for f in fields(cls)}
        if unknown := sorted(values.keys() - known.keys()):
            raise ModelError(
                f"{source} has unknown keys ({', '.join(unknown)}); known are {', '.join(known)}."
            )
        required = {n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
        if missing := sorted(required - values.keys()):
            raise ModelError(f"{source} lacks {', '.join(missing)}.")
        for name, value in values.items():
            if not isinstance(value, _TYPES[name]) or (isinstance(value, bool) and name != "released"):
                raise ModelError(
                    f"{source} has {name} = {json.dumps(value, default=str)[:80]}, of the wrong type."
                )
        calibration = _read_calibrations(values.get("calibration"), f"{source}: ")
        return cls(**values | {"calibration": calibration})

    @classmethod
    def read(cls, path: Path) -> "ModelConfig":
        """Read config.json; ModelError where it is absent, broken or incomplete."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        except FileNotFoundError:
            raise ModelError(f"The model folder {path.parent} has no {path.name}.") from None
        except (ValueError, RecursionError, OSError) as error:
            raise ModelError(f"{path} cannot be read as JSON ({type(error).__name__}).") from None
        return cls.from_dict(values, str(path))

    def to_json(self) -> str:
        values = dict(vars(self))
        if self.calibration is not None:
            values["calibration"] = {name: each.to_dict() for name, each in self.calibration.items()}
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _read_calibrations(values: Mapping | None, before: str = "") -> dict[str, Calibration] | None:
    """The calibration of each modality; those that are still as config.json has them are checked."""
    if values is None:
        return None
    return {
        name: each
        if isinstance(each, Calibration)
        else Calibration.from_dict(each, f"{before}calibration.{name}")
        for name, each in values.items()
    }


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON's")  # NaN, Infinity: Python would take them


_NUMBER = (int, float)
_TYPES: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "version": str,
    "backbone": str,
    "image_size": int,
    "normalisation": str,
    "text_encoder": dict,
    "last_n_layers": int,
    "embedding_dim": int,
    "max_tokens": int,
    "modalities": (list, tuple),
    "backbone_options": dict,
    "encoder_size": (int, type(None)),
    "image_sizes": dict,
    "global_grids": dict,
    "temp1": _NUMBER,
    "temp2": _NUMBER,
    "temp3": _NUMBER,
    "released": bool,
    "calibration": (dict, type(None)),
}


def plain_bert_config(values: dict) -> dict:
    """Keep of a BERT config what shapes the network; ModelError where a size is missing or absurd."""
    for key, limit in _BERT_LIMITS.items():
        if key not in values:
            raise ModelError(f"The text encoder's config lacks {key}.")
        _within(f"the text encoder's {key}", values[key], 1, limit)
    if values["hidden_size"] % values["num_attention_heads"]:
        raise ModelError("The text encoder's hidden_size must be a multiple of num_attention_heads.")
    return {key: values[key] for key in (*_BERT_LIMITS, *_BERT_OPTIONAL) if key in values}


def _within(name: str, value, low: int, high: int) -> None:
    if not isinstance(value, int) or not low <= value <= high:
        raise ModelError(f"{name} must be a whole number from {low} to {high}, not {value!r}.")


def _one_of(name: str, value: str, names: Collection[str]) -> None:
    if value not in names:
        raise ModelError(f"{name} must be one of {', '.join(names)}, not {value!r}.")
