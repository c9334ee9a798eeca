"""How alike image and text are at the three levels, as cosines: the common ground of training and of the
maps."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from afloc.model.image_encoder import ImageFeatures
from afloc.model.text_encoder import TextFeatures

LEVELS = ("word", "sentence", "report")


@dataclass(frozen=True)
class TextVectors:
    """One vector a level for each of T texts: `word`, `sentence` and `report`, each (T, D).

    `word` is the mean of the unit vectors of a text's words (so that a map of it is the mean of its words'
    maps); `sentence` and `report` are unit vectors.
    """

    word: Tensor
    sentence: Tensor
    report: Tensor


def text_vectors(texts: TextFeatures) -> TextVectors:
    """Pool the features of T texts, [CLS] and [SEP] left out of words and sentences."""
    words = functional.normalize(texts.words, dim=1)
    return TextVectors(
        _inner_mean(words, texts.word_mask),
        functional.normalize(_inner_mean(texts.sentences, texts.sentence_mask), dim=1),
        functional.normalize(texts.report, dim=1),
    )


def _inner_mean(units: Tensor, mask: Tensor) -> Tensor:
    """(T, D, n) to (T, D): the mean over all units but the first and the last of each text."""
    position = torch.arange(mask.shape[1], device=mask.device)
    inner = mask & (position > 0) & (position < mask.sum(1, keepdim=True) - 1)
    return (units * inner[:, None]).sum(2) / inner.sum(1, keepdim=True).clamp(min=1)


def ask_with(text: TextVectors, others: Sequence[TextVectors], share: float) -> TextVectors:
    """One text asked together with others, each (1, D): a map of it is the mean of its own and theirs, in
    which the others together have `share`. Its vectors are no unit vectors."""
    if not others:
        return text

    def mean(level: str) -> Tensor:
        beside = torch.stack([getattr(each, level) for each in others]).mean(0)
        return (1 - share) * getattr(text, level) + share * beside

    return TextVectors(*map(mean, LEVELS))


def word_cosines(images: ImageFeatures, vectors: TextVectors) -> Tensor:
    """Shallow map against words: (B, T, h, w)."""
    return torch.einsum("bdhw,td->bthw", images.units.shallow, vectors.word)


def sentence_cosines(images: ImageFeatures, vectors: TextVectors) -> Tensor:
    """Deep map against sentences: (B, T, h, w)."""
    return torch.einsum("bdhw,td->bthw", images.units.deep, vectors.sentence)


def report_cosines(images: ImageFeatures, vectors: TextVectors) -> Tensor:
    """Global vector against reports: (B, T)."""
    return images.units.global_ @ vectors.report.T


def attend(maps: Tensor, inside: Tensor | None = None) -> Tensor:
    """What attention finds in maps of logits (…, h, w): the mean weighted by its own softmax, over all of
    each map or where `inside`, bool (…, h, w), is True."""
    maps = maps.flatten(-2)
    scores = maps if inside is None else maps.masked_fill(~inside.flatten(-2), -1e4)
    return (scores.softmax(-1) * maps).sum(-1)
