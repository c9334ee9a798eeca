"""Other vision-language models behind the interface of `afloc.locate.Model`, to be measured like it.

Models of the CLIP and SigLIP families that transformers loads, dual encoders put together from a ViT and a
BERT (`VisionTextDualEncoderModel`), and BioViL-T (`afloc.evaluation.biovil`). Their map is the cosine of each
patch with the text: a patch goes through what the pooled image goes through on its way into the space of the
texts. That is in the manner of MaskCLIP (Zhou et al. 2022, arXiv 2112.01071), but after the whole last layer,
of which MaskCLIP takes the values of the attention alone: its figures are others. Nothing of the repository
is run: weights are safetensors or read by `afloc.model.container`.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from afloc import paper
from afloc.errors import ModelError, SettingsError
from afloc.evaluation import biovil
from afloc.findings import MODALITIES
from afloc.geometry import Letterbox
from afloc.images import Image
from afloc.locate import PROTOCOLS, Finding, Model, load_model, normalise_text
from afloc.modality import recognise_modality
from afloc.model.hub import download

TYPES = ("clip", "metaclip_2", "siglip", "vision-text-dual-encoder", biovil.TYPE)
_SMALL_FILES = ("*.json", "*.txt", "*.model")  # config, preprocessor, tokenizer
_TEXTS_AT_ONCE = 16


def load_any(source: str | Path | None, device: str = "auto") -> "Model | Peer":
    """The model `source` names: one of ours, as `load_model` takes it, or a peer's folder or hf:owner/name.

    Images are not remembered: a set is seen once. Raises ModelError, one sentence.
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


@dataclass(frozen=True)
class PeerView:
    """An image as a peer sees it. `patches`: (D, rows, columns) over the square; `whole`: (D,)."""

    image: Image
    modality: str
    protocol: str
    peer: "Peer"
    patches: Tensor
    whole: Tensor

    @torch.inference_mode()
    def locate_all(self, descriptions: Iterable[str]) -> list[Finding]:
        """Score and map of each description. Native: both are cosines, moved from -1 … 1 to 0 … 1."""
        descriptions = list(descriptions)
        answer = self._paper_finding if self.protocol == "paper" else self._native_finding
        return [
            answer(text, vector)
            for text, vector in zip(descriptions, self.peer.encode_texts(descriptions), strict=True)
        ]

    def locate(self, description: str) -> Finding:
        return self.locate_all([description])[0]

    def _native_finding(self, text: str, vector: Tensor) -> Finding:
        height, width = self.image.height, self.image.width
        unit = functional.normalize(self.patches, dim=0)
        square = (torch.einsum("dhw,d->hw", unit, vector) + 1) / 2
        grid = self.peer.place(square.cpu().numpy(), height, width)
        score = (float(functional.cosine_similarity(self.whole, vector, dim=0)) + 1) / 2
        return Finding(text, score, None, None, np.clip(grid, 0, 1), height, width)

    def _paper_finding(self, text: str, vector: Tensor) -> Finding:
        letterbox = Letterbox.paper(self.image.height, self.image.width, paper.SIZE)
        heatmap = paper.similarity_map(self.patches, vector)
        score = paper.cosine(self.whole, vector)
        return Finding(text, score, None, None, heatmap, paper.SIZE, paper.SIZE, letterbox=letterbox)


