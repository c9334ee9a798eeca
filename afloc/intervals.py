"""The 95% interval of a share."""

import math

NORMAL_95 = 1.959963984540054  # of the normal distribution, 95% lie within so many standard deviations


def wilson_interval(share: float, count: float) -> tuple[float, float]:
    """The ends of a share of `count` cases, within 0 … 1 (Wilson, 1927). `count` need not be whole: cases
    that depend on each other are worth fewer."""
    squared = NORMAL_95**2
    middle = (share + squared / (2 * count)) / (1 + squared / count)
    half = math.sqrt(share * (1 - share) / count + squared / (4 * count**2)) / (1 + squared / count)
    return max(0.0, middle - NORMAL_95 * half), min(1.0, middle + NORMAL_95 * half)
