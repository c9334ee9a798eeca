"""Pictures made of two: each part, a piece, keeps what is known of it.

A convolutional encoder sees far beyond a cell of its map; trained on whole pictures, it may light all of a
picture for what stands in one corner. In a picture of two pieces what holds of one only must be found there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from afloc.training.data.facts import Fact
from afloc.training.data.pairs import Pair

CUT = 0.3, 0.7  # where two pictures meet, as a share of the side

Facts = dict[str, Fact]


@dataclass(frozen=True)
class Piece:
    """A part of a picture: where it is, bool (cells, cells) on a grid of stride 8, the `row` of the batch it
    comes from, what is known of it, and the findings that its row affirms, known elsewhere or not."""

    region: Tensor
    row: int
    facts: Facts
    told: frozenset[str] = frozenset()


def whole(pairs: Sequence[Pair], cells: int) -> list[tuple[Piece, ...]]:
    """Each picture of a batch as the only piece of itself."""
    everywhere = torch.ones(cells, cells, dtype=torch.bool)
    return [(_piece(everywhere, row, pairs),) for row in range(len(pairs))]


def join_pictures(
    pixels: Tensor, pairs: Sequence[Pair], count: int, generator: torch.Generator
) -> tuple[Tensor, list[tuple[Piece, ...]]]:
    """Put a part of another picture, beside or above, into each of the first `count` of a batch (B, 3, S, S);
    the pixels and the pieces of each picture."""
    low, high = (round(share * pixels.shape[-1] / 8) for share in CUT)
    parts = []
    for _ in range(count):
        part = _beside(pixels.shape[-1] // 8, int(torch.randint(low, high + 1, (1,), generator=generator)))
        upright, first = torch.rand(2, generator=generator) < 0.5
        part = part if upright else part.T
        parts.append(part if first else ~part)
    pieces = whole(pairs, pixels.shape[-1] // 8)
    for row, part in enumerate(parts):
        other = (row + count) % len(pixels)
        pieces[row] = (_piece(~part, row, pairs), _piece(part, other, pairs))
    return _filled(pixels, pieces), pieces


def of_the_whole(pieces: tuple[Piece, ...]) -> Facts:
    """What is known of a picture, from its pieces: a finding is there if it is in one, and absent if it is
    absent from all."""
    if len(pieces) == 1:
        return pieces[0].facts
    facts = {}
    for finding in {finding for piece in pieces for finding in piece.facts}:
        known = [piece.facts.get(finding, Fact(math.nan)) for piece in pieces]
        found = [fact for fact in known if fact.present == 1]
        absent = all(fact.present == 0 for fact in known)
        facts[finding] = Fact(
            1.0 if found else 0.0 if absent else math.nan,
            frozenset().union(*(fact.sides for fact in found)),
            frozenset().union(*(fact.zones for fact in found)),
        )
    return facts


def _piece(region: Tensor, row: int, pairs: Sequence[Pair]) -> Piece:
    return Piece(region, row, pairs[row].facts, pairs[row].told)


def _beside(cells: int, cut: int) -> Tensor:
    return (torch.arange(cells) < cut).expand(cells, cells)


def _filled(pixels: Tensor, pieces: list[tuple[Piece, ...]]) -> Tensor:
    filled = pixels.clone()
    for row, parts in enumerate(pieces):
        for piece in parts:
            if piece.row != row:
                region = piece.region.repeat_interleave(8, 0).repeat_interleave(8, 1)
                filled[row] = torch.where(region, pixels[piece.row], filled[row])
    return filled
