"""Load the model that a source names: one of ours, or a peer."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from afloc.errors import ModelError
from afloc.evaluation.peers import biovil_encoders as biovil
from afloc.evaluation.peers.biovil import BioViLT
from afloc.evaluation.peers.dual_encoder import DualEncoder
from afloc.inference.model import load_model
from afloc.model.device import choose_device
from afloc.model.files.hub import download

if TYPE_CHECKING:
    from afloc.evaluation.peers.peer import Peer
    from afloc.inference.model import Model


TYPES = ("clip", "metaclip_2", "siglip", "vision-text-dual-encoder", biovil.TYPE)
_SMALL_FILES = ("*.json", "*.txt", "*.model")  # config, preprocessor, tokenizer


def load_any(source: str | Path | None, device: str = "auto") -> "Model | Peer":
    """The model `source` names: one of ours, as `load_model` takes it, or a peer's folder or hf:owner/name.

    Images are not cached: each image of a set is seen once. Raises ModelError, one sentence;
    SettingsError for a device that is not there.
    """
    name, folder = str(source or ""), Path(str(source or "."))
    if name.startswith("hf:"):
        folder = download(name.removeprefix("hf:"), _SMALL_FILES, "the folder of a model on this machine")
    kind = _type_of(folder) if source else None
    if kind is None:
        return load_model(source, device, image_cache_bytes=0)
    if kind not in TYPES:
        raise ModelError(f"Models of type {kind!r} are not read; choose one of {', '.join(TYPES)}.")
    if name.startswith("hf:"):
        files = biovil.FILES if kind == biovil.TYPE else (*_SMALL_FILES, "*.safetensors")
        folder = download(name.removeprefix("hf:"), files, "the folder of a model on this machine")
    place = choose_device(device)
    name = name.removeprefix("hf:")
    if kind == biovil.TYPE:
        return BioViLT(folder, name, place)
    return DualEncoder(folder, kind, name, place)


def _type_of(folder: Path) -> str | None:
    """transformers' name for the kind of model in a folder; None for anything else, ours included."""
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        return None
