"""Dual encoders of transformers (CLIP, SigLIP and their kin) as peers."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from afloc.errors import ModelError
from afloc.evaluation.peers.peer import Peer, fingerprint_of
from afloc.imaging.geometry import Letterbox
from afloc.imaging.image import Image
from afloc.language.modalities import MODALITIES


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
        self.fingerprint = fingerprint_of(network, config)
        self.max_tokens = _max_tokens(config)

    def prepare(self, image: Image, modality: str, protocol: str) -> np.ndarray:
        fit = Letterbox.paper if protocol == "paper" else Letterbox.fit
        pixels = image.gray()[..., None].repeat(3, 2) if MODALITIES[modality].grayscale else image.rgb()
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

    def lay_on_image(self, square: np.ndarray, height: int, width: int) -> np.ndarray:
        return Letterbox.fit(height, width, self.size).crop(square)

    def _project(self, hidden: Tensor) -> Tensor:
        """The vision encoder's output for each patch in the space of the texts: (B, D, rows, columns).

        `hidden`: the output of its last layer, (B, tokens, width).
        """
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


def _preprocessing(folder: Path, config) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean and deviation of the channels, 0 … 1, and the side of the image in pixels."""
    try:
        settings = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    size = settings.get("crop_size") or settings.get("size") or {}
    side = size if isinstance(size, int) else size.get("height") or size.get("shortest_edge")
    side = getattr(config.vision_config, "image_size", None) or side or 224
    half = [0.5, 0.5, 0.5]
    mean, deviation = settings.get("image_mean") or half, settings.get("image_std") or half
    return np.array(mean, np.float32), np.array(deviation, np.float32), int(side)


def _max_tokens(config) -> int:
    return int(getattr(config.text_config, "max_position_embeddings", 77))
