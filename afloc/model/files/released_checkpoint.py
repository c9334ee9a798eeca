"""Checkpoints of the authors' released code: a Lightning container with an OmegaConf config in it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from afloc.errors import ModelError
from afloc.model.config import ModelConfig
from afloc.model.files.hub import download
from afloc.model.files.torch_pickle import Container, StoredTensor, lookup
from afloc.model.network import AFLoc
from afloc.model.tokenizer import WordPieceTokenizer

_TEXT_FILES = ("config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json")
_REQUIRED = {
    "model.vision.model_name": "resnet_50",
    "model.text.aggregate_method": "sum",
    "model.text.agg_tokens": True,
    "model.text.norm": False,
    "transforms.norm": "half",
}


def read_released(path: Path) -> tuple[AFLoc, WordPieceTokenizer]:
    """Read a released `.ckpt`; nothing in it is run.

    The text encoder's config and vocabulary are looked for in the folder that the checkpoint names, in
    `bert/` beside it, and on the Hugging Face hub. Raises ModelError, one sentence.
    """
    with Container(path) as container:
        hyper = lookup(container.tree, "hyper_parameters")
        state = lookup(container.tree, "state_dict")
        if not isinstance(state, dict) or hyper is None:
            raise ModelError(
                f"{path.name} is a PyTorch file but no checkpoint of AFLoc: it lacks state_dict or "
                "hyper_parameters."
            )
        for key, value in _REQUIRED.items():
            if (found := lookup(hyper, key, value)) != value:
                raise ModelError(f"{path.name} has {key} = {_short(found)}; only {value} is supported.")
        bert = _find_text_files(path, lookup(hyper, "model.text.bert_type"))
        config = _config(path, container.tree, hyper, bert)
        with torch.device("meta"):
            network = AFLoc(config)
        ours = any(isinstance(key, str) and key.startswith("afloc.") for key in state)
        prefix = "afloc." if ours else ""
        weights = read_weights(container, state, network, lambda name: prefix + released_name(name))
        network.load_state_dict(weights, assign=True)
    tokenizer = WordPieceTokenizer.read(bert, config.max_tokens, config.text_encoder["vocab_size"])
    return network.eval(), tokenizer


def _config(path: Path, tree: Any, hyper: Any, bert: Path) -> ModelConfig:
    try:
        text_encoder = json.loads((bert / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ModelError(f"The text encoder's config.json in {bert} cannot be read.") from None
    values = {
        "name": path.stem,
        "version": f"step {lookup(tree, 'global_step', 'unknown')}",
        "backbone": "resnet50",
        "image_size": 224,
        "encoder_size": 299,
        "normalisation": "half",
        "text_encoder": text_encoder,
        "last_n_layers": lookup(hyper, "model.text.last_n_layers"),
        "embedding_dim": lookup(hyper, "model.text.embedding_dim"),
        "max_tokens": lookup(hyper, "data.text.word_num"),
        "modalities": ["chest_xray"],  # what its one data module reads
        "temp1": lookup(hyper, "model.afloc.temp1", 4.0),
        "temp2": lookup(hyper, "model.afloc.temp2", 5.0),
        "temp3": lookup(hyper, "model.afloc.temp3", 10.0),
        "released": True,
    }
    return ModelConfig.from_dict(values, f"The config in {path.name}")


def _find_text_files(path: Path, bert_type: Any) -> Path:
    if not isinstance(bert_type, str) or not bert_type or "\0" in bert_type:
        raise ModelError(f"{path.name} does not name its text encoder (model.text.bert_type).")
    for folder in (Path(bert_type), path.parent / bert_type, path.parent / "bert"):
        if (folder / "config.json").is_file():
            return folder
    return download(
        bert_type,
        _TEXT_FILES,
        f"the text encoder of {path.name}, or put its files into {path.parent / 'bert'}",
    )


def read_weights(
    container: Container, state: dict, network: nn.Module, name_of: Callable[[str], str]
) -> dict[str, torch.Tensor]:
    """The tensors of `network`, each by the name that `name_of` gives it in `state`, a part of the container.

    Raises ModelError, which names the first that is missing or has another shape.
    """
    weights = {}
    for name, expected in network.state_dict().items():
        theirs = name_of(name)
        stored = state.get(theirs)
        if not isinstance(stored, StoredTensor):
            raise ModelError(f"{container.name} lacks the tensor {theirs}.")
        if tuple(stored.shape) != tuple(expected.shape):
            raise ModelError(
                f"The tensor {theirs} in {container.name} is {_shape(stored.shape)}, "
                f"but the model needs {_shape(expected.shape)}."
            )
        weights[name] = container.tensor(stored).to(expected.dtype)
    return weights


_RENAMES = (
    (r"^text_encoder\.bert\.", r"text_encoder.model."),
    (r"^image_encoders\.chest_xray\.global_projection\.", r"img_encoder.global_embedder."),
    (r"^image_encoders\.chest_xray\.deep_projection\.", r"img_encoder.local_embedder."),
    (r"^image_encoders\.chest_xray\.shallow_projection\.", r"img_encoder.local2_embedder."),
    (r"^image_encoders\.chest_xray\.backbone\.network\.", r"img_encoder.model."),
)
_RESNET_RENAMES = (
    (r"embedder\.embedder\.convolution", r"conv1"),
    (r"embedder\.embedder\.normalization", r"bn1"),
    (r"\.shortcut\.convolution", r".downsample.0"),
    (r"\.shortcut\.normalization", r".downsample.1"),
)


def released_name(name: str) -> str:
    """What a tensor of ours is called in the released code, its `afloc.` prefix left out."""
    for pattern, replacement in _RENAMES:
        name = re.sub(pattern, replacement, name)
    return torchvision_name(name)


def torchvision_name(name: str) -> str:
    """What a tensor of transformers' ResNetModel is called in torchvision's ResNet."""
    for pattern, replacement in _RESNET_RENAMES:
        name = re.sub(pattern, replacement, name)
    # Stages and convolutions count from 0 here, from 1 there.
    name = re.sub(r"encoder\.stages\.(\d)\.layers", lambda m: f"layer{int(m[1]) + 1}", name)
    name = re.sub(r"layer\.(\d)\.convolution", lambda m: f"conv{int(m[1]) + 1}", name)
    return re.sub(r"layer\.(\d)\.normalization", lambda m: f"bn{int(m[1]) + 1}", name)


def _shape(shape: tuple) -> str:
    return " x ".join(str(n)[:20] for n in tuple(shape)[:8]) or "a single number"


def _short(value: Any) -> str:
    return repr(value)[:60] if isinstance(value, (str, int, float, bool)) else "something else"
