"""Figures held against published worked examples and other implementations."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve
from statsmodels.stats.inter_rater import cohens_kappa as statsmodels_kappa

from afloc.evaluation import metrics
from afloc.feedback.analysis import resampling
from afloc.feedback.analysis.agreement import (
    cohen_interval,
    cohen_kappa,
    cohen_kappas,
    cross_tables,
    drawn,
    fleiss_kappa,
    intraclass,
    krippendorff_alpha,
    overlap,
)
from afloc.imaging.regions import Box, Outline

NAN = float("nan")

# The commonly reproduced worked example of Fleiss' kappa: 10 subjects, 14 raters, 5 categories; kappa 0.210.
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip

# Shrout and Fleiss (1979), table 2: 6 targets, 4 judges.
SHROUT = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", examples C and D: 4 observers, 12 units.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T


def test_cohen_s_kappa_of_the_worked_example():
    # 50 grant proposals: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no; kappa 0.4.
    first = [1] * 25 + [2] * 25
    second = [1] * 20 + [2] * 5 + [1] * 10 + [2] * 15
    assert cohen_kappa(first, second, 2) == pytest.approx(0.4, abs=1e-9)
    # By hand: p_o = 0.7, p_e = 0.5; variance of Fleiss, Cohen and Everitt (1969), eq. 13.
    share, rows, columns = np.array([[0.4, 0.1], [0.2, 0.3]]), np.array([0.5, 0.5]), np.array([0.6, 0.4])
    rest = share[0, 1] * (columns[0] + rows[1]) ** 2 + share[1, 0] * (columns[1] + rows[0]) ** 2
    inside = (np.diag(share) * (1 - (rows + columns) * 0.6) ** 2).sum()
    variance = (inside + 0.6**2 * rest - (0.4 - 0.5 * 0.6) ** 2) / (50 * 0.5**2)
    half = 1.959963984540054 * np.sqrt(variance)
    assert cohen_interval(first, second, 2) == pytest.approx((0.4, 0.4 - half, 0.4 + half), abs=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_cohen_s_kappa_as_scikit_learn_has_it(weighted):
    random = np.random.default_rng(0)
    for levels in (2, 3, 5):
        first = random.integers(1, levels + 1, 60)
        second = np.clip(first + random.integers(-1, 2, 60), 1, levels)
        expected = cohen_kappa_score(
            first, second, labels=range(1, levels + 1), weights="quadratic" if weighted else None
        )
        assert cohen_kappa(first, second, levels, weighted) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_cohen_s_kappa_of_all_pairs_with_intervals_as_statsmodels_has_them(weighted):
    random = np.random.default_rng(3)
    ratings = random.integers(1, 5, (50, 1)) + random.integers(0, 2, (50, 4)).astype(float)
    ratings[random.random(ratings.shape) < 0.1] = NAN
    tables = cross_tables(ratings, 5)
    found = np.array(cohen_kappas(tables, weighted))
    for a, b in ((0, 1), (1, 3), (2, 0)):
        expected = statsmodels_kappa(tables[a, b], wt="fc" if weighted else None)
        both = [expected.kappa, expected.kappa_low, expected.kappa_upp]
        assert found[:, a, b] == pytest.approx(both, abs=1e-9)


def test_fleiss_kappa_of_the_worked_example():
    ratings = np.array([np.repeat(np.arange(1, 6), counts) for counts in FLEISS])
    assert fleiss_kappa(ratings, 5) == pytest.approx(0.20993070442195522, abs=1e-9)
    assert fleiss_kappa(np.vstack([ratings, np.full(14, NAN)]), 5) == pytest.approx(0.2099307, abs=1e-6)


@pytest.mark.parametrize("level, expected", [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorff_s_alpha_of_the_worked_example(level, expected):
    assert krippendorff_alpha(KRIPPENDORFF, level) == pytest.approx(expected, abs=5e-4)


def test_alpha_without_missing_values_follows_from_fleiss_kappa():
    """Nominal alpha is 1 - (1 - kappa) (1 - 1 / (readers x cases))."""
    ratings = np.random.default_rng(1).integers(1, 4, (25, 4))
    expected = 1 - (1 - fleiss_kappa(ratings, 3)) * (1 - 1 / ratings.size)
    assert krippendorff_alpha(ratings, "nominal") == pytest.approx(expected, abs=1e-9)


def test_icc_of_the_worked_example():
    found = intraclass(SHROUT)
    published = {"1,1": 0.17, "2,1": 0.29, "3,1": 0.71, "1,k": 0.44, "2,k": 0.62, "3,k": 0.91}
    assert {key: round(value, 2) for key, value in found.items()} == published
    assert found == pytest.approx(icc_by_anova(SHROUT), abs=1e-9)
    assert intraclass(np.vstack([SHROUT, [1, NAN, 2, 3]])) == found


def icc_by_anova(ratings: np.ndarray) -> dict[str, float]:
    """Shrout and Fleiss from the mean squares of statsmodels' analysis of variance."""
    from statsmodels.api import stats
    from statsmodels.formula.api import ols

    n, k = ratings.shape
    index = np.indices(ratings.shape).reshape(2, -1)
    frame = pd.DataFrame({"case": index[0], "judge": index[1], "rating": ratings.ravel()})
    two = stats.anova_lm(ols("rating ~ C(case) + C(judge)", frame).fit())
    squares = two["sum_sq"] / two["df"]
    b, j, e = squares["C(case)"], squares["C(judge)"], squares["Residual"]
    one = stats.anova_lm(ols("rating ~ C(case)", frame).fit())
    w = one["sum_sq"]["Residual"] / one["df"]["Residual"]
    return {
        "1,1": (b - w) / (b + (k - 1) * w),
        "2,1": (b - e) / (b + (k - 1) * e + k * (j - e) / n),
        "3,1": (b - e) / (b + (k - 1) * e),
        "1,k": (b - w) / b,
        "2,k": (b - e) / (b + (j - e) / n),
        "3,k": (b - e) / b,
    }


