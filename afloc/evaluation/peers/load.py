"""Load the model that a source names: one of ours, or a peer."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from afloc.errors import ModelError
from afloc.evaluation.peers import biovil_encoders as biovil
from afloc.evaluation.peers.biovil import BioViLT
from afloc.evaluation.peers.dual_encoder import DualEncoder
from afloc.inference.model import load_model
from afloc.model.files.hub import download

if TYPE_CHECKING:
    from afloc.evaluation.peers.peer import Peer
    from afloc.inference.model import Model


TYPES = ("clip", "metaclip_2", "siglip", "vision-text-dual-encoder", biovil.TYPE)
_SMALL_FILES = ("*.json", "*.txt", "*.model")  # config, preprocessor, tokenizer


def load_any(source: str | Path | None, device: str = "auto") -> "Model | Peer":
    """The model `source` names: one of ours, as `load_model` takes it, or a peer's folder or hf:owner/name.

    Images are not cached: each image of a set is seen once. Raises ModelError, one sentence.
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
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelError("There is no GPU that PyTorch can use here: choose the device cpu or auto.")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    name = name.removeprefix("hf:")
    if kind == biovil.TYPE:
        return BioViLT(folder, name, torch.device(device))
    return DualEncoder(folder, kind, name, torch.device(device))


def _type_of(folder: Path) -> str | None:
    """transformers' name for the kind of model in a folder; None for anything else, ours included."""
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        return None
