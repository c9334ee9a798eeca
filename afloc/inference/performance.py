"""How well verdicts are known to do, from the counts on held-back images."""

from afloc.inference.finding import Performance
from afloc.intervals import wilson_interval
from afloc.model.calibration import VerdictCounts

LEAST_SENSITIVITY = 0.2  # a verdict that flags fewer of those who have the finding says next to nothing


def performance_of(counts: VerdictCounts | None) -> Performance | None:
    """Sensitivity and specificity with their intervals; None where nothing was counted."""
    if counts is None or not (counts.n_present and counts.n_absent):
        return None
    sensitivity, specificity = counts.hits / counts.n_present, counts.rejections / counts.n_absent
    return Performance(
        counts.n_present,
        counts.n_absent,
        round(sensitivity, 4),
        round(specificity, 4),
        _interval(sensitivity, counts.n_present),
        _interval(specificity, counts.n_absent),
        counts.ill,
        counts.healthy,
        reliable=sensitivity >= LEAST_SENSITIVITY,
    )


def _interval(share: float, count: int) -> tuple[float, float]:
    low, high = wilson_interval(share, count)
    return round(low, 4), round(high, 4)
