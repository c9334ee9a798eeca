import pyarrow as pa

from afloc.evaluation.entrant import Entrant
from afloc.evaluation.figures.score_plots import plot_calibration, plot_detection


def figure(mean, low=None, high=None):
    return {"mean": mean, "ci95": None if low is None else [low, high]}


def entrant(**summary):
    return Entrant("small", "simple", "", summary, pa.table({}))


def test_regions_found_over_false_marks():
    found = {"0.25": figure(0.2), "1": figure(0.5, 0.4, 0.6), "8": figure(0.7)}
    of_source = {"pathology": {"froc": figure(0.4), "regions_found": found}}
    nothing = {"pathology": {"froc": figure(None), "regions_found": {}}}
    drawn = plot_detection([entrant(detection={"north": of_source, "south": nothing})])
    (axes,) = (each for each in drawn.axes if each.get_visible())
    line, *intervals = axes.lines
    assert axes.get_title() == "north"
    assert line.get_xydata().tolist() == [[0.25, 0.2], [1, 0.5], [8, 0.7]]
    assert [list(each.get_ydata()) for each in intervals] == [[0.4, 0.6]]
    assert plot_detection([entrant(detection={"south": nothing})]) is None
    assert plot_detection([entrant()]) is None  # a run of an older version


def test_probabilities_and_how_often_the_finding_is_there():
    curve = [
        {"probability": 0.1, "frequency": figure(0.2, 0.1, 0.3)},
        {"probability": 0.9, "frequency": figure(0.8)},
    ]
    of_family = {"n": 5, "brier": figure(0.2), "ece": figure(0.1), "curve": curve}
    families = {"few": of_family, "many": of_family | {"n": 50}}
    drawn = plot_calibration([entrant(calibration={"chest_xray": of_family | {"families": families}})])
    assert [axes.get_title() for axes in drawn.axes] == ["chest xray", "many", "few"]
    line = drawn.axes[0].lines[1]
    assert line.get_xydata().tolist() == [[0.1, 0.2], [0.9, 0.8]]
    assert [text.get_text() for text in drawn.axes[0].texts] == ["Brier 0.200, ECE 0.100"]
    assert plot_calibration([entrant(calibration={})]) is None and plot_calibration([entrant()]) is None
