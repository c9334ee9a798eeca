"""Sensitivity and specificity of a verdict, from its counts."""

import pytest

from afloc.inference.performance import performance_of, wilson_interval
from afloc.model.calibration import VerdictCounts


@pytest.mark.parametrize(
    "count, of, interval",
    [(0, 10, (0.0, 0.2775)), (5, 10, (0.2366, 0.7634)), (10, 10, (0.7225, 1.0)), (81, 263, (0.2553, 0.3662))],
)
def test_intervals_are_those_of_wilson(count, of, interval):
    """Newcombe (Stat Med 1998) gives the last one."""
    assert wilson_interval(count, of) == pytest.approx(interval, abs=1e-4)


def test_a_verdict_that_misses_nearly_all_is_not_reliable():
    good = performance_of(VerdictCounts(10, 50, hits=8, rejections=45))
    assert (good.sensitivity, good.specificity, good.reliable) == (0.8, 0.9, True)
    assert good.sensitivity_ci95[0] < 0.8 < good.sensitivity_ci95[1]
    assert not performance_of(VerdictCounts(50, 50, hits=5, rejections=50)).reliable


def test_what_was_not_counted_is_not_known():
    assert performance_of(None) is None
    assert performance_of(VerdictCounts(0, 50, hits=0, rejections=50)) is None
