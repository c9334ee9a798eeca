"""Limits of what is usual among training images: no source gets more alarms than its share."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

ENOUGH = 100  # images that a source needs for a limit of its own; the smaller ones count together
ENOUGH_TOGETHER = 50  # images that these need


def weights_of(sources: Sequence[str]) -> np.ndarray:
    """The weight of each image, (n,), sum 1: a source weighs as the square root of its number of images.

    Large sources are known better, but should not decide alone what an image of the modality looks like.
    """
    counts = Counter(sources)
    weights = np.array([counts[source] ** -0.5 for source in sources])
    return weights / weights.sum()


def share_limit(values: ArrayLike, share: float, sources: Sequence[str]) -> float:
    """A limit, to four digits, that at least `share` of the values of every source stay within, and of all
    values by their weights."""
    numbers, counts = np.asarray(values, np.float64), Counter(sources)
    groups = np.array([source if counts[source] >= ENOUGH else "" for source in sources])
    limits = [np.quantile(numbers, share, weights=weights_of(sources), method="inverted_cdf")]
    for group in np.unique(groups):
        if (groups == group).sum() >= (ENOUGH if group else ENOUGH_TOGETHER):
            limits.append(np.quantile(numbers[groups == group], share, method="inverted_cdf"))
    return float(f"{1.001 * max(limits):.4g}")  # rounding takes less than a thousandth away