class Peer(ABC):
    """`name`, `fingerprint` and `modalities` as of `afloc.locate.Model`."""

    name: str
    fingerprint: str
    device: torch.device
    modalities: tuple[str, ...] = MODALITIES

    def __init__(self):
        self.texts: dict[str, Tensor] = {}

    @torch.inference_mode()
    def encode(self, image: Image, modality: str | None = None, protocol: str = "native") -> PeerView:
        """Look at an image."""
        if protocol not in PROTOCOLS:
            raise SettingsError(f"The protocol must be one of {', '.join(PROTOCOLS)}, not {protocol!r}.")
        modality = modality or recognise_modality(image)
        pixels = torch.from_numpy(self.prepare(image, modality, protocol)).permute(2, 0, 1)[None]
        patches, whole = self.see(pixels.to(self.device))
        return PeerView(image, modality, protocol, self, patches, whole)

    @torch.inference_mode()
    def encode_texts(self, texts: list[str]) -> list[Tensor]:
        """A unit vector (D,) for each text; every text is encoded once."""
        missing = [text for text in dict.fromkeys(texts) if text not in self.texts]
        for start in range(0, len(missing), _TEXTS_AT_ONCE):
            part = missing[start : start + _TEXTS_AT_ONCE]
            vectors = functional.normalize(self.read([normalise_text(text) for text in part]), dim=1)
            self.texts.update(zip(part, vectors, strict=True))
        return [self.texts[text] for text in texts]

    @abstractmethod
    def prepare(self, image: Image, modality: str, protocol: str) -> np.ndarray:
        """The square it sees, float32 (S, S, 3); under protocol `paper` that of `Letterbox.paper`."""

    @abstractmethod
    def see(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """`patches` and `whole` of a PeerView, of (1, 3, S, S)."""

    @abstractmethod
    def read(self, texts: list[str]) -> Tensor:
        """Each text in the space of the images, (B, D)."""

    @abstractmethod
    def place(self, square: np.ndarray, height: int, width: int) -> np.ndarray:
        """A native map of the square, (rows, columns), as the grid of a Finding."""


class DualEncoder(Peer):
    """A dual encoder of transformers. It sees images letterboxed, with its own mean and deviation."""

    def __init__(self, folder: Path, kind: str, name: str, device: torch.device):
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        super().__init__()
        self.name, self.kind, self.device = name, kind, device
        try:
            config = AutoConfig.from_pretrained(folder)
            own_memory = {"use_safetensors": True, "disable_mmap": True}  # as `read_safetensors` does
            network = AutoModel.from_pretrained(folder, config=config, **own_memory)
            self.tokenizer = AutoTokenizer.from_pretrained(folder)
        except Exception as error:  # whatever a foreign folder makes transformers raise
            reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
            raise ModelError(f"transformers cannot load {folder.name}: {reason}.") from None
        self.network = network.float().to(device).eval()
        self.mean, self.deviation, self.size = _preprocessing(folder, config)
        self.fingerprint = _fingerprint(network, config)
        self.max_tokens = _max_tokens(config)

    def prepare(self, image: Image, modality: str, protocol: str) -> np.ndarray:
        fit = Letterbox.paper if protocol == "paper" else Letterbox.fit
        pixels = image.gray()[..., None].repeat(3, 2) if modality == "chest_xray" else image.rgb()
        square = fit(image.height, image.width, self.size).image(pixels)
        return ((square / np.float32(255) - self.mean) / self.deviation).astype(np.float32)

    def see(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.network.get_image_features(pixel_values=pixels)
        return self._project(seen.last_hidden_state)[0], seen.pooler_output[0]

    def read(self, texts: list[str]) -> Tensor:
        # SigLIP was trained on padded texts and attends to the padding; the others mask it.
        padding = "max_length" if self.kind == "siglip" else "longest"
        limits = {"truncation": True, "max_length": self.max_tokens}
        tokens = self.tokenizer(texts, padding=padding, return_tensors="pt", **limits)
        given = {"input_ids": tokens["input_ids"].to(self.device)}
        if self.kind != "siglip":
            given["attention_mask"] = tokens["attention_mask"].to(self.device)
        return self.network.get_text_features(**given).pooler_output

    def place(self, square: np.ndarray, height: int, width: int) -> np.ndarray:
        return Letterbox.fit(height, width, self.size).crop(square)

    def _project(self, hidden: Tensor) -> Tensor:
        """What the whole last layer of the vision encoder leaves for each patch, `hidden` (B, tokens, width),
        in the space of the texts: (B, D, rows, columns)."""
        vision = self.network.vision_model
        count, tokens, width = hidden.shape
        alone = hidden.reshape(count * tokens, 1, width)  # each token as an image of its own
        if self.kind == "siglip":
            vectors = vision.head(alone)  # attention pooling, of one token
        elif getattr(vision, "pooler", None) is not None:
            vectors = self.network.visual_projection(vision.pooler(alone))
        else:  # CLIP's last norm, which it applies to [CLS] only
            vectors = self.network.visual_projection(vision.post_layernorm(alone)[:, 0])
        vectors = vectors.reshape(count, tokens, -1)
        vectors = vectors if self.kind == "siglip" else vectors[:, 1:]  # without [CLS]
        side = round(vectors.shape[1] ** 0.5)
        if side * side != vectors.shape[1]:
            raise ModelError(f"{self.name} does not see patches in a square grid.")
        return vectors.transpose(1, 2).reshape(count, -1, side, side)


class BioViLT(Peer):
    """BioViL-T on one film. It sees the square that its authors' code cuts out, letterboxed films by protocol
    `paper`."""

    modalities = ("chest_xray",)

    def __init__(self, folder: Path, name: str, device: torch.device):
        super().__init__()
        network = biovil.Encoders(folder)
        self.fingerprint = _fingerprint(network, network.config)
        self.name, self.device, self.network = name, device, network.to(device)

    def prepare(self, image: Image, modality: str, protocol: str) -> np.ndarray:
        gray = biovil.stretch(image.gray())
        if protocol == "paper":
            square = Letterbox.paper(image.height, image.width, biovil.SIZE).image(gray)
        else:
            square = biovil.crop(gray)
        return (square / np.float32(255))[..., None].repeat(3, 2)

    def see(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        patches = self.network.image(pixels)[0]
        return functional.normalize(patches, dim=0), patches.mean((1, 2))

    def read(self, texts: list[str]) -> Tensor:
        return self.network.encode_texts(texts)

    def place(self, square: np.ndarray, height: int, width: int) -> np.ndarray:
        return biovil.place(square, height, width)


def _preprocessing(folder: Path, config) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean and deviation of the channels, 0 … 1, and the side of the image."""
    try:
        said = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        said = {}
    size = said.get("crop_size") or said.get("size") or {}
    side = size if isinstance(size, int) else size.get("height") or size.get("shortest_edge")
    side = getattr(config.vision_config, "image_size", None) or side or 224
    half = [0.5, 0.5, 0.5]
    mean, deviation = said.get("image_mean") or half, said.get("image_std") or half
    return np.array(mean, np.float32), np.array(deviation, np.float32), int(side)


def _max_tokens(config) -> int:
    return int(getattr(config.text_config, "max_position_embeddings", 77))


def _fingerprint(network: torch.nn.Module, config) -> str:
    digest = hashlib.sha256(config.to_json_string().encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:12]
