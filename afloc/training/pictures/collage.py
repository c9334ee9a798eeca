"""Collages: training images composed of two images side by side, as in CutMix. Each part keeps its own facts.

The receptive field of a convolutional encoder is much larger than a cell of its map. Trained on single images
only, the map of a finding may light up everywhere although the finding lies in one corner. In a collage, a
finding that only one part has must be found within that part.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from afloc.training.data.facts import Fact
from afloc.training.data.pairs import Pair

CUT = 0.3, 0.7  # the range of the seam's position, as a share of the side

Facts = dict[str, Fact]


@dataclass(frozen=True)
class Part:
    """One part of a collage: its `region`, bool (cells, cells) on a grid of stride 8, the `row` of the batch
    that it is taken from, and the facts and affirmed findings of that row."""

    region: Tensor
    row: int
    facts: Facts
    affirmed: frozenset[str] = frozenset()


def single_parts(pairs: Sequence[Pair], cells: int) -> list[tuple[Part, ...]]:
    """For each image of a batch one part that covers it."""
    everywhere = torch.ones(cells, cells, dtype=torch.bool)
    return [(_part(everywhere, row, pairs),) for row in range(len(pairs))]


def make_collages(
    pixels: Tensor, pairs: Sequence[Pair], count: int, generator: torch.Generator
) -> tuple[Tensor, list[tuple[Part, ...]]]:
    """Replace a part of each of the first `count` images of a batch (B, 3, S, S), on one side of a random
    seam, by the same part of another image. Returns the pixels, and the parts of each image."""
    low, high = (round(share * pixels.shape[-1] / 8) for share in CUT)
    regions = []
    for _ in range(count):
        region = _left_of(int(torch.randint(low, high + 1, (1,), generator=generator)), pixels.shape[-1] // 8)
        upright, first = torch.rand(2, generator=generator) < 0.5
        region = region if upright else region.T
        regions.append(region if first else ~region)
    collages = single_parts(pairs, pixels.shape[-1] // 8)
    for row, region in enumerate(regions):
        other = (row + count) % len(pixels)
        collages[row] = (_part(~region, row, pairs), _part(region, other, pairs))
    return _compose(pixels, collages), collages


def facts_of_collage(parts: tuple[Part, ...]) -> Facts:
    """The facts of a collage: a finding is present if one part has it, and absent if it is absent from
    all."""
    if len(parts) == 1:
        return parts[0].facts
    facts = {}
    for finding in {finding for part in parts for finding in part.facts}:
        known = [part.facts.get(finding, Fact(math.nan)) for part in parts]
        found = [fact for fact in known if fact.present == 1]
        absent = all(fact.present == 0 for fact in known)
        facts[finding] = Fact(
            1.0 if found else 0.0 if absent else math.nan,
            frozenset().union(*(fact.sides for fact in found)),
            frozenset().union(*(fact.zones for fact in found)),
        )
    return facts


def _part(region: Tensor, row: int, pairs: Sequence[Pair]) -> Part:
    return Part(region, row, pairs[row].facts, pairs[row].affirmed)


def _left_of(cut: int, cells: int) -> Tensor:
    return (torch.arange(cells) < cut).expand(cells, cells)


def _compose(pixels: Tensor, collages: list[tuple[Part, ...]]) -> Tensor:
    composed = pixels.clone()
    for row, parts in enumerate(collages):
        for part in parts:
            if part.row != row:
                region = part.region.repeat_interleave(8, 0).repeat_interleave(8, 1)
                composed[row] = torch.where(region, pixels[part.row], composed[row])
    return composed
