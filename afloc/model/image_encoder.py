"""Image encoder: a convolutional backbone and three projections into the space of the text embeddings."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from afloc.errors import ModelError
from afloc.model.config import ModelConfig

if TYPE_CHECKING:
    from afloc.model.efficientnet import EfficientNetLite0


QUARTER_TURNS = 4


@dataclass(frozen=True)
class ImageFeatures:
    """Embeddings of B images: `shallow` (B, D, h, w) at stride 8, `deep` (B, D, h/2, w/2), `global_` (B,
    D)."""

    shallow: Tensor
    deep: Tensor
    global_: Tensor

    @cached_property
    def units(self) -> "ImageFeatures":
        """The same with vectors of length 1; worked out once, for every description is held against them."""
        parts = (self.shallow, self.deep, self.global_)
        return ImageFeatures(*(functional.normalize(each, dim=1) for each in parts))


def seen_turned(encode: Callable[[Tensor], ImageFeatures], pixels: Tensor) -> ImageFeatures:
    """The features of images (B, 3, S, S) that have no up and no down, as tissue: the mean of the unit
    features of their QUARTER_TURNS, each turned back. `encode` is asked once, for all of them."""
    turned = encode(torch.cat([torch.rot90(pixels, turns, (2, 3)) for turns in range(QUARTER_TURNS)])).units

    def mean(maps: Tensor) -> Tensor:
        each = enumerate(maps.chunk(QUARTER_TURNS))
        return torch.stack([torch.rot90(part, -turns, (2, 3)) for turns, part in each]).mean(0)

    vectors = torch.stack(turned.global_.chunk(QUARTER_TURNS)).mean(0)
    return ImageFeatures(mean(turned.shallow), mean(turned.deep), vectors)


class ResNet50(nn.Module):
    """ResNet-50 v1.5 (stride in the 3 x 3 convolution, as torchvision's). Input (B, 3, H, W)."""

    def __init__(self, **options):
        from transformers import ResNetConfig, ResNetModel

        super().__init__()
        config = ResNetConfig(layer_type="bottleneck", **options)
        self.network = ResNetModel(config)
        _, self.shallow_channels, self.deep_channels, self.global_channels = config.hidden_sizes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps of stride 8 and 16, and the pooled vector of stride 32."""
        output = self.network(x, output_hidden_states=True)
        _, _, shallow, deep, _ = output.hidden_states
        return shallow, deep, output.pooler_output.flatten(1)


def build_backbone(name: str, options: dict, grid: int | None = None) -> "ResNet50 | EfficientNetLite0":
    """A module from (B, 3, H, W) to (shallow map, deep map, global vector), its widths in `*_channels`;
    `grid` is that of `ModelConfig.global_grids`."""
    if name == "resnet50":
        if unknown := sorted(options.keys() - {"hidden_sizes", "depths", "embedding_size"}):
            raise ModelError(f"The backbone resnet50 has no option {unknown[0]!r}.")
        return ResNet50(**options)
    if options:
        raise ModelError(f"The backbone {name} takes no options.")
    from afloc.model.efficientnet import EfficientNetLite0

    return EfficientNetLite0(grid)


def normalise(pixels: np.ndarray, how: str) -> Tensor:
    """uint8 (B, H, W) or (B, H, W, 3) to float32 (B, 3, H, W), scaled as `ModelConfig.normalisation` says."""
    x = torch.from_numpy(np.require(pixels, requirements=("C", "W"))).float()
    x = x[:, None].expand(-1, 3, -1, -1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
    return (x / 255 - 0.5) / 0.5 if how == "half" else (x - 127) / 128


class ImageEncoder(nn.Module):
    """Normalised pixels (B, 3, H, W) to ImageFeatures. `image_size` is the side it is made for."""

    def __init__(self, config: ModelConfig, modality: str):
        super().__init__()
        self.image_size, self.encoder_size = config.side(modality), config.encoder_size
        grid = config.global_grids.get(modality)
        self.backbone = build_backbone(config.backbone, config.backbone_options, grid)
        dim = config.embedding_dim
        self.global_projection = nn.Linear(self.backbone.global_channels, dim)
        self.deep_projection = nn.Conv2d(self.backbone.deep_channels, dim, 1, bias=False)
        self.shallow_projection = nn.Conv2d(self.backbone.shallow_channels, dim, 1, bias=False)

    def forward(self, x: Tensor) -> ImageFeatures:
        if self.encoder_size is not None:
            x = functional.interpolate(x, [self.encoder_size] * 2, mode="bilinear", align_corners=True)
        return self.project(*self.backbone(x))

    def project(self, shallow: Tensor, deep: Tensor, pooled: Tensor) -> ImageFeatures:
        """What the backbone makes of images, in the space of the texts."""
        return ImageFeatures(
            self.shallow_projection(shallow), self.deep_projection(deep), self.global_projection(pooled)
        )
