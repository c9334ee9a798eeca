"""What holds for which image: the matrix the sigmoid objective learns from."""

from afloc.language.statements import Statement
from afloc.training.data.facts import Description, facts_of
from afloc.training.data.pairs import Pair, close_world, eye_facts, mirror


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
            yield Pair(None, source, "chest_xray", (), facts_of((said(finding),), "chest_xray"))


def test_silence_means_absence_where_the_source_reports_the_finding():
    pairs = close_world(
        [*rows("a", {"pneumothorax": 10, "cardiomegaly": 10}), *rows("b", {"scoliosis": 10})], "chest_xray"
    )
    assert pairs[0].facts["cardiomegaly"].present == 0
    assert "cardiomegaly" not in pairs[-1].facts  # source b never reports it
    assert "scoliosis" not in pairs[-1].facts  # and has nothing but scoliosis: it would teach the source


def test_the_disc_lies_on_the_nasal_side_of_its_eye_and_says_nothing_else():
    pairs = [
        Pair(None, "a", "fundus", (), eye_facts("train/7_right.jpg")),
        *(Pair(None, "a", "fundus", (), facts_of((said("drusen"),), "fundus")) for _ in range(9)),
    ]
    closed = close_world([*pairs, Pair(None, "a", "fundus", (), eye_facts("train/7.jpg"))], "fundus")
    assert closed[0].facts == {"optic_disc": eye_facts("x_right.png")["optic_disc"]}
    assert closed[0].facts["optic_disc"].sides == {"left"}
    assert closed[-1].facts == {}
