import numpy as np
import pytest
from sklearn.metrics import roc_curve as sklearn_roc_curve

from afloc.evaluation.bootstrap import bootstrap
from afloc.feedback.analysis.resampling import roc_curve, row_means

NAN = float("nan")


def test_the_curve_as_scikit_learn_has_it():
    random = np.random.default_rng(3)
    truth = random.random(60) < 0.4
    ratings = np.clip(np.rint(random.normal(2.5 + truth, 1.2, (3, 60))), 1, 5)
    ratings[1, 5:9] = NAN
    known = ~np.isnan(ratings)
    pooled = np.broadcast_to(truth, ratings.shape)[known]
    false, true, _ = sklearn_roc_curve(pooled, ratings[known], drop_intermediate=False)
    assert np.allclose(roc_curve(ratings, truth), [false, true], atol=1e-12)


def test_means_have_the_interval_of_an_evaluation():
    random = np.random.default_rng(4)
    values, clusters = random.random((3, 60)), np.arange(60) // 2
    values[1, :7], values[2, 4:] = NAN, NAN
    found = row_means(values, clusters)
    for row, each in zip(values[:2], found, strict=False):
        known = ~np.isnan(row)
        mean = lambda w, row=row, known=known: (w[:, known] @ row[known] / w[:, known].sum(1))[:, None]  # noqa: E731
        assert each.value == pytest.approx(np.nanmean(row))
        assert (each.low, each.high) == pytest.approx(tuple(bootstrap(mean, clusters)[0]), abs=0.01)
    assert (
        found[2].value == pytest.approx(np.nanmean(values[2]))
        and np.isnan([found[2].low, found[2].high]).all()
    )
    assert vars(row_means(np.full((1, 60), 0.9), clusters)[0]) == pytest.approx(
        dict(value=0.9, low=0.9, high=0.9)
    )


def test_cases_of_one_image_are_drawn_together():
    """Four cases of each image that agree are worth one: the interval is twice as wide."""
    values = np.repeat(np.random.default_rng(5).random(50), 4)[None]
    apart, together = (row_means(values, each)[0] for each in (np.arange(200), np.arange(200) // 4))
    assert together.high - together.low == pytest.approx(2 * (apart.high - apart.low), rel=0.15)
