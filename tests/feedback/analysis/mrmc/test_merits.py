import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from afloc.feedback.analysis.mrmc import merits


def test_figures_without_a_cluster_are_those_of_the_others():
    random = np.random.default_rng(0)
    truth, patients = random.random(40) < 0.5, merits.number(random.choice(list("abcdefghi"), 40))
    ratings = np.rint(random.normal(3 + truth, 1, (3, 40)))
    ratings[0, 7] = np.nan
    ratings[2, 5] = -np.inf  # located wrongly
    area, mean = merits.areas(ratings, truth, patients), merits.means(ratings[:2], patients)
    for cluster in (None, *range(9)):
        kept = np.ones(40, bool) if cluster is None else patients != cluster
        for row in range(3):
            known = kept & ~np.isnan(ratings[row])
            expected = roc_auc_score(truth[known], np.maximum(ratings[row, known], -100))
            found = area.values[row] if cluster is None else area.left_out[cluster, row]
            assert found == pytest.approx(expected, abs=1e-12)
        for row in range(2):
            found = mean.values[row] if cluster is None else mean.left_out[cluster, row]
            assert found == pytest.approx(np.nanmean(ratings[row, kept]), abs=1e-12)


def test_the_jackknife_of_a_mean_is_its_variance():
    values = np.random.default_rng(1).normal(size=(1, 50))
    found = merits.means(values, np.arange(50)).covariance()
    assert found[0, 0] == pytest.approx(values.var(ddof=1) / 50)


def test_a_figure_that_cannot_be_had_is_nan():
    found = merits.areas(np.ones((1, 4)), np.ones(4, bool), np.arange(4))
    assert np.isnan(found.values).all() and np.isnan(found.covariance()).all()
    one_left = merits.areas(np.array([[1.0, 2, 3]]), np.array([True, False, False]), np.arange(3))
    assert one_left.values[0] == 0 and np.isnan(one_left.covariance()).all()
