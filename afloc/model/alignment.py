"""The three losses that align images with texts: words, sentences and the whole report (arXiv 2401.02044)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from afloc.model.image_encoder import ImageFeatures
from afloc.model.text_encoder import TextFeatures


@dataclass(frozen=True)
class AlignmentLoss:
    """The losses of one batch, each a scalar: cross-entropy over rows plus cross-entropy over columns."""

    word: Tensor
    sentence: Tensor
    report: Tensor

    @property
    def total(self) -> Tensor:
        """The plain sum of the three."""
        return self.word + self.sentence + self.report


def alignment_loss(
    images: ImageFeatures,
    texts: TextFeatures,
    temp1: float = 4.0,
    temp2: float = 5.0,
    temp3: float = 10.0,
    same: Tensor | None = None,
) -> AlignmentLoss:
    """The losses of B images with B texts, image k belonging to text k.

    Words meet the shallow map, sentences the deep one, reports the global vector. `same`, bool (B, B), marks
    pairs that mean the same as the true one and are therefore left out of the negatives.
    """
    words = local_scores(images.shallow, texts.words, texts.word_mask, temp1, temp2)
    sentences = local_scores(images.deep, texts.sentences, texts.sentence_mask, temp1, temp2)
    reports = global_scores(images.global_, texts.report)
    return AlignmentLoss(*(contrastive_loss(s * temp3, same) for s in (words, sentences, reports)))


def global_scores(images: Tensor, reports: Tensor) -> Tensor:
    """Cosines of (B, D) images and (T, D) reports: (B, T)."""
    return functional.normalize(images, dim=1, eps=1e-8) @ functional.normalize(reports, dim=1, eps=1e-8).T


def local_scores(regions: Tensor, units: Tensor, mask: Tensor, temp1: float, temp2: float) -> Tensor:
    """How well the units of each text are found in the regions of each image: (B, T).

    `regions` (B, D, h, w), `units` (T, D, n) with `mask` (T, n). [CLS] counts as a unit, [SEP], the last of
    a text, does not. Each unit attends to the regions (softmax over units, times `temp1`, softmax over
    regions); the score is log sum exp(temp2 * cosine(unit, what it attends to)).
    """
    regions = regions.flatten(2)
    scores = []
    for text, count in zip(units, mask.sum(1).tolist(), strict=True):
        text = text[:, : count - 1]
        attention = (regions.transpose(1, 2) @ text).softmax(2)
        context = regions @ (attention * temp1).softmax(1)
        cosine = functional.cosine_similarity(context, text[None], dim=1)
        scores.append((temp2 * cosine).logsumexp(1))
    return torch.stack(scores, 1)


def contrastive_loss(scores: Tensor, same: Tensor | None = None) -> Tensor:
    """Cross-entropy of a (B, B) score matrix whose diagonal is true, over rows plus over columns."""
    target = torch.arange(len(scores), device=scores.device)
    if same is not None:
        others = same & ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(others, -torch.inf)
    return functional.cross_entropy(scores, target) + functional.cross_entropy(scores.T, target)
