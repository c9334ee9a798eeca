"""95% bootstrap intervals (Efron 1979, percentile interval): patients are drawn with replacement 1,000 times.

The draws are seeded, so that the same cases give the same interval.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

SAMPLES = 1000
SEED = 0
_BLOCK = 4_000_000  # weights held at a time


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray], patients: Sequence[str] | np.ndarray
) -> np.ndarray:
    """95% intervals (m, 2) of the m figures of a statistic.

    `statistic` takes weights (k, n), how often each of n cases counts in each of k samples, and gives (k, m);
    NaN where a sample holds nothing to compute it from. `patients` (n,): the cases of one are drawn together.
    """
    figures = np.concatenate([statistic(weights) for weights in _draw(patients)])
    intervals = np.full((figures.shape[1], 2), np.nan)
    if (known := ~np.isnan(figures).all(0)).any():
        intervals[known] = np.nanpercentile(figures[:, known], (2.5, 97.5), axis=0).T
    return intervals


def _draw(patients: Sequence[str] | np.ndarray) -> Iterator[np.ndarray]:
    names, index = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    random = np.random.default_rng(SEED)
    block = max(1, _BLOCK // max(1, len(index)))
    for start in range(0, SAMPLES, block):
        size = min(block, SAMPLES - start)
        drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=size)
        yield drawn[:, index].astype(np.float32)
