"""Other vision-language models behind the interface of `afloc.Model`, so that they can be evaluated like it.

Models of the CLIP and SigLIP families that transformers loads, dual encoders put together from a ViT and a
BERT (`VisionTextDualEncoderModel`), and BioViL-T (`biovil_encoders`). Their map is the cosine of each
patch with the text; a patch is projected into the texts' space as the pooled image is. This resembles
MaskCLIP (Zhou et al. 2022, arXiv 2112.01071), which however takes only the attention's values of the last
layer, so that its figures differ. No code of a model's repository is run: weights are safetensors or are read
by `torch_pickle`.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from afloc.errors import SettingsError
from afloc.imaging.geometry import Letterbox
from afloc.imaging.image import Image
from afloc.inference import paper_protocol as paper
from afloc.inference.finding import Finding
from afloc.inference.modality import recognise_modality
from afloc.inference.model import PROTOCOLS
from afloc.language.modalities import MODALITIES
from afloc.text import normalise_text

_TEXTS_AT_ONCE = 16


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
        grid = self.peer.lay_on_image(square.cpu().numpy(), height, width)
        score = (float(functional.cosine_similarity(self.whole, vector, dim=0)) + 1) / 2
        return Finding(text, score, None, None, np.clip(grid, 0, 1), height, width)

    def _paper_finding(self, text: str, vector: Tensor) -> Finding:
        letterbox = Letterbox.paper(self.image.height, self.image.width, paper.SIZE)
        heatmap = paper.similarity_map(self.patches, vector)
        score = paper.cosine(self.whole, vector)
        return Finding(text, score, None, None, heatmap, paper.SIZE, paper.SIZE, letterbox=letterbox)


class Peer(ABC):
    """`name`, `fingerprint` and `modalities` as of `afloc.Model`."""

    name: str
    fingerprint: str
    device: torch.device
    modalities: tuple[str, ...] = tuple(MODALITIES)

    def __init__(self):
        self.texts: dict[str, Tensor] = {}

    @torch.inference_mode()
    def encode(self, image: Image, modality: str | None = None, protocol: str = "native") -> PeerView:
        """Encode an image. SettingsError for an unknown protocol."""
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
    def lay_on_image(self, square: np.ndarray, height: int, width: int) -> np.ndarray:
        """A native map of the square, (rows, columns), over the whole image: the grid of a Finding."""


def fingerprint_of(network: torch.nn.Module, config) -> str:
    digest = hashlib.sha256(config.to_json_string().encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:12]
