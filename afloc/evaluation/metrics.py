"""How well a map agrees with ground truth. Cells that are NaN in the map count nowhere.

`heatmap` is (H, W) numbers, `mask` bool (H, W), True where the ground truth lies. A figure is NaN where it is
not defined, because the ground truth is empty or covers everything.

IoU and Dice of a native map are taken twice: after min-max to [-1, 1] per image, as the mean over
PAPER_THRESHOLDS (the protocol of the paper, in which every map has a high spot), and on the fixed scale at
one threshold, where an empty map counts 0. A steeper display curve raises both. `rank_pixels` and
`center_distance` hold on to the order of the values alone, so no such curve changes them.
"""

from dataclasses import dataclass
from typing import overload

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

PAPER_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
PRO_LIMIT = 0.3  # false positive rate of the pixels up to which AUPRO counts (Bergmann et al.)
_TOUCHING = np.ones((3, 3), bool)  # pixels that touch at a corner belong together


@dataclass(frozen=True)
class Curve:
    """Agreement at each of `thresholds`; arrays of their length.

    `iou`, `dice`: 0 … 1, NaN without ground truth. `area`: the share of the map above the threshold.
    """

    thresholds: np.ndarray
    iou: np.ndarray
    dice: np.ndarray
    area: np.ndarray


def curve(heatmap: np.ndarray, mask: np.ndarray, thresholds: np.ndarray | tuple[float, ...]) -> Curve:
    """`iou`, `dice` and area at all of `thresholds`, (n,) and rising, in one pass over the map."""
    valid = ~np.isnan(heatmap)
    values, truth = heatmap[valid], mask[valid]
    levels = np.asarray(thresholds, values.dtype if values.dtype.kind == "f" else float)
    passed = np.searchsorted(levels, values, side="left")  # how many thresholds lie below each value
    counts = np.bincount(passed, minlength=len(levels) + 1)
    inside = np.bincount(passed[truth], minlength=len(levels) + 1)
    predicted = counts[::-1].cumsum()[::-1][1:]
    both = inside[::-1].cumsum()[::-1][1:]
    size = truth.sum()
    nothing = np.full(len(levels), np.nan)
    return Curve(
        np.asarray(thresholds, float),
        both / (predicted + size - both) if size else nothing,
        2 * both / (predicted + size) if size else nothing,
        predicted / max(1, values.size),
    )


def iou(heatmap: np.ndarray, mask: np.ndarray, threshold: float) -> float:
    """Intersection over union (Jaccard 1912) of `heatmap > threshold` and `mask`, 0 … 1."""
    predicted, truth = _binarise(heatmap, mask, threshold)
    if not truth.any():
        return float("nan")
    return float((predicted & truth).sum() / (predicted | truth).sum())


def dice(heatmap: np.ndarray, mask: np.ndarray, threshold: float) -> float:
    """Twice the intersection over the sum of the areas (Dice 1945), of the same two, 0 … 1."""
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
    """The pointing game (Zhang et al. 2016, arXiv 1608.00507): 1 if the maximum lies inside `mask`, else 0.

    A maximum that several pixels share counts by the share of them inside.
    """
    valid = ~np.isnan(heatmap)
    if not (mask & valid).any():
        return float("nan")
    return float(mask[valid][heatmap[valid] == heatmap[valid].max()].mean())


@dataclass(frozen=True)
class TruthRegions:
    """The connected parts of a ground truth. `labels`: int (H, W), 0 outside, else the number of the part,
    from 1; `centers` (parts, 2): row and column of each part's centre of mass."""

    labels: np.ndarray
    centers: np.ndarray


def truth_regions(mask: np.ndarray) -> TruthRegions:
    """The connected parts of a bool (H, W) mask; pixels that touch at a corner belong together."""
    labels, count = ndimage.label(mask, _TOUCHING)
    places = np.nonzero(labels)
    region = labels[places] - 1
    sums = [np.bincount(region, place, count) for place in places]
    return TruthRegions(labels, np.stack(sums, axis=1) / np.bincount(region, minlength=count)[:, None])


@dataclass(frozen=True)
class PixelRanking:
    """What the order of a map's pixels is worth; no rising curve laid over the map changes it.

    `pixel_ap`: average precision of the pixels, 0 … 1; a map by chance has the share that the ground truth
    covers. `aupro`: the mean share of each region that is found, averaged over the false positive rates of
    the pixels from 0 to PRO_LIMIT, 0 … 1; by chance 0.15 (Bergmann et al. 2021, IJCV 129, of one image).
    Pixels of one value are found together. NaN where the ground truth is empty or covers everything.
    """

    pixel_ap: float
    aupro: float