def test_what_has_no_meaning_is_nan():
    assert np.isnan(cohen_kappa([], [], 3)) and np.isnan(cohen_interval([1, 1], [1, 1], 2)).all()
    assert np.isnan(fleiss_kappa(np.ones((3, 2)), 2)) and np.isnan(fleiss_kappa(np.full((0, 3), NAN), 2))
    assert np.isnan(krippendorff_alpha(np.full((3, 2), NAN)))
    assert all(np.isnan(value) for value in intraclass(np.ones((1, 3))).values())
    assert np.isnan(overlap(drawn([[], None]), drawn([[], []]))).all()


def test_overlap_is_that_of_the_pixels():
    random = np.random.default_rng(2)

    def boxes():
        return [
            Box(*(int(v) for v in (*random.integers(0, 30, 2), *random.integers(1, 20, 2)))) for _ in "ab"
        ]

    def mask(regions):
        pixels = np.zeros((50, 50), bool)
        for x, y, width, height in regions:
            pixels[y : y + height, x : x + width] = True
        return pixels

    pairs = [(boxes(), boxes()) for _ in range(50)]
    found = overlap(*(drawn(side) for side in zip(*pairs, strict=True)))
    expected = [metrics.iou(mask(first).astype(float), mask(second), 0.5) for first, second in pairs]
    assert found == pytest.approx(expected, abs=1e-9)


def test_overlap_of_outlines():
    square = [Box(0, 0, 10, 10)]
    triangle = [Outline(((0, 0), (10, 0), (0, 10)))]
    bow = [Outline(((0, 0), (10, 10), (10, 0), (0, 10)))]  # crosses itself: two triangles of 25
    found = overlap(drawn([square] * 3), drawn([triangle, bow, []]))
    assert found == pytest.approx([0.5, 0.5, 0], abs=1e-9)


def test_auc_and_roc_as_scikit_learn_has_them():
    random = np.random.default_rng(3)
    truth = random.random(60) < 0.4
    ratings = np.clip(np.rint(random.normal(2.5 + truth, 1.2, (3, 60))), 1, 5)
    ratings[1, 5:9] = NAN
    known = ~np.isnan(ratings)
    expected = [roc_auc_score(truth[k], mine[k]) for mine, k in zip(ratings, known, strict=True)]
    assert resampling.auc(ratings, truth) == pytest.approx(np.mean(expected), abs=1e-9)
    pooled = np.broadcast_to(truth, ratings.shape)[known]
    false, true, _ = sklearn_roc_curve(pooled, ratings[known], drop_intermediate=False)
    assert np.allclose(resampling.roc_curve(ratings, truth), [false, true], atol=1e-12)


def test_resampled_figures_are_those_of_the_cases_drawn():
    random = np.random.default_rng(4)
    truth = random.random(30) < 0.5
    ratings = random.integers(1, 6, (3, 30)).astype(float)
    ratings[0, 3] = NAN
    draws = resampling.draw(3, 30, 40)
    means, areas = resampling.weighted_means(ratings, draws), resampling.auc(ratings, truth, draws)
    for number in range(40):
        cases = np.repeat(np.arange(30), draws.cases[number].astype(int))
        readers = np.repeat(np.arange(3), draws.readers[number].astype(int))
        assert len(cases) == 30 and len(readers) == 3
        drawn = ratings[np.ix_(readers, cases)]
        assert means[number] == pytest.approx(np.nanmean(drawn), abs=1e-9)
        known = ~np.isnan(drawn)
        expected = [roc_auc_score(truth[cases][k], mine[k]) for mine, k in zip(drawn, known, strict=True)]
        assert areas[number] == pytest.approx(np.mean(expected), abs=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """With many readers and cases the percentile interval of a mean covers it in about 95% of samples."""
    random, hits = np.random.default_rng(5), 0
    for _ in range(200):
        values = random.normal(0, 1, (30, 1)) + random.normal(0, 1, (1, 40)) + random.normal(0, 1, (30, 40))
        found = resampling.mean(values, resampling.draw(30, 40, 300, seed=int(random.integers(1e9))))
        hits += found.low <= 0 <= found.high
    assert 0.88 <= hits / 200 <= 1


def test_relative_difference():
    unaided, aided = np.full((3, 8), 50.0), np.full((3, 8), 39.75)
    found = resampling.relative_difference(unaided, aided, resampling.draw(3, 8))
    assert (found.value, found.low, found.high) == pytest.approx((-0.205, -0.205, -0.205))
