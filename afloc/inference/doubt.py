"""Doubt in two degrees: an image that the model cannot know stops its answers, an unusual one of its kind
gets a sentence beside them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from afloc.inference.appearance import (
    BRIGHTNESS,
    CONTRAST,
    Appearance,
    Colours,
    Layout,
    feature_distance,
    known_appearance,
    measure,
    shrink,
    texture_vectors,
    turn,
)
from afloc.inference.picture import Picture
from afloc.language.modalities import MODALITIES
from afloc.model.calibration import TrainingDistribution
from afloc.model.image_encoder import ImageFeatures

FAR = 3.0  # times a limit: one test alone then stops the answers
CLEARLY_BETTER = 0.6  # of its residual is left when a picture that hangs wrongly is put right
FEWEST_PIXELS = 64  # of the short side
GRAY = 0.02  # the most by which the mean red, green and blue of a gray picture differ
ODD = 2.0  # standard deviations of brightness or contrast that are worth a word
LATERAL = (
    "By its file this is a lateral film. The model knows frontal ones only, so its answers may mean nothing."
)
_TURNS = {1: "to lie on its side", 2: "to hang upside down", 3: "to lie on its side"}


@dataclass(frozen=True)
class Doubt:
    """Why an image may be none that the model knows.

    `degree`: "stopped", it is far from anything known; "unusual", it is of the kind, but not as most are.
    `sentence`: what is wrong or unusual, for the reader.
    """

    degree: Literal["stopped", "unusual"]
    sentence: str

    def as_json(self) -> dict[str, str]:
        """As result.json, the page and `/locate` have it."""
        return {"degree": self.degree, "sentence": self.sentence}


def doubt_of(
    picture: Picture,
    features: ImageFeatures,
    modality: str,
    distribution: TrainingDistribution | None,
    *,
    lateral: bool = False,
) -> Doubt | None:
    """What speaks against an image; None where nothing does.

    `features`: of the image alone. `distribution`: where the model's features of training images lie, if
    that is known. `lateral`: its file says so.

    Two tests beyond their limits, or one far beyond, stop the answers, and so does a film that hangs wrongly.
    """
    if lateral:
        return Doubt("stopped", LATERAL)
    strengths: list[float] = []  # of each test, in units of its limit
    reasons: list[str] = []
    if appearance := known_appearance(modality):
        thumbnail, coarse = picture.thumbnails
        shrunk = shrink(coarse)
        if appearance.layout:
            if turned := _turn_needed(shrunk, appearance.layout):
                return Doubt("stopped", f"This {_title(modality)} seems {turned}. Turn it and open it again.")
            if _is_inverted(shrunk, appearance.layout):
                shrunk, thumbnail = -shrunk, 255 - thumbnail
                reasons.append("its grays look inverted")
            strengths.append(float(appearance.layout.residual(shrunk)) / appearance.layout.limit)
        reasons += _shape_reasons(picture, appearance)
        measures = measure(thumbnail)
        strengths.append(float(appearance.colours.distance(measures)) / appearance.colours.limit)
        if strengths[-1] > 1:
            reasons.append(_brightness_reason(measures, appearance.colours))
        if appearance.layout and strengths[0] > 1:
            reasons.append("things lie elsewhere in it, as in one that is cropped, tilted or another view")
    if distribution:
        strengths.append(texture_distance(features, distribution) / distribution.limit)
        if strengths[-1] > 1:
            reasons.append(
                "its fine structure differs, as in one that is cropped, enlarged, blurred or overlaid"
            )
    return _conclude(strengths, reasons, modality)


def texture_distance(features: ImageFeatures, distribution: TrainingDistribution) -> float:
    """How far the features of one image lie from those of training images, as `feature_distance` counts."""
    vectors = (
        features.global_.float().cpu().numpy()
        if distribution.level == "global"
        else texture_vectors(features)
    )
    return float(feature_distance(vectors[0], distribution))


def _conclude(strengths: list[float], reasons: list[str], modality: str) -> Doubt | None:
    beyond = [each for each in strengths if each > 1]
    if len(beyond) > 1 or any(each > FAR for each in beyond):
        why = "; ".join(reasons)
        return Doubt(
            "stopped",
            f"This does not look like any {_title(modality)} that the model learned from ({why}), "
            "so its answers may mean nothing.",
        )
    if reasons:
        why = "; ".join(reasons)
        return Doubt("unusual", f"Unusual for a {_title(modality)}: {why}. Answers may be less reliable.")
    return None


def _title(modality: str) -> str:
    return MODALITIES[modality].title


def _turn_needed(shrunk: np.ndarray, layout: Layout) -> str | None:
    """How a picture hangs that fits the layout only when it is turned."""
    turned = {quarters: float(layout.residual(turn(shrunk, quarters))) for quarters in _TURNS}
    best = min(turned, key=turned.__getitem__)
    return _TURNS[best] if _puts_right(turned[best], shrunk, layout) else None


def _is_inverted(shrunk: np.ndarray, layout: Layout) -> bool:
    return _puts_right(float(layout.residual(-shrunk)), shrunk, layout)


def _puts_right(residual: float, shrunk: np.ndarray, layout: Layout) -> bool:
    return residual <= min(layout.limit, CLEARLY_BETTER * float(layout.residual(shrunk)))


def _shape_reasons(picture: Picture, appearance: Appearance) -> list[str]:
    height, width = picture.size
    reasons = []
    if min(height, width) < FEWEST_PIXELS:
        reasons.append(f"it has only {width} x {height} pixels")
    if picture.aspect > appearance.aspect:
        reasons.append(f"its long side is {picture.aspect:.1f} times its short side")
    return reasons


def _brightness_reason(measures: np.ndarray, colours: Colours) -> str:
    """What is odd about colours and brightness, in words."""
    odd = colours.deviations(measures)
    brightness, contrast = odd[BRIGHTNESS].mean(), odd[CONTRAST].mean()
    if abs(brightness) > max(ODD, abs(contrast)):
        return "it is much brighter than most" if brightness > 0 else "it is much darker than most"
    if abs(contrast) > ODD:
        return "its contrast is much higher than in most" if contrast > 0 else "it has little contrast"
    if np.ptp(measures[BRIGHTNESS]) > GRAY:
        return "its colours differ from those of most, as in another stain, filter or light"
    return "light and dark are spread over it in another way"
