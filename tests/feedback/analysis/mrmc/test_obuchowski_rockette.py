"""Held against what the programs of the field print of two published studies, and against simulations.

Van Dyke: the article on MRMCaov (brian-j-smith/MRMCaov, docs/jss) and the book of RJafroc ("Applications
using the Obuchowski Rockette method"). Franken: the output of OR-DBM MRMC 2.51 that RJafroc
keeps for its tests.
"""

import math

import numpy as np
import pytest
from scipy import stats

from afloc.feedback.analysis.mrmc import merits
from afloc.feedback.analysis.mrmc.obuchowski_rockette import (
    components,
    difference,
    difference_between_groups,
    infer,
    single,
)
from tests.feedback.analysis.mrmc.published import FRANKEN, FRANKEN_TRUTH, VAN_DYKE, VAN_DYKE_TRUTH
from tests.feedback.analysis.mrmc.roe_metz import LOW, READERS_DIFFER, coverage

# (estimate, standard error, degrees of freedom, low, high, p) of treatment 2 less 1, as they are printed
VAN_DYKE_AREAS = {
    "random": (0.04380032, 0.02074862, 15.25967, -0.0003588544, 0.0879594986, 0.05166569),
    "fixed readers": (0.04380032, 0.01871748, math.inf, 0.00711473, 0.08048591, 0.01927984),
    "fixed cases": (0.04380032, 0.01484629, 4, 0.00258042, 0.08502022, 0.04195875),
    "DeLong": (0.04380032, 0.0206825, 15.06611, -0.0002665519, 0.0878671960, 0.05123303),
    "cases within readers": (0.04380032, 0.01484629, 4, 0.00258042, 0.08502022, 0.04195875),
    "cases within treatments": (0.04380032, 0.03019283, 68.42325, -0.01644178, 0.10404242, 0.1514363),
}


