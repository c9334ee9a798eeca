from afloc.evaluation.catalogue import MEASURES
from afloc.evaluation.measure import LOCALIZATION


def test_every_measure_has_a_name_a_range_and_a_direction():
    assert set(LOCALIZATION) <= MEASURES.keys()
    assert len({each.name for each in MEASURES.values()}) == len(MEASURES)
    for each in MEASURES.values():
        assert each.name and each.meaning.endswith(".")
        assert each.low is None or each.high is None or each.low < each.high
