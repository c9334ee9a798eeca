"""Sensitivity and specificity of a verdict, from its counts."""

from afloc.inference.performance import performance_of
from afloc.model.calibration import VerdictCounts


def test_a_verdict_that_misses_nearly_all_is_not_reliable():
    good = performance_of(VerdictCounts(10, 50, hits=8, rejections=45))
    assert (good.sensitivity, good.specificity, good.reliable) == (0.8, 0.9, True)
    assert good.sensitivity_ci95 == (0.4902, 0.9433) and good.specificity_ci95 == (0.7864, 0.9565)
    assert not performance_of(VerdictCounts(50, 50, hits=5, rejections=50)).reliable


def test_what_was_not_counted_is_not_known():
    assert performance_of(None) is None
    assert performance_of(VerdictCounts(0, 50, hits=0, rejections=50)) is None
