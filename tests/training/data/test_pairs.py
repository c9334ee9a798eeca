"""What holds for which image: the matrix the sigmoid objective learns from."""

import math

import numpy as np
import pytest

from afloc.language.statements import Statement
from afloc.training.data.facts import Description, Fact, entails, facts_of
from afloc.training.data.pairs import Pair, close_world, eye_facts, mirror
from afloc.training.data.sampler import Sampler


def said(finding, status="affirmed", side=None, zone=None):
    return Statement(finding, status, side, zone)


def described(*statements):
    return Description("…", statements)


LEFT_EFFUSION = facts_of((said("pleural_effusion", side="left"),), "chest_xray")


@pytest.mark.parametrize(
    ("statement", "holds"),
    [
        (said("pleural_effusion"), 1),
        (said("pleural_effusion", side="left"), 1),
        (said("pleural_effusion", side="right"), 0),
        (said("pleural_effusion", side="bilateral"), 0),
        (said("pleural_effusion", "denied"), 0),
        (said("pleural_effusion", side="left", zone="lower"), math.nan),
        (said("pleural_effusion", "hedged"), math.nan),
        (said("pneumothorax"), math.nan),
    ],
)
def test_facts_bear_out_contradict_or_leave_open(statement, holds):
    np.testing.assert_equal(entails(LEFT_EFFUSION, described(statement)), float(holds))


def test_one_contradiction_is_enough_and_one_open_question_leaves_open():
    effusion, pneumothorax = said("pleural_effusion", side="left"), said("pneumothorax")
    assert entails(LEFT_EFFUSION, described(said("pleural_effusion", "denied"), pneumothorax)) == 0
    assert math.isnan(entails(LEFT_EFFUSION, described(effusion, pneumothorax)))


@pytest.mark.parametrize(
    ("text", "statements", "doubt"),
    [
        ("left effusion", (said("pleural_effusion", side="left"),), False),
        ("R effusion", (said("pleural_effusion", side="right"),), False),
        ("effusion", (said("pleural_effusion"),), False),
        ("right jugular line", (said("central_venous_line"),), True),
        ("left effusion, heart large", (said("pleural_effusion", side="left"), said("cardiomegaly")), True),
        ("effusions, right more than left", (said("pleural_effusion", side="bilateral"),), True),
        ("levoscoliosis", (said("scoliosis"),), True),
    ],
)
def test_a_side_that_no_statement_has_is_in_doubt(text, statements, doubt):
    assert Description(text, statements).laterality_unclear is doubt


def test_a_mirrored_pair_says_the_other_side():
    both = facts_of((said("pleural_effusion", side="bilateral"),), "chest_xray")
    sentences = (
        Description("Left effusion, right lung clear.", (said("pleural_effusion", side="left"),)),
        Description("Lingular opacity.", (said("lung_opacity", side="left"),)),
    )
    pair = Pair("film.png", "drawn", "chest_xray", sentences, LEFT_EFFUSION)
    mirrored = mirror(pair)
    assert mirrored.facts["pleural_effusion"].sides == {"right"}
    assert mirrored.sentences == (
        Description("right effusion, left lung clear.", (said("pleural_effusion", side="right"),)),
    )
    assert mirror(Pair("film.png", "drawn", "chest_xray", (), both)).facts == both


def test_of_a_mirrored_film_a_sentence_with_its_laterality_unclear_holds_or_not_who_knows():
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


def test_a_finding_implies_its_parents():
    facts = facts_of((said("consolidation", side="right"),), "chest_xray")
    assert facts["lung_opacity"].present == 1
    assert facts["lung_opacity"].sides == {"right"}


def rows(source, counts):
    for finding, count in counts.items():
        for _ in range(count):
            yield Pair(None, source, "chest_xray", (), facts_of((said(finding),), "chest_xray"))


def test_silence_means_absence_where_the_source_reports_the_finding():
    pairs = close_world(
        [*rows("a", {"pneumothorax": 10, "cardiomegaly": 10}), *rows("b", {"scoliosis": 10})], "chest_xray"
    )
    assert pairs[0].facts["cardiomegaly"].present == 0
    assert "cardiomegaly" not in pairs[-1].facts  # source b never reports it
    assert "scoliosis" not in pairs[-1].facts  # and has nothing but scoliosis: it would teach the source


def test_batches_depend_on_seed_and_step_alone():
    pairs = close_world(list(rows("a", {"pneumothorax": 30, "cardiomegaly": 30, "nodule": 30})), "chest_xray")
    sampler = Sampler(pairs, 3, templates=4, reports=0.2)
    first, again, other = sampler.draw(8, 5), sampler.draw(8, 5), sampler.draw(8, 6)
    np.testing.assert_array_equal(first.rows, again.rows)
    assert first.descriptions == again.descriptions != other.descriptions
    assert first.targets.shape == (8, len(first.descriptions))
    assert {0.0, 1.0} <= set(first.targets[~np.isnan(first.targets)])


def test_of_each_source_images_without_a_pathology_come_up_too():
    normal = [Pair(None, "a", "chest_xray", (), facts_of((said("nodule", "denied"),), "chest_xray"))] * 40
    pairs = close_world([*normal, *rows("a", {"nodule": 60, "cardiomegaly": 60})], "chest_xray")
    assert pairs[-1].affirmed == {"cardiomegaly"} and pairs[0].affirmed == frozenset()
    chances = Sampler(pairs, 0, templates=0, reports=0, normal_ratio=0.5).chances
    assert chances[:40].sum() == pytest.approx(chances[40:].sum() / 2)


def test_the_disc_lies_on_the_nasal_side_of_its_eye_and_says_nothing_else():
    pairs = [
        Pair(None, "a", "fundus", (), eye_facts("train/7_right.jpg")),
        *(Pair(None, "a", "fundus", (), facts_of((said("drusen"),), "fundus")) for _ in range(9)),
    ]
    closed = close_world([*pairs, Pair(None, "a", "fundus", (), eye_facts("train/7.jpg"))], "fundus")
    assert closed[0].facts == {"optic_disc": eye_facts("x_right.png")["optic_disc"]}
    assert closed[0].facts["optic_disc"].sides == {"left"}
    assert closed[-1].facts == {}
