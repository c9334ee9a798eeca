"""The native map, score and verdict: fixed scales, so that a number means the same on every image.

`calibration` is the model's, from its config, or None:
`{"map": {"scale", "bias"}, "presence": {"slope", "intercept", "threshold"}}`.
"""

import math

from torch import Tensor
from torch.nn import functional

from afloc.model.image_encoder import ImageFeatures
from afloc.model.similarity import report_cosines, sentence_cosines, text_vectors, word_cosines
from afloc.model.text_encoder import TextFeatures

_UNCALIBRATED_MAP = {"scale": 10.0, "bias": 0.0}


def native_map(image: ImageFeatures, text: TextFeatures, calibration: dict | None) -> Tensor:
    """Where one image shows what one text says: (h, w) of the shallow map, 0 … 1, over the image encoder's
    square.

    The cosines of words with the shallow map and of sentences with the deep map, averaged, through a sigmoid.
    """
    vectors = text_vectors(text)
    words = word_cosines(image, vectors)
    sentences = sentence_cosines(image, vectors)
    sentences = functional.interpolate(sentences, words.shape[-2:], mode="bilinear", align_corners=False)
    line = (calibration or {}).get("map", _UNCALIBRATED_MAP)
    return ((words + sentences) / 2 * line["scale"] + line["bias"]).sigmoid()[0, 0]


def native_score(image: ImageFeatures, text: TextFeatures) -> float:
    """How well the whole description fits the whole image, 0 … 1: (1 + cosine) / 2 of their embeddings."""
    return float((1 + report_cosines(image, text_vectors(text))[0, 0]) / 2)


def judge_presence(score: float, calibration: dict | None) -> tuple[float, bool] | tuple[None, None]:
    """Probability that the finding is there, and the verdict at the operating point; None without
    calibration.

    Platt scaling: 1 / (1 + exp(-(slope * score + intercept))); present from `threshold` up.
    """
    presence = (calibration or {}).get("presence")
    if presence is None:
        return None, None
    logit = presence["slope"] * score + presence["intercept"]
    probability = 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))
    return probability, probability >= presence["threshold"]
