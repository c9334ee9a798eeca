"""How well a map agrees with ground truth. Cells that are NaN in the map count nowhere.

`heatmap` is (H, W) numbers, `mask` bool (H, W), True where the ground truth lies. A figure that has no
meaning, for want of ground truth or of anything outside it, is NaN.
"""

import numpy as np


def iou(heatmap: np.ndarray, mask: np.ndarray, threshold: float) -> float:
    """Intersection over union of `heatmap > threshold` and `mask`, 0 … 1."""
    predicted, truth = _binarise(heatmap, mask, threshold)
    if not truth.any():
        return float("nan")
    return float((predicted & truth).sum() / (predicted | truth).sum())


def dice(heatmap: np.ndarray, mask: np.ndarray, threshold: float) -> float:
    """Twice the intersection over the sum of the areas of `heatmap > threshold` and `mask`, 0 … 1."""
    predicted, truth = _binarise(heatmap, mask, threshold)
    if not truth.any():
        return float("nan")
    return float(2 * (predicted & truth).sum() / (predicted.sum() + truth.sum()))


def cnr(heatmap: np.ndarray, mask: np.ndarray) -> float:
    """Contrast-to-noise ratio, signed: (mean inside - mean outside) / sqrt(var inside + var outside).

    Population variances; 0 where the map is constant inside and outside, as in the released AFLoc code.
    """
    valid = ~np.isnan(heatmap)
    inside, outside = heatmap[valid & mask], heatmap[valid & ~mask]
    if not (inside.size and outside.size):
        return float("nan")
    noise = np.sqrt(inside.var(dtype=np.float64) + outside.var(dtype=np.float64))
    return float((inside.mean(dtype=np.float64) - outside.mean(dtype=np.float64)) / noise) if noise else 0.0


def pointing(heatmap: np.ndarray, mask: np.ndarray) -> float:
    """The pointing game: 1 where the maximum lies inside `mask`, 0 outside; a shared maximum counts in
    part."""
    valid = ~np.isnan(heatmap)
    if not (mask & valid).any():
        return float("nan")
    return float(mask[valid][heatmap[valid] == heatmap[valid].max()].mean())


def _binarise(heatmap: np.ndarray, mask: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    valid = ~np.isnan(heatmap)
    return heatmap[valid] > threshold, mask[valid]
