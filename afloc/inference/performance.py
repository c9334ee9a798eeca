"""How well verdicts are known to do, from the counts on held-back images."""

import math

from afloc.inference.finding import Performance
from afloc.model.calibration import VerdictCounts

Z = 1.959964  # of a 95% interval
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
        wilson_interval(counts.hits, counts.n_present),
        wilson_interval(counts.rejections, counts.n_absent),
        counts.ill,
        counts.healthy,
        reliable=sensitivity >= LEAST_SENSITIVITY,
    )


def wilson_interval(count: int, of: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson, 1927), to four digits."""
    share, z = count / of, Z * Z / of
    centre = (share + z / 2) / (1 + z)
    half = Z * math.sqrt(share * (1 - share) / of + z / (4 * of)) / (1 + z)
    return round(max(0.0, centre - half), 4), round(min(1.0, centre + half), 4)
