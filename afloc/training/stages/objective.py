"""The sigmoid objective of the compact recipe: is this description true of this image, at each of three
levels?

A softmax over the batch would make two reports of normal films each other's negatives. Here each pair of
image and description is a binary classification of its own, as in SigLIP (Zhai et al. 2023, arXiv
2303.15343), at three levels: the shallow map with the words, the deep map with the sentences, the global
vector with the report. The logit of a map is its attention-pooled value: the mean weighted by the softmax of
the map itself, over the whole image or over the cells in which the finding lies. Where a finding is known to
fill these cells, each of them counts.
"""

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional

from afloc.model.calibration import Levels
from afloc.model.image_encoder import ImageFeatures
from afloc.model.similarity import TextVectors, attend, report_cosines, sentence_cosines, word_cosines
from afloc.training.pictures.location_priors import LocationPriors


class SigmoidObjective(nn.Module):
    """The learned scale and bias of each level's cosine, and the losses; levels in `without` have none."""

    def __init__(self, without: Collection[str] = ()):
        super().__init__()
        self.without = without
        self.log_scale = nn.Parameter(torch.full((3,), 2.3))
        self.bias = nn.Parameter(torch.full((3,), -2.0))

    def keep_at(self, levels: Levels) -> None:
        """Take over the scales and biases of a trained model; they are not learned."""
        of = levels.word, levels.sentence, levels.report
        with torch.no_grad():
            self.log_scale.copy_(torch.tensor([each.scale for each in of]).log())
            self.bias.copy_(torch.tensor([each.bias for each in of]))
        self.requires_grad_(False)

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
        priors: LocationPriors,
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
        places = [self._location_loss(each, priors) for each in maps.values() if len(priors)]
        losses["place"] = sum(places, start=report.new_zeros(()))
        return losses

    def _location_loss(self, maps: Tensor, priors: LocationPriors) -> Tensor:
        maps = maps[priors.image, priors.description]
        inside = _on_grid(priors.inside, maps)
        outside = ~_on_grid(~priors.outside, maps)
        seen = inside.flatten(1)
        everywhere = (functional.softplus(-maps.flatten(1)) * seen).sum(1) / seen.sum(1).clamp(min=1)
        somewhere = functional.softplus(-attend(maps, inside)) * seen.any(1)
        found = torch.where(priors.filled, everywhere, somewhere)
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
