"""Location priors: where in an image a described finding may lie, and where not, known without annotations.

They come from three sources: the side and zone that a report names, the part of a collage whose facts confirm
the description, and the typical appearance of some findings (`appearance_priors`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from afloc.language.places import OPPOSITE_SIDE
from afloc.training.data.facts import Description, entails
from afloc.training.data.sampler import unclear_when_mirrored
from afloc.training.pictures.appearance_priors import FILLING, AppearancePriors
from afloc.training.pictures.collage import Facts, Part, facts_of_collage


@dataclass(frozen=True)
class LocationPriors:
    """Location priors of P (image, description) pairs, given by their indices in the batch.

    `inside` and `outside`, bool (P, h, w): the cells among which the finding lies, and those where it does
    not lie; either may be empty, and then says nothing. `filled`, bool (P,): the finding fills all `inside`
    cells.
    """

    image: Tensor
    description: Tensor
    inside: Tensor
    outside: Tensor
    filled: Tensor

    def __len__(self) -> int:
        return len(self.image)


Prior = tuple[int, int, Tensor, Tensor, bool]  # image, description, inside, outside, filled


def find_location_priors(
    pixels: Tensor,
    collages: Sequence[tuple[Part, ...]],
    descriptions: Sequence[Description],
    modality: str,
    mirrored: np.ndarray,
) -> LocationPriors:
    """The location priors of a batch, for the descriptions that affirm one finding and state no more.

    `pixels` (B, 3, S, S), 0 … 255, are the collages before `random_lighting`. `mirrored`, bool (B,), says
    which images are mirrored.
    """
    cells = pixels.shape[-1] // 8
    single = [(c, d) for c, d in enumerate(descriptions) if d.localizable and len(d.statements) == 1]
    findings = {column: description.statements[0].finding_id for column, description in single}
    unclear = unclear_when_mirrored(mirrored, descriptions)
    priors: list[Prior] = []
    for row, parts in enumerate(collages):
        unknown = np.asarray(unclear[[part.row for part in parts]].any(0))
        clear = [(column, description) for column, description in single if not unknown[column]]
        facts = facts_of_collage(parts)
        targets = {column: entails(facts, description) for column, description in clear}
        priors += priors_of_report(row, facts, findings, targets, cells)
        if len(parts) > 1:
            priors += priors_of_collage(row, parts, clear)
    priors += priors_of_appearance(pixels, collages, findings, modality)
    return stack_priors(priors, cells)


def stack_priors(priors: Iterable[Prior], cells: int) -> LocationPriors:
    """Location priors as tensors."""
    priors = list(priors)
    none = torch.zeros(0, cells, cells, dtype=torch.bool)
    return LocationPriors(
        torch.tensor([row for row, *_ in priors], dtype=torch.long),
        torch.tensor([column for _, column, *_ in priors], dtype=torch.long),
        torch.stack([inside for *_, inside, _, _ in priors]) if priors else none,
        torch.stack([outside for *_, outside, _ in priors]) if priors else none,
        torch.tensor([filled for *_, filled in priors], dtype=torch.bool),
    )


def priors_of_report(
    row: int, facts: Facts, findings: Mapping[int, str], targets: Mapping[int, float], cells: int
) -> list[Prior]:
    """Priors from the side and zone that a report names: the finding lies in that half and zone of the image,
    and not in the other half. `findings` and `targets` give, by column, the finding of each description and
    whether it is true of the image."""
    priors = []
    for column, target in targets.items():
        fact = facts.get(findings[column])
        if target != 1 or fact is None or (len(fact.sides) != 1 and len(fact.zones) != 1):
            continue
        side = min(fact.sides) if len(fact.sides) == 1 else None
        zone = min(fact.zones) if len(fact.zones) == 1 else None
        nowhere = torch.zeros(cells, cells, dtype=torch.bool)
        outside = _region(OPPOSITE_SIDE[side], None, cells) if side else nowhere
        priors.append((row, column, _region(side, zone, cells), outside, False))
    return priors


def priors_of_collage(
    row: int, parts: Sequence[Part], descriptions: Iterable[tuple[int, Description]]
) -> list[Prior]:
    """Priors from a collage: a finding lies in the parts whose facts confirm it, not in those that deny
    it."""
    priors = []
    for column, description in descriptions:
        targets = [entails(part.facts, description) for part in parts]
        inside, outside = (_union(parts, [each == wanted for each in targets]) for wanted in (1, 0))
        if inside.any() or (outside.any() and not outside.all()):
            priors.append((row, column, inside, outside, False))
    return priors


def priors_of_appearance(
    pixels: Tensor, collages: Sequence[Sequence[Part]], findings: Mapping[int, str], modality: str
) -> list[Prior]:
    """Priors from the appearance of the findings that a row affirms, within the row's part of the collage."""
    priors = []
    for row, parts in enumerate(collages):
        for part in parts:
            appearance = AppearancePriors(pixels[row], part.region, modality)
            for column, finding in findings.items():
                if finding in part.affirmed and (cells := appearance.of(finding)):
                    priors.append((row, column, *cells, finding in FILLING))
    return priors


def _union(parts: Sequence[Part], wanted: Sequence[bool]) -> Tensor:
    regions = [part.region for part, each in zip(parts, wanted, strict=True) if each]
    return torch.stack(regions).any(0) if regions else torch.zeros_like(parts[0].region)


def _region(side: str | None, zone: str | None, cells: int) -> Tensor:
    columns = {None: (0, 1), "right": (0, 0.5), "left": (0.5, 1)}[side]
    rows = {None: (0, 1), "upper": (0, 0.5), "middle": (0.25, 0.75), "lower": (0.4, 1)}[zone]
    region = torch.zeros(cells, cells, dtype=torch.bool)
    (top, bottom), (left, right) = ((round(a * cells), round(b * cells)) for a, b in (rows, columns))
    region[top:bottom, left:right] = True
    return region
