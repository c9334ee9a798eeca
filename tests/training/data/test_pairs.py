"""What holds for which image: the matrix the sigmoid objective learns from."""

from pathlib import Path

from afloc.language.statements import Statement
from afloc.training.data.facts import Description, facts_of
from afloc.training.data.pairs import Pair, eye_facts, mirror
from afloc.training.data.table import PairTable


def said(finding, status="affirmed", side=None, zone=None):
    return Statement(finding, status, side, zone)


LEFT_EFFUSION = facts_of((said("pleural_effusion", side="left"),), "chest_xray")


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


def rows(source, counts):
    for finding, count in counts.items():
        for _ in range(count):
            yield Pair(Path("film.png"), source, "chest_xray", (), facts_of((said(finding),), "chest_xray"))


def test_silence_means_absence_where_the_source_reports_the_finding():
    both = [*rows("a", {"pneumothorax": 10, "cardiomegaly": 10}), *rows("b", {"scoliosis": 10})]
    pairs = PairTable(both, "chest_xray", "drawn")
    assert pairs[0].facts["cardiomegaly"].present == 0
    assert "cardiomegaly" not in pairs[-1].facts  # source b never reports it
    assert "scoliosis" not in pairs[-1].facts  # and has nothing but scoliosis: it would teach the source


def test_the_disc_lies_on_the_nasal_side_of_its_eye_and_says_nothing_else():
    pairs = [
        Pair(Path("film.png"), "a", "fundus", (), eye_facts("train/7_right.jpg")),
        *(Pair(Path("film.png"), "a", "fundus", (), facts_of((said("drusen"),), "fundus")) for _ in range(9)),
    ]
    other = Pair(Path("film.png"), "a", "fundus", (), eye_facts("train/7.jpg"))
    closed = PairTable([*pairs, other], "fundus", "drawn")
    assert closed[0].facts == {"optic_disc": eye_facts("x_right.png")["optic_disc"]}
    assert closed[0].facts["optic_disc"].sides == {"left"}
    assert closed[-1].facts == {}
