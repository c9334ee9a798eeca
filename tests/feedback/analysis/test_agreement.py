"""Figures held against published worked examples and other implementations."""

import krippendorff
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.api import stats
from statsmodels.formula.api import mixedlm, ols
from statsmodels.stats.inter_rater import cohens_kappa as statsmodels_kappa

from afloc.feedback.analysis.agreement import (
    alphas,
    cohen_kappas,
    coincidences,
    cross_tables,
    fleiss_kappas,
    fleiss_sums,
    icc_sums,
    iccs,
    interval,
    mean_kappa,
)

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


def cohen_kappa(first, second, levels, weighted=False):
    """Of two readers' answers 1 … `levels` on the same cases."""
    return float(cohen_kappas(cross_tables(np.array([first, second], float).T, levels).total[0, 1], weighted))


def fleiss_kappa(ratings, levels):
    return float(fleiss_kappas(fleiss_sums(ratings, levels, one_group(ratings)).total))


def krippendorff_alpha(ratings, levels, level="ordinal"):
    return float(alphas(coincidences(ratings, levels, one_group(ratings)).total, level))


def intraclass(ratings):
    return float(iccs(icc_sums(ratings, one_group(ratings)).total))


def one_group(ratings):
    return np.zeros(len(ratings), int)


def test_cohen_s_kappa_of_the_worked_example():
    # 50 grant proposals: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no; kappa 0.4.
    first = [1] * 25 + [2] * 25
    second = [1] * 20 + [2] * 5 + [1] * 10 + [2] * 15
    assert cohen_kappa(first, second, 2) == pytest.approx(0.4, abs=1e-9)


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
def test_cohen_s_kappa_of_all_pairs_as_statsmodels_has_them(weighted):
    """Also its interval, but near 1: there statsmodels' goes beyond, ours does not."""
    random = np.random.default_rng(3)
    ratings = random.integers(1, 5, (50, 1)) + random.integers(0, 2, (50, 4)).astype(float)
    ratings[random.random(ratings.shape) < 0.1] = NAN
    sums = cross_tables(ratings, 5, np.arange(50))
    found, without = (cohen_kappas(each, weighted) for each in (sums.total, sums.left_out))
    for a, b in ((0, 1), (1, 3), (2, 0)):
        expected = statsmodels_kappa(sums.total[a, b], wt="fc" if weighted else None)
        assert found[a, b] == pytest.approx(expected.kappa, abs=1e-9)
        ends = interval(found[a, b], without[:, a, b], 50)
        assert ends == pytest.approx((expected.kappa_low, expected.kappa_upp), abs=0.05)
    # One of thirty differs: 0.93, by Fleiss, Cohen and Everitt up to 1.07.
    pair = np.column_stack([np.arange(30) % 2 + 1, np.arange(30) % 2 + 1.0])
    pair[0, 1] = 2
    sums = cross_tables(pair, 2, np.arange(30))
    kappa, without = (cohen_kappas(each)[..., 0, 1] for each in (sums.total, sums.left_out))
    assert statsmodels_kappa(sums.total[0, 1]).kappa_upp > 1
    low, high = interval(float(kappa), without, 30)
    assert 0.5 < low < kappa < high < 1
    assert np.isnan(interval(float(kappa), without, 9)).all()  # thirty cases of nine patients


def test_fleiss_kappa_of_the_worked_example():
    ratings = np.array([np.repeat(np.arange(1, 6), counts) for counts in FLEISS])
    assert fleiss_kappa(ratings, 5) == pytest.approx(0.20993070442195522, abs=1e-9)
    assert fleiss_kappa(np.vstack([ratings, np.full(14, NAN)]), 5) == pytest.approx(0.2099307, abs=1e-6)


@pytest.mark.parametrize("level, expected", [("nominal", 0.743), ("ordinal", 0.815)])
def test_krippendorff_s_alpha_of_the_worked_example(level, expected):
    assert krippendorff_alpha(KRIPPENDORFF, 5, level) == pytest.approx(expected, abs=5e-4)


def test_alpha_without_missing_values_follows_from_fleiss_kappa():
    """Nominal alpha is 1 - (1 - kappa) (1 - 1 / (readers x cases))."""
    ratings = np.random.default_rng(1).integers(1, 4, (25, 4))
    expected = 1 - (1 - fleiss_kappa(ratings, 3)) * (1 - 1 / ratings.size)
    assert krippendorff_alpha(ratings, 3, "nominal") == pytest.approx(expected, abs=1e-9)


