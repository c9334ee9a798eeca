"""Batches of image training."""

from pathlib import Path

import numpy as np
import pytest

from afloc.language.statements import Statement
from afloc.training.data.facts import Description, Fact, facts_of
from afloc.training.data.pairs import Pair
from afloc.training.data.sampler import Sampler
from afloc.training.data.table import PairTable


def said(finding, status="affirmed", side=None, zone=None):
    return Statement(finding, status, side, zone)


def test_a_true_description_of_unclear_laterality_is_unknown_of_the_mirrored_film():
    line, none = {"central_venous_line": Fact(1.0)}, {"central_venous_line": Fact(0.0)}
    sentences = (Description("right jugular line", (said("central_venous_line"),)),)
    films = [Pair("film.png", "drawn", "chest_xray", sentences, each, frozenset()) for each in (line, none)]
    sampler, seen = Sampler(films, 0, templates=0, reports=0), set()
    for step in range(40):
        batch = sampler.draw(2, step)
        for column, description in enumerate(batch.descriptions):
            if description.laterality_unclear:
                for row, turned, target in zip(
                    batch.rows, batch.mirrored, batch.targets[:, column], strict=True
                ):
                    seen.add((int(row), bool(turned), str(target)))
    assert seen == {(0, False, "1.0"), (0, True, "nan"), (1, False, "0.0"), (1, True, "0.0")}


def rows(source, counts):
    for finding, count in counts.items():
        for _ in range(count):
            yield Pair(Path("film.png"), source, "chest_xray", (), facts_of((said(finding),), "chest_xray"))


def test_batches_depend_on_seed_and_step_alone():
    drawn = rows("a", {"pneumothorax": 30, "cardiomegaly": 30, "nodule": 30})
    pairs = PairTable(drawn, "chest_xray", "drawn")
    sampler = Sampler(pairs, 3, templates=4, reports=0.2)
    first, again, other = sampler.draw(8, 5), sampler.draw(8, 5), sampler.draw(8, 6)
    np.testing.assert_array_equal(first.rows, again.rows)
    assert first.descriptions == again.descriptions != other.descriptions
    assert first.targets.shape == (8, len(first.descriptions))
    assert {0.0, 1.0} <= set(first.targets[~np.isnan(first.targets)])


def test_of_each_source_images_without_a_pathology_come_up_too():
    normal = [
        Pair(Path("film.png"), "a", "chest_xray", (), facts_of((said("nodule", "denied"),), "chest_xray"))
    ] * 40
    ill = rows("a", {"nodule": 60, "cardiomegaly": 60})
    pairs = PairTable([*normal, *ill], "chest_xray", "drawn")
    assert pairs[-1].affirmed == {"cardiomegaly"} and pairs[0].affirmed == frozenset()
    chances = Sampler(pairs, 0, templates=0, reports=0, normal_ratio=0.5).chances
    assert chances[:40].sum() == pytest.approx(chances[40:].sum() / 2)
