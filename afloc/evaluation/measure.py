"""How well one map agrees with one ground truth."""

from dataclasses import dataclass

import numpy as np

from afloc.evaluation.metrics import PAPER_THRESHOLDS, Curve, cnr, curve, pointing
from afloc.imaging.heatmap import min_max

FIXED_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Thresholds on the fixed scale, 0 … 1, among which the held-out threshold is chosen."""

METRICS = ("iou", "dice", "cnr", "pointing")


@dataclass(frozen=True)
class LocalizationMetrics:
    """A map against a ground truth, after min-max of the map to [-1, 1] as in the paper.

    `iou` and `dice`: means over PAPER_THRESHOLDS, 0 … 1; `cnr`: signed; `pointing`: 0 … 1; `coverage`: the
    share of these thresholds that the map's maximum exceeds. NaN where there is nothing to measure.
    """

    iou: float
    dice: float
    cnr: float
    pointing: float
    coverage: float


def measure(heatmap: np.ndarray, mask: np.ndarray) -> LocalizationMetrics:
    """The metrics of a map on any scale, (H, W), and a bool (H, W) mask. Cells that are NaN do not count."""
    stretched = min_max(heatmap)
    at = curve(stretched, mask, PAPER_THRESHOLDS)
    return LocalizationMetrics(
        iou=float(at.iou.mean()),
        dice=float(at.dice.mean()),
        cnr=cnr(stretched, mask),
        pointing=pointing(stretched, mask),
        coverage=float((at.area > 0).mean()),
    )


def fixed_curve(heatmap: np.ndarray, mask: np.ndarray) -> Curve:
    """IoU, Dice and area at FIXED_THRESHOLDS of a map on the fixed scale; an empty map has IoU 0."""
    return curve(heatmap, mask, FIXED_THRESHOLDS)


def without_nan(record: dict) -> dict:
    """The record with None for NaN, as JSON and Parquet need it."""
    return {
        key: None if isinstance(value, float) and value != value else value for key, value in record.items()
    }
