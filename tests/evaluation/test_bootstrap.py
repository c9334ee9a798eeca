import numpy as np
import pytest

from afloc.evaluation.bootstrap import bootstrap


def test_the_interval_of_a_mean_is_that_of_its_sampling():
    random = np.random.default_rng(0)
    values = random.normal(3, 2, 400)
    mean = lambda weights: (weights @ values / weights.sum(1))[:, None]  # noqa: E731
    low, high = bootstrap(mean, [str(i) for i in range(400)])[0]
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.05)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    again = bootstrap(mean, [str(i) for i in range(400)])[0]
    assert (low, high) == tuple(again)
    # Four cases of a patient that agree are worth one.
    wide = bootstrap(
        lambda w: (w @ np.repeat(values[:100], 4) / w.sum(1))[:, None], np.repeat(np.arange(100), 4)
    )
    assert np.diff(wide[0]) == pytest.approx(2 * 1.96 * values[:100].std() / 10, rel=0.15)
