"""Limits that hold for every source."""

import numpy as np
import pytest

from afloc.training.fit.limits import share_limit, weights_of


def test_no_source_has_more_than_its_share_beyond_the_limit():
    random = np.random.default_rng(0)
    sources = np.repeat(["large", "portable", "few", "fewer"], [5000, 120, 30, 30])
    values = random.random(len(sources))
    values[sources == "portable"] += 1
    limit = share_limit(values, 0.98, sources.tolist())
    assert np.mean(values[sources == "portable"] > limit) <= 0.02
    assert np.mean(values > limit) < 0.002 < np.mean(values > np.quantile(values, 0.98))
    values[sources == "fewer"] += 2  # small sources count together
    assert share_limit(values, 0.98, sources.tolist()) > 2


def test_a_handful_of_images_decides_no_limit_alone():
    sources = ["large"] * 5000 + ["few"] * 3
    assert share_limit([*np.linspace(0, 1, 5000), 9, 9, 9], 0.95, sources) < 1.01


def test_sources_weigh_as_the_root_of_their_size():
    weights = weights_of(["a"] * 100 + ["b"] * 4)
    assert weights.sum() == pytest.approx(1) and weights[:100].sum() == pytest.approx(5 * weights[100:].sum())
