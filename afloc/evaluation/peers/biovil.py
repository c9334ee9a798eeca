"""BioViL-T as a peer."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from afloc.evaluation.peers import biovil_encoders as biovil
from afloc.evaluation.peers.peer import Peer, fingerprint_of
from afloc.imaging.geometry import Letterbox
from afloc.imaging.image import Image


class BioViLT(Peer):
    """BioViL-T on one film.

    It sees the square that its authors' code cuts out; under protocol `paper`, the letterboxed film.
    """

    modalities = ("chest_xray",)

    def __init__(self, folder: Path, name: str, device: torch.device):
        super().__init__()
        network = biovil.Encoders(folder)
        self.fingerprint = fingerprint_of(network, network.config)
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

    def lay_on_image(self, square: np.ndarray, height: int, width: int) -> np.ndarray:
        return biovil.lay_on_image(square, height, width)
