"""What one map is worth against one ground truth."""

from dataclasses import dataclass

import numpy as np

from afloc.evaluation.metrics import PAPER_THRESHOLDS, Curve, cnr, curve, pointing
from afloc.imaging.heatmap import min_max

FIXED_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Thresholds on the fixed scale, 0 … 1, from which the honest protocol chooses."""

METRICS = ("iou", "dice", "cnr", "pointing")


@dataclass(frozen=True)
class Agreement:
    """A map, stretched to [-1, 1] as published, against a ground truth.

    `iou` and `dice`: means over PAPER_THRESHOLDS, 0 … 1; `cnr`: signed; `pointing`: 0 … 1; `coverage`: the
    share of these thresholds that anything of the map exceeds. NaN where there is nothing to measure.
    """

    iou: float
    dice: float
    cnr: float
    pointing: float
    coverage: float


def measure(heatmap: np.ndarray, mask: np.ndarray) -> Agreement:
    """Hold a map on any scale, (H, W) with NaN where it has no say, against a bool (H, W) mask."""
    stretched = min_max(heatmap)
    at = curve(stretched, mask, PAPER_THRESHOLDS)
    return Agreement(
        iou=float(at.iou.mean()),
        dice=float(at.dice.mean()),
        cnr=cnr(stretched, mask),
        pointing=pointing(stretched, mask),
        coverage=float((at.area > 0).mean()),
    )


def fixed_curve(heatmap: np.ndarray, mask: np.ndarray) -> Curve:
    """Agreement at FIXED_THRESHOLDS of a map on the fixed scale; where nothing exceeds one, IoU is 0."""
    return curve(heatmap, mask, FIXED_THRESHOLDS)


def without_nan(record: dict) -> dict:
    return {
        key: None if isinstance(value, float) and value != value else value for key, value in record.items()
    }
