"""Held against what RJafroc's tests say of the studies of Van Dyke and Franken (SsPowerGivenJK)."""

import math

import numpy as np
import pytest

from afloc.feedback.analysis.mrmc import merits
from afloc.feedback.analysis.mrmc.obuchowski_rockette import components
from afloc.feedback.analysis.mrmc.power import MOST_CASES, cases_needed, conjecture, of_pilot, power
from tests.feedback.analysis.mrmc.published import FRANKEN, FRANKEN_TRUTH, VAN_DYKE, VAN_DYKE_TRUTH
from tests.feedback.analysis.mrmc.roe_metz import Structure, compare, simulate


def pilot(ratings, truth):
    found = merits.areas(ratings, truth, np.arange(len(truth)))
    return of_pilot(components(found.values.reshape(2, -1), found.covariance()), len(truth))


def test_power_and_cases_of_published_pilots():
    van_dyke, effect = pilot(VAN_DYKE, VAN_DYKE_TRUTH), 0.043800322
    assert power(van_dyke, 10, 165, effect) == pytest.approx(0.80541995, abs=1e-7)
    assert power(van_dyke, 10, 131, effect, fixed_readers=True) == pytest.approx(0.80091813, abs=1e-7)
    assert power(van_dyke, 10, 53, effect, fixed_cases=True) == pytest.approx(0.80496663, abs=1e-7)
    assert power(van_dyke, 6, 111, effect) == pytest.approx(0.5526116, abs=1e-7)
    assert cases_needed(van_dyke, 6, effect) == 251
    franken = pilot(FRANKEN, FRANKEN_TRUTH)
    assert power(franken, 6, cases_needed(franken, 6, 0.05), 0.05) == pytest.approx(0.8004469, abs=1e-7)


def test_power_is_how_often_simulated_studies_find_the_difference(long):
    structure, random, studies = Structure(arm_reader=0.03), np.random.default_rng(0), 1000 if long else 120
    found, guessed, effects = 0, [], []
    for _ in range(studies):
        ratings, truth = simulate(structure, 5, 120, random)
        ratings[1, :, truth] += 0.35  # the aid helps
        result = compare(ratings, truth)
        found += result.p < 0.05
        effects.append(result.estimate)
        guessed.append(pilot(ratings.reshape(-1, 120), truth))
    mean = {name: np.mean([vars(each)[name] for each in guessed]) for name in vars(guessed[0])}
    expected = power(type(guessed[0])(**mean | {"cases": 120}), 5, 120, float(np.mean(effects)))
    assert found / studies == pytest.approx(expected, abs=0.05 if long else 0.12)


def test_a_conjecture_of_the_size_of_published_studies():
    guess, seen = conjecture(0.919, 114, positive=45 / 114), pilot(VAN_DYKE, VAN_DYKE_TRUTH)
    assert guess.error == pytest.approx(seen.error, rel=0.25)
    assert cases_needed(guess, 3, 0.001) is None and math.isnan(power(guess, 1, 100, 0.1))
    needed = [cases_needed(guess, readers, 0.05) for readers in (4, 6, 10)]
    assert MOST_CASES > needed[0] > needed[1] > needed[2]
