"""Where in an image a description must hold, known without a mark: from the side and zone a report names,
from which piece of a picture bears it out, from what findings look like."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from afloc.training.data.facts import OPPOSITE_SIDE, Description, entails
from afloc.training.data.sampler import doubtful
from afloc.training.pictures.appearance_priors import ALL_OF_IT, Looks
from afloc.training.pictures.collage import Facts, Piece, of_the_whole


@dataclass(frozen=True)
class Places:
    """Where a description may be found, and where it must not: bool (P, h, w) for P (image, description)
    pairs, given by their indices in the batch. Either may be empty: then it says nothing. `filled` (P,): it
    fills the cells in which it may be found."""

    image: Tensor
    description: Tensor
    inside: Tensor
    outside: Tensor
    filled: Tensor

    def __len__(self) -> int:
        return len(self.image)


Found = tuple[int, int, Tensor, Tensor, bool]  # row, description, inside, outside, filled


def find_places(
    pixels: Tensor,
    pieces: Sequence[tuple[Piece, ...]],
    descriptions: Sequence[Description],
    modality: str,
    mirrored: np.ndarray,
) -> Places:
    """All that is known of the places of a batch's descriptions that affirm one finding and state no more.

    `pixels` (B, 3, S, S), 0 … 255, as the pieces lie in them, before they are lit differently; `mirrored`,
    bool (B,), those whose sides are the other ones.
    """
    cells = pixels.shape[-1] // 8
    placed = [(c, d) for c, d in enumerate(descriptions) if d.localizable and len(d.statements) == 1]
    named = {column: description.statements[0].finding_id for column, description in placed}
    in_doubt = doubtful(mirrored, descriptions)
    found: list[Found] = []
    for row, parts in enumerate(pieces):
        unknown = in_doubt[[piece.row for piece in parts]].any(0)
        asked = [(column, description) for column, description in placed if not unknown[column]]
        facts = of_the_whole(parts)
        holds = {column: entails(facts, description) for column, description in asked}
        found += told_places(row, facts, named, holds, cells)
        if len(parts) > 1:
            found += piece_places(row, parts, asked)
    found += seen_places(pixels, pieces, named, modality)
    return collect(found, cells)


def collect(found: Iterable[Found], cells: int) -> Places:
    """Places as tensors."""
    found = list(found)
    none = torch.zeros(0, cells, cells, dtype=torch.bool)
    return Places(
        torch.tensor([row for row, *_ in found], dtype=torch.long),
        torch.tensor([column for _, column, *_ in found], dtype=torch.long),
        torch.stack([inside for *_, inside, _, _ in found]) if found else none,
        torch.stack([outside for *_, outside, _ in found]) if found else none,
        torch.tensor([filled for *_, filled in found], dtype=torch.bool),
    )


def told_places(
    row: int, facts: Facts, named: Mapping[int, str], holds: Mapping[int, float], cells: int
) -> list[Found]:
    """Where a report places what it names: inside is the half and third of the image in which it must be,
    outside the half in which it is not. By column, the finding each description is of, `named`, and whether
    it is borne out, `holds`."""
    found = []
    for column, borne_out in holds.items():
        fact = facts.get(named[column])
        if borne_out != 1 or fact is None or (len(fact.sides) != 1 and len(fact.zones) != 1):
            continue
        side = min(fact.sides) if len(fact.sides) == 1 else None
        zone = min(fact.zones) if len(fact.zones) == 1 else None
        nowhere = torch.zeros(cells, cells, dtype=torch.bool)
        outside = _region(OPPOSITE_SIDE[side], None, cells) if side else nowhere
        found.append((row, column, _region(side, zone, cells), outside, False))
    return found


def piece_places(row: int, pieces: Sequence[Piece], asked: Iterable[tuple[int, Description]]) -> list[Found]:
    """In which pieces of a picture a description must be found, and in which not."""
    found = []
    for column, description in asked:
        holds = [entails(piece.facts, description) for piece in pieces]
        inside, outside = (_union(pieces, [each == wanted for each in holds]) for wanted in (1, 0))
        if inside.any() or (outside.any() and not outside.all()):
            found.append((row, column, inside, outside, False))
    return found


def seen_places(
    pixels: Tensor, pieces: Sequence[Sequence[Piece]], named: Mapping[int, str], modality: str
) -> list[Found]:
    """Where what a row names looks as it should, within the piece that is the row's."""
    found = []
    for row, parts in enumerate(pieces):
        for piece in parts:
            looks = Looks(pixels[row], piece.region, modality)
            for column, finding in named.items():
                if finding in piece.told and (seen := looks.of(finding)):
                    found.append((row, column, *seen, finding in ALL_OF_IT))
    return found


def _union(pieces: Sequence[Piece], wanted: Sequence[bool]) -> Tensor:
    regions = [piece.region for piece, each in zip(pieces, wanted, strict=True) if each]
    return torch.stack(regions).any(0) if regions else torch.zeros_like(pieces[0].region)


def _region(side: str | None, zone: str | None, cells: int) -> Tensor:
    columns = {None: (0, 1), "right": (0, 0.5), "left": (0.5, 1)}[side]
    rows = {None: (0, 1), "upper": (0, 0.5), "middle": (0.25, 0.75), "lower": (0.4, 1)}[zone]
    region = torch.zeros(cells, cells, dtype=torch.bool)
    (top, bottom), (left, right) = ((round(a * cells), round(b * cells)) for a, b in (rows, columns))
    region[top:bottom, left:right] = True
    return region