def rank_pixels(heatmap: np.ndarray, regions: TruthRegions) -> PixelRanking:
    """The order of a map's pixels against the regions of its ground truth."""
    heatmap, labels = heatmap.reshape(-1), regions.labels.reshape(-1)
    if (unknown := np.isnan(heatmap)).any():
        heatmap, labels = heatmap[~unknown], labels[~unknown]
    truth = labels > 0
    inside, region = heatmap[truth], labels[truth]
    size = heatmap.size - inside.size  # of what lies outside
    if not (inside.size and size):
        return PixelRanking(float("nan"), float("nan"))
    order = np.argsort(inside)
    inside, region = inside[order], region[order]
    outside = np.sort(heatmap[~truth & (heatmap >= inside[0])])  # the others lie below all that is inside
    # How many pixels outside lie above each one inside, and how many do not lie below it.
    not_below = outside.size - np.searchsorted(outside, inside, side="left")
    above, tied, some = not_below.copy(), np.zeros(inside.size, bool), not_below > 0
    tied[some] = outside[-not_below[some]] == inside[some]
    above[tied] = outside.size - np.searchsorted(outside, inside[tied], side="right")
    found = inside.size - np.searchsorted(inside, inside, side="left")
    sizes = np.bincount(region)
    weights = 1 / sizes[region] / np.count_nonzero(sizes)
    # A pixel is found from rate `first` on; where pixels outside share its value, bit by bit until `last`.
    first, last = above / size, not_below / size
    partly = np.clip(PRO_LIMIT - first, 0, last - first)
    ramp = np.divide(partly**2, 2 * (last - first), out=np.zeros(len(first)), where=tied)
    area = (weights * (ramp + np.maximum(0, PRO_LIMIT - last))).sum()
    return PixelRanking(float(np.mean(found / (found + not_below))), float(area / PRO_LIMIT))


def center_distance(heatmap: np.ndarray, regions: TruthRegions) -> float:
    """From the map's maximum to the center of the nearest region of the ground truth, in pixels.

    Where several pixels share the maximum, the mean over them: a flat map is far from a small region. NaN for
    an empty ground truth.
    """
    if not len(regions.centers) or np.isnan(heatmap).all():
        return float("nan")
    peaks = np.argwhere(heatmap == np.nanmax(heatmap))
    return float(KDTree(regions.centers).query(peaks)[0].mean())


def _binarise(heatmap: np.ndarray, mask: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    valid = ~np.isnan(heatmap)
    return heatmap[valid] > threshold, mask[valid]


@overload
def auroc(scores: np.ndarray, positive: np.ndarray) -> float: ...
@overload
def auroc(
    scores: np.ndarray, positive: np.ndarray, weights: np.ndarray, credit: np.ndarray | None = None
) -> np.ndarray: ...
def auroc(
    scores: np.ndarray,
    positive: np.ndarray,
    weights: np.ndarray | None = None,
    credit: np.ndarray | None = None,
) -> np.ndarray | float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half.

    `scores`, `positive` (n,). With `weights` (k, n), how often each case counts: the k areas. NaN where one
    of the two classes is missing. (Hanley & McNeil 1982: the Mann-Whitney statistic.) `credit` (n,), 0 … 1:
    what a positive's being above counts, 1 unless given; for LROC, whether its place is right.
    """
    order = np.argsort(scores, kind="stable")
    scores, positive = np.asarray(scores)[order], np.asarray(positive, bool)[order]
    each = np.ones((1, len(scores))) if weights is None else np.asarray(weights, float)[:, order]
    if not len(scores):
        return float("nan") if weights is None else np.full(len(each), np.nan)
    starts = np.flatnonzero(np.r_[True, scores[1:] != scores[:-1]])  # one group for each distinct score
    up = np.add.reduceat(each * positive, starts, axis=1)
    worth = up if credit is None else np.add.reduceat(each * positive * credit[order], starts, axis=1)
    down = np.add.reduceat(each * ~positive, starts, axis=1)
    pairs = up.sum(1) * down.sum(1)
    won = (worth * (down.cumsum(1) - down / 2)).sum(1)
    areas = np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return float(areas[0]) if weights is None else areas


def sensitivity(judged: np.ndarray, positive: np.ndarray) -> float:
    """The share of the positive cases that are judged present; NaN without any."""
    return float(judged[positive].mean()) if positive.any() else float("nan")


def specificity(judged: np.ndarray, positive: np.ndarray) -> float:
    """The share of the negative cases that are judged absent; NaN without any."""
    return sensitivity(~judged, ~positive)
