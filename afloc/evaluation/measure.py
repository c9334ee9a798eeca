"""How well one map agrees with one ground truth."""

import math
from dataclasses import dataclass

import numpy as np

from afloc.evaluation.metrics import (
    PAPER_THRESHOLDS,
    Curve,
    TruthRegions,
    center_distance,
    cnr,
    curve,
    pointing,
    rank_pixels,
    truth_regions,
)
from afloc.imaging.heatmap import min_max

FIXED_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Thresholds on the fixed scale, 0 … 1, among which the held-out threshold is chosen."""

METRICS = ("iou", "dice", "cnr", "pointing")
"""Those of the paper."""

RANKED = ("pixel_ap", "aupro", "center_distance_share")
"""Those that only the order of a map's values decides; no display curve changes them. Nor does one change
`pointing`."""

LOCALIZATION = (*METRICS, *RANKED)
"""All that the maps and the blind maps are measured in."""


@dataclass(frozen=True)
class LocalizationMetrics:
    """A map against a ground truth, after min-max of the map to [-1, 1] as in the paper.

    `iou` and `dice`: means over PAPER_THRESHOLDS, 0 … 1; `cnr`: signed; `pointing`: 0 … 1; `coverage`: the
    share of these thresholds that the map's maximum exceeds. `pixel_ap` and `aupro`: 0 … 1, see
    `rank_pixels`; `center_distance`: in pixels, see there, and as a share of the diagonal of the map. NaN
    where there is nothing to measure.
    """

    iou: float
    dice: float
    cnr: float
    pointing: float
    coverage: float
    pixel_ap: float
    aupro: float
    center_distance: float
    center_distance_share: float


def measure(
    heatmap: np.ndarray, mask: np.ndarray, regions: TruthRegions | None = None
) -> LocalizationMetrics:
    """The metrics of a map on any scale, (H, W), and a bool (H, W) mask. Cells that are NaN do not count.

    `regions`: of this mask, where they are known already.
    """
    stretched = min_max(heatmap)
    at = curve(stretched, mask, PAPER_THRESHOLDS)
    regions = truth_regions(mask) if regions is None else regions
    ranking = rank_pixels(heatmap, regions)
    distance = center_distance(heatmap, regions)
    return LocalizationMetrics(
        iou=float(at.iou.mean()),
        dice=float(at.dice.mean()),
        cnr=cnr(stretched, mask),
        pointing=pointing(stretched, mask),
        coverage=float((at.area > 0).mean()),
        pixel_ap=ranking.pixel_ap,
        aupro=ranking.aupro,
        center_distance=distance,
        center_distance_share=distance / math.hypot(*mask.shape),
    )


def fixed_curve(heatmap: np.ndarray, mask: np.ndarray) -> Curve:
    """IoU, Dice and area at FIXED_THRESHOLDS of a map on the fixed scale; an empty map has IoU 0."""
    return curve(heatmap, mask, FIXED_THRESHOLDS)


def without_nan(record: dict) -> dict:
    """The record with None for NaN, as JSON and Parquet need it."""
    return {
        key: None if isinstance(value, float) and value != value else value for key, value in record.items()
    }
