import pytest
from statsmodels.stats.proportion import proportion_confint

from afloc.intervals import wilson_interval


@pytest.mark.parametrize("count, of", [(0, 10), (5, 10), (10, 10), (1, 1), (81, 263)])
def test_intervals_are_those_of_statsmodels(count, of):
    assert wilson_interval(count / of, of) == pytest.approx(proportion_confint(count, of, method="wilson"))


def test_an_interval_by_hand():
    """Newcombe (Stat Med 1998), table I."""
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
