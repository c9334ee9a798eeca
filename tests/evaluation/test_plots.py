import pyarrow.parquet as pq
import pytest

from afloc.evaluation.config import STYLES, EvaluationConfig
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.evaluation.entrant import Entrant
from afloc.evaluation.plots import plot_descriptions, plot_findings, plot_means, plot_readers
from afloc.evaluation.run import evaluate
from tests.evaluation.datasets.test_public_sets import chexlocalize
from tests.evaluation.sets import write_set


def entrants(dataset, model, folder):
    for style in STYLES:
        summary = evaluate(EvaluationConfig(dataset, model, style=style), folder / style)
        yield Entrant(
            style, style, model.fingerprint, summary, pq.read_table(folder / style / "cases.parquet")
        )


def test_what_the_figures_show(small_model, tmp_path):
    both = list(entrants(read_dataset(write_set(tmp_path / "set", images=21)), small_model, tmp_path))
    first = both[0].summary["overall"]["pathology"]
    bars = {(bar.name, bar.yaxis): bar for bar in plot_means(both).data}
    iou = bars["simple", "y"]
    assert iou.y == (first["iou"]["mean"],)
    assert iou.error_y.array[0] == pytest.approx(first["iou"]["ci95"][1] - first["iou"]["mean"])
    assert bars["Center", "y3"].y == (first["blind"]["center"]["cnr"]["mean"],)
    boxes = plot_findings(both).data
    assert [box.name for box in boxes] == ["simple", "simple", "precise", "precise"]
    assert list(boxes[0].y) == both[0].cases["iou"].to_pylist()
    points = [trace for trace in plot_descriptions(both).data if trace.mode == "markers"]
    assert sum(len(trace.x) for trace in points) == 2 * both[0].cases.num_rows
    assert plot_readers(both) is None and plot_descriptions(both[:1]) is None


def test_human_readers_beside_the_model(small_model, tmp_path):
    (simple, _) = entrants(read_dataset(chexlocalize(tmp_path / "set")), small_model, tmp_path)
    figures = simple.summary["categories"]["Airspace Opacity"]
    assert figures["readers"]["iou"]["mean"] == pytest.approx(150 / 250)  # the same shape, a quarter aside
    assert figures["n"] == 1 and figures["iou"]["ci95"] is None
    bars = {(bar.name, bar.xaxis): bar for bar in plot_readers([simple]).data}
    assert bars["Human readers", "x"].y == (0.6,) and bars["simple", "x"].y == (figures["iou"]["mean"],)
