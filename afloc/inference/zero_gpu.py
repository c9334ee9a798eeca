"""The GPU that Hugging Face's ZeroGPU lends, for one call at a time.

Each such call runs in a forked process, and only its answer comes back. So the one function that runs there
takes pixels and returns features; the caches of the model, the texts and the feedback stay in the page's own
process, on the CPU.
"""

import os
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from afloc.model.image_encoder import ImageFeatures
from afloc.model.network import AFLoc

SECONDS = 10  # reserved for a call; an image takes a fraction of one


def on_zero_gpu() -> bool:
    """Whether this is a Space on ZeroGPU."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def encode_on_zero_gpu(network: AFLoc, device: str = "cuda") -> Callable[[Tensor, str], ImageFeatures]:
    """`network.encode_images` on a GPU of ZeroGPU; weights and features stay on the CPU."""
    import spaces

    @spaces.GPU(duration=SECONDS)
    def encode(pixels: np.ndarray, modality: str) -> list[np.ndarray]:
        with torch.inference_mode():
            encoder = network.image_encoders[modality].to(device)
            features = encoder(torch.from_numpy(pixels).to(device, memory_format=torch.channels_last))
            return [each.cpu().numpy() for each in vars(features).values()]

    return lambda pixels, modality: ImageFeatures(*map(torch.from_numpy, encode(pixels.numpy(), modality)))