def test_alpha_as_its_package_has_it():
    random = np.random.default_rng(6)
    ratings = np.clip(random.integers(1, 5, (40, 1)) + random.integers(-1, 2, (40, 4)), 1, 5).astype(float)
    ratings[random.random(ratings.shape) < 0.2] = NAN
    for level in ("nominal", "ordinal"):
        expected = krippendorff.alpha(ratings.T, level_of_measurement=level)
        assert krippendorff_alpha(ratings, 5, level) == pytest.approx(expected, abs=1e-9)


def test_icc_of_the_worked_example():
    assert round(intraclass(SHROUT), 2) == 0.29
    assert intraclass(SHROUT) == pytest.approx(icc_by_anova(SHROUT), abs=1e-9)


def icc_by_anova(ratings: np.ndarray) -> float:
    """ICC(2,1) of Shrout and Fleiss from the mean squares of statsmodels' analysis of variance."""
    n, k = ratings.shape
    index = np.indices(ratings.shape).reshape(2, -1)
    frame = pd.DataFrame({"case": index[0], "judge": index[1], "rating": ratings.ravel()})
    two = stats.anova_lm(ols("rating ~ C(case) + C(judge)", frame).fit())
    squares = two["sum_sq"] / two["df"]
    b, j, e = squares["C(case)"], squares["C(judge)"], squares["Residual"]
    return (b - e) / (b + (k - 1) * e + k * (j - e) / n)


def test_icc_with_missing_readings_as_statsmodels_mixed_model_has_it():
    """Readers and cases as crossed random effects, by restricted maximum likelihood."""
    random = np.random.default_rng(7)
    ratings = random.normal(0, 1, (40, 1)) + random.normal(0, 0.5, (1, 5)) + random.normal(0, 0.7, (40, 5))
    ratings[random.random(ratings.shape) < 0.15] = NAN
    case, judge = np.nonzero(~np.isnan(ratings))
    frame = pd.DataFrame({"rating": ratings[case, judge], "case": case, "judge": judge, "one": 1})
    parts = {"case": "0 + C(case)", "judge": "0 + C(judge)"}
    fitted = mixedlm("rating ~ 1", frame, groups="one", vc_formula=parts).fit(method="lbfgs")
    between, judges = fitted.vcomp
    assert intraclass(ratings) == pytest.approx(between / (between + judges + fitted.scale), abs=0.02)


def test_a_reader_who_has_just_begun_does_not_sink_the_others():
    """Three readers of 100 cases, and a fourth with three of them, on which all differ."""
    random = np.random.default_rng(0)
    cases = random.integers(1, 6, (100, 1))
    ratings = np.clip(cases + random.integers(-1, 2, (100, 4)), 1, 5).astype(float)
    ratings[:3, 3] = 6 - cases[:3, 0]
    ratings[3:, 3] = NAN
    three = ratings[:, :3]
    assert fleiss_kappa(ratings, 5) == pytest.approx(fleiss_kappa(three, 5), abs=0.02)
    assert krippendorff_alpha(ratings, 5) == pytest.approx(krippendorff_alpha(three, 5), abs=0.03)
    assert intraclass(ratings) == pytest.approx(intraclass(three), abs=0.05)
    kappas = [mean_kappa(cross_tables(each, 5).total, True) for each in (ratings, three)]
    assert kappas[0] == pytest.approx(kappas[1], abs=0.03)


def test_intervals_hold_the_truth_as_often_as_they_say(long):
    """The ICC of simulated readers."""
    random, studies, held = np.random.default_rng(8), 1000 if long else 100, 0
    for _ in range(studies):
        ratings = random.normal(0, 1, (40, 1)) + random.normal(0, 0.7, (40, 6))
        sums = icc_sums(ratings, np.arange(40))
        low, high = interval(float(iccs(sums.total)), iccs(sums.left_out), 40)
        held += low <= 1 / 1.49 <= high
    print(f"coverage {held / studies:.3f} of {studies} studies")
    assert held / studies == pytest.approx(0.95, abs=0.02 if long else 0.06)


def test_what_has_no_meaning_is_nan():
    assert np.isnan(cohen_kappa([], [], 3)) and np.isnan(cohen_kappa([1, 1], [1, 1], 2))
    assert np.isnan(fleiss_kappa(np.ones((3, 2)), 2)) and np.isnan(fleiss_kappa(np.full((0, 3), NAN), 2))
    assert np.isnan(krippendorff_alpha(np.full((3, 2), NAN), 2)) and np.isnan(intraclass(np.ones((1, 3))))
