"""The native map, score and verdict: fixed scales, so that a number means the same on every image."""

import math

import numpy as np
from scipy import ndimage
from scipy.special import expit
from torch import Tensor
from torch.nn import functional

from afloc.language.findings import find_in_text, find_structure
from afloc.model.calibration import OTHER, Calibration, LevelScale, OperatingPoint
from afloc.model.image_encoder import ImageFeatures
from afloc.model.similarity import TextVectors, attend, report_cosines, sentence_cosines, word_cosines


def native_map(image: ImageFeatures, text: TextVectors, calibration: Calibration) -> np.ndarray:
    """Where one text's finding is seen in the square the image encoder saw: float32 (h, w) of the shallow
    map, 0 … 1.

    The logits of the shallow map with the words and of the deep map with the sentences, mixed, through a
    sigmoid, and smoothed, as widely as the published maps are unless the model says otherwise; then from the
    model's own range to 0 … 1.
    """
    scale = calibration.map_range
    return np.clip((raw_map(image, text, calibration) - scale.floor) / (scale.top - scale.floor), 0, 1)


def raw_map(image: ImageFeatures, text: TextVectors, calibration: Calibration) -> np.ndarray:
    """The same before it is stretched to 0 … 1."""
    word = _logit(word_cosines(image, text), calibration.levels.word)
    sentence = _logit(sentence_cosines(image, text), calibration.levels.sentence)
    sentence = functional.interpolate(sentence, word.shape[-2:], mode="bilinear", align_corners=False)
    weight = calibration.word_weight
    logits = (weight * word + (1 - weight) * sentence)[0, 0].cpu().numpy()
    sigma = calibration.smoothing * logits.shape[-1]
    return ndimage.gaussian_filter(expit(logits), sigma, mode="reflect")


def score_logits(
    images: ImageFeatures, texts: TextVectors, placed: TextVectors | None, calibration: Calibration
) -> Tensor:
    """How well each of T descriptions fits each of B images, as logits (B, T): the report level's of the
    whole text, mixed with what attention finds in the sentence map of what it affirms, `placed` (None: they
    affirm nothing)."""
    whole = _logit(report_cosines(images, texts), calibration.levels.report)
    weight = calibration.sentence_weight
    if placed is None or not weight:
        return whole
    found = attend(_logit(sentence_cosines(images, placed), calibration.levels.sentence))
    return (1 - weight) * whole + weight * found


def operating_point(description: str, modality: str, calibration: Calibration) -> OperatingPoint | None:
    """The operating point for a description: that of the family of the finding it names. None for a
    structure, which is in every image: there is nothing to judge."""
    presence = calibration.presence
    if presence is None or find_structure(description, modality):
        return None
    entry = find_in_text(description, modality)
    return presence.get(entry.family if entry else OTHER, presence[OTHER])


def judge_presence(score: float, point: OperatingPoint | None) -> tuple[float, bool] | tuple[None, None]:
    """Probability that the finding is there, and the verdict at the operating point; None without one.

    Platt scaling of the score's logit: 1 / (1 + exp(-(slope * logit + intercept))); present from `threshold`
    up.
    """
    if point is None:
        return None, None
    score = min(max(score, 1e-9), 1 - 1e-9)
    logit = point.slope * math.log(score / (1 - score)) + point.intercept
    probability = 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))
    return probability, probability >= point.threshold


def _logit(cosine: Tensor, level: LevelScale) -> Tensor:
    return level.scale * cosine + level.bias
