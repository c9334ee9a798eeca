"""The native map, score and verdict: fixed scales, so that a number means the same on every image.

`calibration` is the model's for one modality (`Model.calibration`), or None: `{"levels": {"word": {"scale",
"bias"}, "sentence": …, "report": …}, "presence": {FAMILY: {"slope", "intercept", "threshold"}, "other": …}}`.
Each level's scale and bias turn its cosine into a logit; they were learned with the weights. "map", {"floor",
"top"}, is the range of the model's maps that becomes 0 … 1, "smoothing" the sigma of the Gaussian that
smooths them, as a share of the side, "words" the share of the word level in them and "local" the share of
the sentence level in scores. An operating point belongs to a family of findings; "other" is for descriptions
that name none of these.
"""

import math

import numpy as np
from scipy import ndimage
from scipy.special import expit
from torch import Tensor
from torch.nn import functional

from afloc.language.findings import find_in_text, find_structure
from afloc.model.image_encoder import ImageFeatures
from afloc.model.similarity import LEVELS, TextVectors, attend, report_cosines, sentence_cosines, word_cosines

SMOOTHING = 1.5 / 19  # of the side: the sigma of 1.5 cells in the 19 x 19 maps of the released protocol

WORDS = 0.25  # the share of the words: alone they find little, but they sharpen what the sentences find

_WHOLE = {"floor": 0.0, "top": 1.0}
_UNCALIBRATED = {level: {"scale": 10.0, "bias": 0.0} for level in LEVELS}


def native_map(image: ImageFeatures, text: TextVectors, calibration: dict | None) -> np.ndarray:
    """Where one text's finding is seen in the square the image encoder saw: float32 (h, w) of the shallow
    map, 0 … 1.

    The logits of the shallow map with the words and of the deep map with the sentences, mixed, through a
    sigmoid, and smoothed, as widely as the published maps are unless the model says otherwise; then from the
    model's own range to 0 … 1.
    """
    scale = (calibration or {}).get("map", _WHOLE)
    return np.clip(
        (raw_map(image, text, calibration) - scale["floor"]) / (scale["top"] - scale["floor"]), 0, 1
    )


def raw_map(image: ImageFeatures, text: TextVectors, calibration: dict | None) -> np.ndarray:
    """The same before it is stretched to 0 … 1."""
    word = _logit(word_cosines(image, text), "word", calibration)
    sentence = _logit(sentence_cosines(image, text), "sentence", calibration)
    sentence = functional.interpolate(sentence, word.shape[-2:], mode="bilinear", align_corners=False)
    words = (calibration or {}).get("words", WORDS)
    logits = (words * word + (1 - words) * sentence)[0, 0].cpu().numpy()
    sigma = (calibration or {}).get("smoothing", SMOOTHING) * logits.shape[-1]
    return ndimage.gaussian_filter(expit(logits), sigma, mode="reflect")


def score_logits(
    images: ImageFeatures, texts: TextVectors, placed: TextVectors | None, calibration: dict | None
) -> Tensor:
    """How well each of T descriptions fits each of B images, as logits (B, T): the report level's of the
    whole text, mixed with what attention finds in the sentence map of what it affirms, `placed` (None: they
    affirm nothing)."""
    whole = _logit(report_cosines(images, texts), "report", calibration)
    share = (calibration or {}).get("local", 0.0)
    if placed is None or not share:
        return whole
    found = attend(_logit(sentence_cosines(images, placed), "sentence", calibration))
    return (1 - share) * whole + share * found


def operating_point(description: str, modality: str, calibration: dict | None) -> dict | None:
    """The operating point for a description: that of the family of the finding it names. None for a
    structure, which is in every image: there is nothing to judge."""
    presence = (calibration or {}).get("presence")
    if presence is None or find_structure(description, modality):
        return None
    entry = find_in_text(description, modality)
    return presence.get(entry.family if entry else "other", presence["other"])


def judge_presence(score: float, point: dict | None) -> tuple[float, bool] | tuple[None, None]:
    """Probability that the finding is there, and the verdict at the operating point; None without one.

    Platt scaling of the score's logit: 1 / (1 + exp(-(slope * logit + intercept))); present from `threshold`
    up.
    """
    if point is None:
        return None, None
    score = min(max(score, 1e-9), 1 - 1e-9)
    logit = point["slope"] * math.log(score / (1 - score)) + point["intercept"]
    probability = 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))
    return probability, probability >= point["threshold"]


def _logit(cosine: Tensor, level: str, calibration: dict | None) -> Tensor:
    learned = (calibration or {}).get("levels", _UNCALIBRATED)[level]
    return learned["scale"] * cosine + learned["bias"]
