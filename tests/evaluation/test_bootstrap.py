import numpy as np
import pytest
from scipy import stats

from afloc.evaluation.bootstrap import FEWEST_CLUSTERS, SAMPLES, bca, bootstrap


def mean_of(values):
    return lambda weights: (weights @ values / weights.sum(1))[:, None]


def test_the_interval_of_a_mean_is_that_of_its_sampling():
    random = np.random.default_rng(0)
    values = random.normal(3, 2, 400)
    names = [str(i) for i in range(400)]
    low, high = bootstrap(mean_of(values), names)[0]
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.05)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert (low, high) == tuple(bootstrap(mean_of(values), names)[0])
    # Four cases of a patient that agree are worth one.
    wide = bootstrap(mean_of(np.repeat(values[:100], 4)), np.repeat(np.arange(100), 4))
    assert np.diff(wide[0]) == pytest.approx(2 * 1.96 * values[:100].std() / 10, rel=0.15)


def test_the_interval_is_the_bca_of_scipy():
    """Of a skewed sample, where it differs from plain percentiles; both draw at random."""
    values = np.random.default_rng(1).lognormal(0, 1, 40)
    found = bootstrap(mean_of(values), np.arange(40))[0]
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=0)
    assert tuple(found) == pytest.approx(tuple(expected.confidence_interval), rel=0.04)
    plain = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=0)
    assert found[1] > plain.confidence_interval.high * 1.04


def test_no_interval_for_fewer_than_ten_patients():
    values = np.arange(40.0)
    for patients in (1, 2, 3, 5, FEWEST_CLUSTERS - 1):
        assert np.isnan(bootstrap(mean_of(values), np.arange(40) % patients)).all()
    assert not np.isnan(bootstrap(mean_of(values), np.arange(40) % FEWEST_CLUSTERS)).any()


def test_missing_and_constant_figures():
    drawn = np.random.default_rng(2).normal(size=(SAMPLES, 3))
    drawn[:, 1], drawn[:, 2] = np.nan, 0.5
    drawn[::2, 0] = np.nan
    found = bca(np.array([0, np.nan, 0.5]), drawn, np.zeros((12, 3)))
    assert found[0] == pytest.approx([-1.96, 1.96], abs=0.25)
    assert np.isnan(found[1]).all() and found[2] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("patients", [10, 20])
def test_intervals_hold_the_truth_as_often_as_they_say(patients, long):
    """Of a mean of ten or twenty skewed values they still fall short: 0.90 and 0.92 (of two values: 0.5)."""
    random, studies = np.random.default_rng(3), 2000 if long else 150
    drawn = (random.gamma(4, 0.25, patients) for _ in range(studies))
    held = sum(
        low <= 1 <= high for values in drawn for low, high in bootstrap(mean_of(values), range(patients))
    )
    print(f"coverage {held / studies:.3f} of {studies} samples of {patients} patients")
    assert 0.89 - 2 * (0.05 / studies) ** 0.5 <= held / studies <= 0.97 + 2 * (0.05 / studies) ** 0.5


def test_an_interval_does_not_depend_on_how_its_figure_is_rounded():
    """Sums are rounded otherwise where more columns are multiplied at once; many samples equal the whole."""
    random = np.random.default_rng(5)
    for _ in range(20):
        mean = mean_of(random.integers(0, 3, 30) / random.integers(2, 12))

        def rounded(weights, mean=mean):
            return mean(weights) + random.normal(scale=1e-16, size=(len(weights), 1))

        assert bootstrap(rounded, range(30)) == pytest.approx(bootstrap(mean, range(30)), abs=1e-9)
