"""Models on disk: a folder of our own, a released `.ckpt`, or a folder on the Hugging Face hub.

A model folder holds `config.json`, `model.safetensors` (float32 or float16), `tokenizer.json` and its card,
`README.md`. One that a hospital's own reports went into may hold `findings/MODALITY.toml`: findings that the
lists do not name.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from afloc.errors import ModelError
from afloc.language.findings import add_findings
from afloc.model.config import ModelConfig
from afloc.model.files.hub import download
from afloc.model.files.released_checkpoint import read_released
from afloc.model.network import AFLoc
from afloc.model.onnx_encoders import is_exported
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.resources import ASSETS

EMBEDDED = ASSETS / "models" / "afloc-mini"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "README.md")
LISTS = "findings/*.toml"  # of findings that the lists of the project lack


@dataclass(frozen=True)
class Checkpoint:
    """A model ready to use: its config, its tokenizer, the text of its README.md, and its network.

    `fingerprint`: 12 hexadecimal digits of the sha256 over config, tokenizer and weights: what decides every
    answer.
    """

    config: ModelConfig
    tokenizer: WordPieceTokenizer
    fingerprint: str
    card: str
    read_network: Callable[[], AFLoc]

    @classmethod
    def of(cls, network: AFLoc, tokenizer: WordPieceTokenizer, card: str = "") -> "Checkpoint":
        """Of a network that is in memory."""
        network.eval()
        fingerprint = _fingerprint(network.config, tokenizer, sorted(network.state_dict().items()))
        return cls(network.config, tokenizer, fingerprint, card, lambda: network)

    @cached_property
    def network(self) -> AFLoc:
        """The network in evaluation mode on the CPU, float32; ModelError where the file that it is read from
        has changed since."""
        return self.read_network()


def _fingerprint(
    config: ModelConfig, tokenizer: WordPieceTokenizer, weights: Iterable[tuple[str, torch.Tensor]]
) -> str:
    digest = hashlib.sha256((config.to_json() + tokenizer.to_json()).encode())
    for name, tensor in weights:
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()[:12]


def embedded_or(name: str) -> str | None:
    """The source of the model of that name: None for the embedded one."""
    return None if name == EMBEDDED.name else name


def load_checkpoint(source: str | Path | None = None) -> Checkpoint:
    """Load a model; ModelError, one sentence, where that fails.

    `source`: None (the embedded model), a model folder, a released `.ckpt`, or "hf:owner/name", with "@" and
    a commit for one that never changes. The network is asked only for the last, and for a released checkpoint
    whose text encoder is not on this machine.
    """
    if source is None:
        return read_folder(EMBEDDED)
    if str(source).startswith("hf:"):
        name = str(source).removeprefix("hf:")
        return read_folder(download(name, (*FILES, LISTS), "the folder of a model on this machine"))
    path = Path(source)
    if path.is_dir():
        return read_folder(path)
    if not path.is_file():
        raise ModelError(
            f"There is no model at {path}: give a model folder, a released .ckpt file or hf:owner/name."
        )
    if path.suffix == ".safetensors":
        raise ModelError(f"{path.name} holds weights alone: give the folder it lies in.")
    return Checkpoint.of(*read_released(path))


def read_folder(folder: Path) -> Checkpoint:
    """Read a model folder; ModelError names what is missing or does not fit."""
    if not folder.is_dir():
        raise ModelError(f"There is no model folder {folder}.")
    config = ModelConfig.read(folder / "config.json")
    for path in sorted(folder.glob(LISTS)):
        add_findings(path, path.stem)
    tokenizer = WordPieceTokenizer.read(folder, config.max_tokens, config.text_encoder["vocab_size"])
    card = folder / "README.md"
    card_text = card.read_text(encoding="utf-8") if card.is_file() else ""
    weights = folder / "model.safetensors"
    with suppress(ModelError):  # reading the network says what is wrong
        fingerprint = _fingerprint(config, tokenizer, _stored_weights(weights))
        if is_exported(fingerprint, config.modalities):

            def read_again() -> AFLoc:
                again = Checkpoint.of(_read_network(config, weights), tokenizer)
                if again.fingerprint != fingerprint:
                    raise ModelError(f"{weights} has changed since the model was loaded: start again.")
                return again.network

            return Checkpoint(config, tokenizer, fingerprint, card_text, read_again)
    return Checkpoint.of(_read_network(config, weights), tokenizer, card_text)


def _read_network(config: ModelConfig, weights: Path) -> AFLoc:
    with torch.device("meta"):
        network = AFLoc(config)
    network.load_state_dict(read_safetensors(weights, network), assign=True)
    return network


def _stored_weights(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors of a file by their sorted names, as a network has them: what is a fraction is float32."""
    with _opened(path) as stored:
        for name in sorted(stored.keys()):
            tensor = stored.get_tensor(name)
            yield name, tensor.float() if tensor.is_floating_point() else tensor


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A file of weights; ModelError where it is not there, damaged or cut short."""
    if not path.is_file():
        raise ModelError(f"The model folder {path.parent} has no {path.name}.")
    try:
        # Read into memory of our own: a mapped file that is replaced later would change the answers, and one
        # that is cut short would end the process.
        with safe_open(path, framework="pt", backend="pread") as stored:
            yield stored
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is damaged or cut short ({str(error)[:100]}).") from None


def write_folder(
    folder: Path, network: AFLoc, tokenizer: WordPieceTokenizer, card: str, half: bool = False
) -> None:
    """Write a model folder; `half` stores the weights as float16. `card` is the text of its README.md."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: (tensor.half() if half and tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in network.state_dict().items()
    }
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(network.config.to_json(), encoding="utf-8")
    (folder / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")


def convert(checkpoint: Path, folder: Path) -> None:
    """Write a released checkpoint as a model folder, weights unchanged."""
    if folder.is_dir() and any(folder.iterdir()):
        raise ModelError(f"The folder {folder} is not empty: give a new one.")
    loaded = load_checkpoint(checkpoint)
    write_folder(folder, loaded.network, loaded.tokenizer, _converted_card(loaded.config))


def read_safetensors(path: Path, network: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors of `network` by their names; ModelError names the first that is missing or does not fit."""
    weights = {}
    with _opened(path) as stored:
        names = set(stored.keys())
        for name, expected in network.state_dict().items():
            if name not in names:
                raise ModelError(f"{path} lacks the tensor {name}.")
            shape = tuple(stored.get_slice(name).get_shape())
            if shape != tuple(expected.shape):
                raise ModelError(f"The tensor {name} in {path} is {shape}, not {tuple(expected.shape)}.")
            weights[name] = stored.get_tensor(name).to(expected.dtype)
    return weights


def _converted_card(config: ModelConfig) -> str:
    bert = config.text_encoder
    return (
        f"# {config.name}\n\n"
        f"Converted from a checkpoint of the released AFLoc code ({config.version}), weights unchanged.\n"
        f"Image encoder: {config.backbone}. Text encoder: BERT, {bert['num_hidden_layers']} layers of "
        f"{bert['hidden_size']}. Modalities: {', '.join(config.modalities)}.\n\n"
        "Research use only. Not for diagnosis.\n"
    )
