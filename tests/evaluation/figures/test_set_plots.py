"""What the plots of a set show, read from what matplotlib was told to draw."""

import pyarrow.parquet as pq
import pytest

from afloc import load_model
from afloc.evaluation.catalogue import MEASURES
from afloc.evaluation.config import STYLES, EvaluationConfig
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.evaluation.entrant import Entrant
from afloc.evaluation.figures.set_plots import (
    COLOURS,
    plot_descriptions,
    plot_findings,
    plot_means,
    plot_readers,
)
from afloc.evaluation.run import evaluate
from tests.evaluation.datasets.test_public_sets import chexlocalize
from tests.evaluation.sets import write_set


def entrants(dataset, model, folder):
    for style in STYLES:
        summary = evaluate(EvaluationConfig(dataset, model, style=style), folder / style)
        yield Entrant(
            style, style, model.fingerprint, summary, pq.read_table(folder / style / "cases.parquet")
        )


@pytest.fixture(scope="module")
def both(small_folder, tmp_path_factory):
    small_model = load_model(small_folder)
    folder = tmp_path_factory.mktemp("both")
    return list(entrants(read_dataset(write_set(folder / "set", images=21)), small_model, folder))


def panel_of(figure, heading):
    return next(axes for axes in figure.axes if axes.get_title() == heading)


def points(axes, colour=None):
    lines = [line for line in axes.lines if line.get_marker() == "o"]
    return [tuple(line.get_xdata()) for line in lines if colour in (None, line.get_color())]


def test_means_stand_beside_the_blind_maps_with_their_intervals(both):
    figure = plot_means(both)
    overall = both[0].summary["overall"]["pathology"]
    axes = panel_of(figure, "IoU")
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["simple", "precise", "Own mean map, simple", "Mean ground truth", "Anatomy", "Center"]
    assert points(axes)[0] == (overall["iou"]["mean"],)
    assert tuple(overall["iou"]["ci95"]) in [tuple(line.get_xdata()) for line in axes.lines]
    assert points(panel_of(figure, "CNR"))[5] == (overall["blind"]["center"]["cnr"]["mean"],)
    drawn = {axes.get_title() for axes in figure.axes if axes.get_visible()}
    shared = overall.keys() & overall["blind"]["center"].keys() & MEASURES.keys()
    assert drawn == {MEASURES[key].heading for key in shared}  # whatever the summary has


def test_the_cases_of_a_finding_are_a_box_or_points(both):
    axes = panel_of(plot_findings(both), "IoU")
    labels = both[0].cases["label"].to_pylist()
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        f"{name} ({labels.count(name)})" for name in ("Effusion", "Nodule")
    ]
    assert len(axes.patches) == 2 * len(both)  # a box for each finding and entrant
    few = Entrant("few", "simple", "", both[0].summary, both[0].cases.slice(0, 3))
    axes = panel_of(plot_findings([few]), "IoU")
    shown = sorted(value for each in points(axes, COLOURS[0]) for value in each)
    assert not axes.patches and shown == sorted(few.cases["iou"].to_pylist())


def test_simple_and_precise_words_stand_beside_each_other(both):
    figure = plot_descriptions(both)
    axes = panel_of(figure, "IoU of a case")
    drawn = [tuple(point) for marks in axes.collections for point in marks.get_offsets().tolist()]
    pairs = zip(*(each.cases["iou"].to_pylist() for each in both), strict=True)
    assert sorted(drawn) == sorted(pairs)
    assert plot_descriptions(both[:1]) is None and plot_readers(both) is None


def test_human_readers_beside_the_model(small_model, tmp_path):
    (simple, _) = entrants(read_dataset(chexlocalize(tmp_path / "set")), small_model, tmp_path)
    figures = simple.summary["categories"]["Airspace Opacity"]
    assert figures["readers"]["iou"]["mean"] == pytest.approx(150 / 250)  # the same shape, a quarter aside
    assert figures["n"] == 1 and figures["iou"]["ci95"] is None
    axes = panel_of(plot_readers([simple]), "IoU")
    assert points(axes) == [(figures["iou"]["mean"],), (figures["at_readers"]["iou"]["mean"],), (0.6,)]
    assert 0 <= figures["at_readers"]["iou"]["mean"] < 1
