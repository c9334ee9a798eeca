"""Where in an image a description must hold, known without a mark: from the side and zone a report names,
from which of two joined pictures bears it out, from what a stain stains."""

from dataclasses import dataclass

import numpy as np
import torch
from skimage.color import rgb2hed
from torch import Tensor
from torch.nn import functional

from afloc.training.pairs import OPPOSITE_SIDE, Batch, Description, Pair
from afloc.training.statements import AFFIRMED, DENIED

CUT = 0.3, 0.7  # where two pictures meet, as a share of the side
DARK, PALE = 0.8, 0.5  # quantiles of haematoxylin: nuclei are above the one, and not below the other
NUCLEAR = frozenset({"nuclei", "tumor_nuclei"})


@dataclass(frozen=True)
class Places:
    """Where a description may be found, and where it must not: bool (P, h, w) for P (image, description)
    pairs, given by their indices in the batch."""

    image: Tensor
    description: Tensor
    inside: Tensor
    outside: Tensor

    def __len__(self) -> int:
        return len(self.image)


def join(places: list[Places]) -> Places:
    """All of them as one."""
    parts = zip(*((p.image, p.description, p.inside, p.outside) for p in places), strict=True)
    return Places(*(torch.cat(part) for part in parts))


def told_places(pairs: list[Pair], batch: Batch, cells: int, mirrored: Tensor) -> Places:
    """Where reports place what they name, for the pairs that hold and name one finding: inside is the half
    and third of the image in which it must be, outside the half in which it is not.

    The patient's left is the image's right, unless the image was `mirrored`, bool (B,).
    """
    rows, asked, inside, outside = [], [], [], []
    for column, description in enumerate(batch.descriptions):
        if not description.localizable or len(description.statements) != 1:
            continue
        for row in np.flatnonzero(batch.targets[:, column] == 1):
            fact = pairs[batch.rows[row]].facts[description.statements[0].finding_id]
            if len(fact.sides) == 1 or len(fact.zones) == 1:
                side = min(fact.sides) if len(fact.sides) == 1 else None
                if side and mirrored[row]:
                    side = OPPOSITE_SIDE[side]
                rows.append(int(row))
                asked.append(column)
                inside.append(_region(side, min(fact.zones) if len(fact.zones) == 1 else None, cells))
                outside.append(
                    _region(OPPOSITE_SIDE[side], None, cells) if side else np.zeros((cells, cells), bool)
                )
    shape = (len(rows), cells, cells)
    return Places(
        torch.tensor(rows, dtype=torch.long),
        torch.tensor(asked, dtype=torch.long),
        torch.from_numpy(np.array(inside, bool).reshape(shape)),
        torch.from_numpy(np.array(outside, bool).reshape(shape)),
    )


def _region(side: str | None, zone: str | None, cells: int) -> np.ndarray:
    columns = {None: (0, 1), "right": (0, 0.5), "left": (0.5, 1)}[side]
    rows = {None: (0, 1), "upper": (0, 0.5), "middle": (0.25, 0.75), "lower": (0.4, 1)}[zone]
    region = np.zeros((cells, cells), bool)
    (top, bottom), (left, right) = ((round(a * cells), round(b * cells)) for a, b in (rows, columns))
    region[top:bottom, left:right] = True
    return region


def join_pictures(
    pixels: Tensor,
    targets: Tensor,
    weights: Tensor,
    descriptions: tuple[Description, ...],
    count: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor, Places]:
    """Put a part of another picture into each of the first `count` of a batch: pixels (B, 3, S, S), targets
    and weights (B, T).

    What is affirmed of either part holds of the whole, a denial only if it holds of both; and what one part
    bears out and the other contradicts has its place (on a grid of stride 8).
    """
    size = pixels.shape[-1]
    cells = size // 8
    one = torch.arange(count)
    other = (one + count) % len(pixels)
    low, high = (round(share * cells) for share in CUT)
    cuts = torch.randint(low, high + 1, (count,), generator=generator)
    line = torch.arange(cells)[None] < cuts[:, None]
    line ^= torch.rand(count, generator=generator)[:, None] < 0.5
    upright = torch.rand(count, generator=generator)[:, None, None] < 0.5
    part = torch.where(upright, line[:, None, :], line[:, :, None]).expand(count, cells, cells)

    whole = part.repeat_interleave(8, 1).repeat_interleave(8, 2)[:, None]
    pixels = torch.cat([torch.where(whole, pixels[other], pixels[one]), pixels[count:]])
    a, b = targets[one], targets[other]
    statuses = [{s.status for s in d.statements} for d in descriptions]
    affirmed = torch.tensor([s == {AFFIRMED} for s in statuses])
    denied = torch.tensor([s == {DENIED} for s in statuses])
    unknown = torch.full_like(a, torch.nan)
    either = torch.where((a == 1) | (b == 1), 1.0, torch.where((a == 0) & (b == 0), 0.0, unknown))
    both = torch.where((a == 0) | (b == 0), 0.0, torch.where((a == 1) & (b == 1), 1.0, unknown))
    joined = torch.where(affirmed, either, torch.where(denied, both, unknown))
    heavier = torch.where(joined == 1, torch.maximum(weights[one], weights[other]), 1.0)

    localizable = torch.tensor([d.localizable for d in descriptions])
    found = []
    for mine, theirs, inside in ((a, b, ~part), (b, a, part)):
        rows, columns = torch.nonzero((mine == 1) & (theirs == 0) & localizable, as_tuple=True)
        found.append(Places(rows, columns, inside[rows], ~inside[rows]))
    return (
        pixels,
        torch.cat([joined, targets[count:]]),
        torch.cat([heavier, weights[count:]]),
        join(found),
    )


def stained_places(pixels: Tensor, targets: Tensor, descriptions: tuple[Description, ...]) -> Places:
    """Where nuclei are, by what haematoxylin is: the darkest cells of each picture after separating the
    stains (Ruifrok & Johnston 2001). Pixels (B, 3, S, S), 0 … 255; a grid of stride 8."""
    nuclear = torch.tensor(
        [d.localizable and {s.finding_id for s in d.statements} <= NUCLEAR for d in descriptions]
    )
    rows, columns = torch.nonzero((targets == 1) & nuclear, as_tuple=True)
    small = functional.avg_pool2d(pixels, 8).permute(0, 2, 3, 1).numpy() / 255
    haematoxylin = torch.from_numpy(np.ascontiguousarray(rgb2hed(small.clip(0, 1))[..., 0])).float()
    levels = torch.quantile(haematoxylin.flatten(1), torch.tensor([DARK, PALE]), dim=1)[..., None, None]
    return Places(rows, columns, (haematoxylin > levels[0])[rows], (haematoxylin <= levels[1])[rows])