def delong_covariance(ratings: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The covariance of areas after DeLong et al. (1988), pair by pair, with which figures are printed."""
    above, below = ratings[:, truth, None], ratings[:, None, ~truth]
    wins = (above > below) + 0.5 * (above == below)
    return np.cov(wins.mean(2)) / truth.sum() + np.cov(wins.mean(1)) / (~truth).sum()


def van_dyke_areas(nested: str | None = None):
    """(values (2, 5), covariance); `nested`: as if each reader, or treatment, had had other cases."""
    ratings, cases = VAN_DYKE, 114
    if nested:
        group = np.arange(10) % 5 if nested == "cases within readers" else np.arange(10) // 5
        ratings = np.full((10, (group.max() + 1) * cases), np.nan)
        for row, number in enumerate(group):
            ratings[row, number * cases : (number + 1) * cases] = VAN_DYKE[row]
    truth = np.tile(VAN_DYKE_TRUTH, ratings.shape[1] // cases)
    found = merits.areas(ratings, truth, np.arange(ratings.shape[1]))
    return found.values.reshape(2, 5), found.covariance()


@pytest.mark.parametrize("analysis, printed", VAN_DYKE_AREAS.items())
def test_areas_of_van_dyke(analysis, printed):
    values, covariance = van_dyke_areas(analysis if "within" in analysis else None)
    if analysis == "DeLong":
        covariance = delong_covariance(VAN_DYKE, VAN_DYKE_TRUTH)
    found = difference(values, covariance, analysis == "fixed readers", analysis == "fixed cases")
    assert tuple(vars(found).values()) == pytest.approx(printed, rel=1e-4, abs=1e-7)


def test_components_of_van_dyke():
    values, covariance = van_dyke_areas()
    found = components(values, covariance)
    assert (found.ms_t, found.ms_r, found.ms_tr) == pytest.approx((0.0047961705, 0.0038362, 0.0005510306))
    printed = (0.0015349993, 0.0002004025, 0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284)
    own = (found.var_r, found.var_tr, found.error, found.cov1, found.cov2, found.cov3)
    assert own == pytest.approx(printed, abs=5e-11)
    delong = components(values, delong_covariance(VAN_DYKE, VAN_DYKE_TRUTH))
    printed = (0.0007921325, 0.0003420090, 0.0003395265, 0.0002358497)
    assert (delong.error, delong.cov1, delong.cov2, delong.cov3) == pytest.approx(printed, abs=5e-11)


def test_single_treatments_of_van_dyke():
    values, covariance = van_dyke_areas()
    for row, random, fixed_readers, fixed_cases in (
        (0, (0.8970370, 0.03317360, 12.74465, 0.8252236, 0.9688505), 0.02428971, 0.02482994),
        (1, (0.9408374, 0.02156637, 12.71019, 0.8941378, 0.9875369), 0.01677632, 0.01615303),
    ):
        mine = slice(5 * row, 5 * row + 5)
        found = single(values[row], covariance[mine, mine])
        assert (found.estimate, found.se, found.df, found.low, found.high) == pytest.approx(random, abs=5e-6)
        others = (single(values[row], covariance[mine, mine], a, not a).se for a in (True, False))
        assert tuple(others) == pytest.approx((fixed_readers, fixed_cases), abs=5e-9)
        alone = single(values[row, :1], covariance[mine, mine][:1, :1], fixed_readers=True)
        assert alone.se == pytest.approx((0.0301255164, 0.0221416887)[row], abs=5e-11)


def test_sensitivity_of_van_dyke():
    """Of positive cases rated 3 or more."""
    found = merits.means(np.where(VAN_DYKE_TRUTH, VAN_DYKE >= 3, np.nan), np.arange(114))
    values, covariance = found.values.reshape(2, 5), found.covariance()
    parts = components(values, covariance)
    printed = (0.0049747475, 0.0007828283, 0.0023681257, 0.0009943883, 0.0010145903, 0.0006604938)
    own = (parts.var_r, parts.var_tr, parts.error, parts.cov1, parts.cov2, parts.cov3)
    assert own == pytest.approx(printed, abs=5e-11)
    printed = (0.09777778, 0.03780451, 15.71732, 0.0175185, 0.1780371, 0.02008822)
    assert tuple(vars(difference(values, covariance)).values()) == pytest.approx(printed, rel=1e-6)


def test_areas_of_franken():
    """Here the variance of treatment by reader, and Cov2 less Cov3, come out below zero."""
    found = merits.areas(FRANKEN, FRANKEN_TRUTH, np.arange(100))
    values, covariance = found.values.reshape(2, 4), found.covariance()
    parts = components(values, covariance)
    printed = (0.00003776, -0.00071276, 0.00152578, 0.00079168, 0.00048364, 0.00051251)
    own = (parts.var_r, parts.var_tr, parts.error, parts.cov1, parts.cov2, parts.cov3)
    assert own == pytest.approx(printed, abs=5e-9)
    for fixed, printed in (
        ({}, (-0.01085482, 0.00501, 3, -0.02680, 0.00509, 0.1188)),
        ({"fixed_readers": True}, (-0.01085482, 0.01916, math.inf, -0.04840, 0.02670, 0.5710)),
        ({"fixed_cases": True}, (-0.01085482, 0.00501, 3, -0.02680, 0.00509, 0.1188)),
    ):
        found = tuple(vars(difference(values, covariance, **fixed)).values())
        assert found == pytest.approx(printed, abs=5e-5)
    one = single(values[0], covariance[:4, :4])
    printed = (0.84774989, 0.02440215, 0.79908282, 0.89641696)
    assert (one.estimate, one.se, one.low, one.high) == pytest.approx(printed, abs=5e-9)


def test_readers_within_treatments():
    """The split plot in its balanced form (Hillis, 2014): pooled mean square of readers, and Cov2 - Cov3."""
    values, covariance = van_dyke_areas()
    rows = [0, 1, 2, 8, 9]  # three readers with the first treatment, the two others with the second
    found = difference_between_groups(values[0, :3], values[1, 3:], covariance[np.ix_(rows, rows)])
    assert found.estimate == pytest.approx(values[1, 3:].mean() - values[0, :3].mean())
    rows = [0, 1, 8, 9]
    first, second, part = values[0, :2], values[1, 3:], covariance[np.ix_(rows, rows)]
    found = difference_between_groups(first, second, part)
    pooled = (first.var(ddof=1) + second.var(ddof=1)) / 2
    cov2, cov3 = (part[0, 1] + part[2, 3]) / 2, part[:2, 2:].mean()
    assert found.se**2 == pytest.approx(2 / 2 * (pooled + 2 * max(cov2 - cov3, 0)))
    apart = difference_between_groups(first, second, np.zeros((4, 4)))  # no shared cases: Welch's t test
    welch = stats.ttest_ind(second, first, equal_var=False)
    assert (apart.p, apart.df) == pytest.approx((welch.pvalue, welch.df))


def test_what_cannot_be_had_is_nan():
    one = difference(np.array([[0.8], [0.9]]), np.eye(2) * 0.01)
    assert one.estimate == pytest.approx(0.1) and np.isnan([one.low, one.high, one.p]).all()
    assert not math.isnan(difference(np.array([[0.8], [0.9]]), np.eye(2) * 0.01, fixed_readers=True).low)
    flat = infer(0.25, 0.0, 3)
    assert (flat.low, flat.high) == (0.25, 0.25) and math.isnan(flat.p)


@pytest.mark.parametrize("readers, cases", [(3, 200), (5, 100), (10, 100)])
@pytest.mark.parametrize("structure", [LOW, READERS_DIFFER], ids=["readers alike", "readers differ"])
def test_intervals_hold_the_truth_as_often_as_they_say(structure, readers, cases, long):
    """Simulated studies where the aid changes nothing, or helps some readers and harms others."""
    studies = 4000 if long else 150
    margin = 2 * math.sqrt(0.05 * 0.95 / studies)  # of chance
    found = coverage(structure, readers, cases, studies, seed=readers)
    print(f"coverage {found:.3f} of {studies} studies, {readers} readers, {cases} cases, {structure}")
    assert 0.93 - margin <= found <= 0.97 + margin
