"""The native map and score: fixed scales, so that a number means the same on every image."""

import numpy as np
from scipy import ndimage
from scipy.special import expit
from torch import Tensor
from torch.nn import functional

from afloc.model.calibration import Calibration, LevelScale
from afloc.model.image_encoder import ImageFeatures
from afloc.model.similarity import TextVectors, attend, report_cosines, sentence_cosines, word_cosines


def sentence_logits(images: ImageFeatures, texts: TextVectors, calibration: Calibration) -> Tensor:
    """The deep maps of B images with the sentences of T texts, as logits (B, T, h, w)."""
    return _logit(sentence_cosines(images, texts), calibration.levels.sentence)


def map_cells(image: ImageFeatures, calibration: Calibration) -> int:
    """Cells along a side of the maps of an image."""
    return image.shallow.shape[-1] * calibration.map_detail


def native_map(
    image: ImageFeatures,
    text: TextVectors,
    calibration: Calibration,
    sentences: Tensor | None = None,
    log_odds: np.ndarray | None = None,
) -> np.ndarray:
    """Where one text's finding is seen in the square the image encoder saw: float32 (h, w), `map_cells` each,
    0 … 1.

    The logits of the shallow map with the words and of the deep map with the sentences, mixed, through a
    sigmoid, and smoothed, as widely as the published maps are unless the model says otherwise; then from the
    model's own range to 0 … 1. `sentences`: the text's `sentence_logits`, if they are there already.
    `log_odds` (h, w): of what the text names by `afloc.inference.anatomy`; they count where the calibration
    gives them a weight.
    """
    scale = calibration.map_range
    found = raw_map(image, text, calibration, sentences, log_odds)
    return np.clip((found - scale.floor) / (scale.top - scale.floor), 0, 1)


def raw_map(
    image: ImageFeatures,
    text: TextVectors,
    calibration: Calibration,
    sentences: Tensor | None = None,
    log_odds: np.ndarray | None = None,
) -> np.ndarray:
    """The same before it is stretched to 0 … 1."""
    word = _logit(word_cosines(image, text), calibration.levels.word)
    if sentences is None:
        sentences = sentence_logits(image, text, calibration)
    cells = [map_cells(image, calibration)] * 2
    word, sentence = (
        functional.interpolate(each, cells, mode="bilinear", align_corners=False)
        for each in (word, sentences)
    )
    weight = calibration.word_weight
    logits = (weight * word + (1 - weight) * sentence)[0, 0].cpu().numpy()
    if log_odds is not None and calibration.anatomy_weight:
        logits = logits + np.float32(calibration.anatomy_weight) * log_odds.astype(np.float32)
    sigma = calibration.smoothing * logits.shape[-1]
    return ndimage.gaussian_filter(expit(logits), sigma, mode="reflect")


def score_logits(
    images: ImageFeatures, texts: TextVectors, sentences: Tensor | None, calibration: Calibration
) -> Tensor:
    """How well each of T descriptions fits each of B images, as logits (B, T): the report level's of the
    whole text, mixed with what attention finds in `sentences`, the `sentence_logits` of what it affirms
    (None: it affirms nothing)."""
    whole = _logit(report_cosines(images, texts), calibration.levels.report)
    weight = calibration.sentence_weight
    if sentences is None or not weight:
        return whole
    return (1 - weight) * whole + weight * attend(sentences)


def _logit(cosine: Tensor, level: LevelScale) -> Tensor:
    return level.scale * cosine + level.bias
