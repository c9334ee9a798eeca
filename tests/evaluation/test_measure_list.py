from afloc.evaluation.measure import METRICS
from afloc.evaluation.measure_list import MEASURES


def test_every_measure_has_a_name_and_a_scale():
    assert MEASURES.keys() >= set(METRICS)
    assert len({each.name for each in MEASURES.values()}) == len(MEASURES)
    assert all(each.about.endswith(".") and len(each.name) <= 12 for each in MEASURES.values())
    assert MEASURES["iou"].scale == "0 … 1, 1 is best"
    assert MEASURES["cnr"].scale == "−∞ … ∞, higher is better"
