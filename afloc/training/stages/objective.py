"""The sigmoid objective of the compact recipe: does this description hold for this image, at each of three
levels?

Instead of a softmax over a batch (in which two reports of a normal film would be each other's negatives),
each image-description pair is a question of its own, as in SigLIP (Zhai et al. 2023, arXiv 2303.15343),
answered three times: by the shallow map with the words, by the deep map with the sentences, by the global
vector with the report. A map answers through what attention finds in it: its mean weighted by its own
softmax, over the whole image, or over the part in which it must be; or, of a part that a finding is known to
fill, through every cell.
"""

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional

from afloc.model.image_encoder import ImageFeatures
from afloc.model.similarity import TextVectors, attend, report_cosines, sentence_cosines, word_cosines
from afloc.training.pictures.location_priors import Places


class SigmoidObjective(nn.Module):
    """Learned scale and bias of each level's cosine, and the losses, but for levels to do `without`."""

    def __init__(self, without: Collection[str] = ()):
        super().__init__()
        self.without = without
        self.log_scale = nn.Parameter(torch.full((3,), 2.3))
        self.bias = nn.Parameter(torch.full((3,), -2.0))

    def logits(self, images: ImageFeatures, vectors: TextVectors) -> tuple[Tensor, Tensor, Tensor]:
        """Word maps (B, T, h, w), sentence maps (B, T, h/2, w/2) and report logits (B, T)."""
        cosines = (
            word_cosines(images, vectors),
            sentence_cosines(images, vectors),
            report_cosines(images, vectors),
        )
        return tuple(s.exp() * c + b for s, c, b in zip(self.log_scale, cosines, self.bias, strict=True))

    def forward(
        self,
        images: ImageFeatures,
        vectors: TextVectors,
        targets: Tensor,
        weights: Tensor,
        localizable: Tensor,
        places: Places,
    ) -> dict[str, Tensor]:
        """Losses by name. `targets` (B, T) in {0, 1, NaN}, `weights` (B, T), `localizable` (T,) bool."""
        word, sentence, report = self.logits(images, vectors)
        here = targets[:, localizable], weights[:, localizable]
        losses = {}
        if "report" not in self.without:
            losses["report"] = balanced_loss(report, targets, weights)
        maps = {"sentence": sentence, "word": word}
        maps = {level: each for level, each in maps.items() if level not in self.without}
        for level, each in maps.items():
            losses[level] = balanced_loss(attend(each[:, localizable]), *here)
        if len(places):
            losses["place"] = sum(self._place_loss(each, places) for each in maps.values())
        return losses

    def _place_loss(self, maps: Tensor, places: Places) -> Tensor:
        maps = maps[places.image, places.description]
        inside = _on_grid(places.inside, maps)
        outside = ~_on_grid(~places.outside, maps)
        seen = inside.flatten(1)
        everywhere = (functional.softplus(-maps.flatten(1)) * seen).sum(1) / seen.sum(1).clamp(min=1)
        somewhere = functional.softplus(-attend(maps, inside)) * seen.any(1)
        found = torch.where(places.filled, everywhere, somewhere)
        elsewhere = functional.softplus(attend(maps, outside)) * outside.flatten(1).any(1)
        return (found + elsewhere).mean()


def _on_grid(region: Tensor, maps: Tensor) -> Tensor:
    """The cells of the maps' grid that a region (P, h, w) touches."""
    return functional.adaptive_max_pool2d(region[:, None].to(maps.dtype), maps.shape[-2:])[:, 0] > 0


def balanced_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted binary cross-entropy over the pairs whose target is known."""
    weights = weights * ~targets.isnan()
    losses = functional.binary_cross_entropy_with_logits(logits, targets.nan_to_num(), reduction="none")
    return (losses * weights).sum() / weights.sum().clamp(min=1)
