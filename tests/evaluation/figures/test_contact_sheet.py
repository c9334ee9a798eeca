import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.evaluation.figures.contact_sheet import choose_cases, plot_cases
from afloc.evaluation.figures.style import draw
from afloc.evaluation.run import evaluate
from tests.evaluation.sets import write_set


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 12, 40])
def test_each_case_stands_once_by_its_rank(count):
    values = [((7 * number) % 41) / 41 for number in range(count)]
    chosen = choose_cases(pa.table({"iou": pa.array([*values, None], pa.float64())}))
    numbers = [number for each in chosen.values() for number in each]
    assert len(set(numbers)) == len(numbers) == {4: 4}.get(count, min(count, 12))
    ranks = {name: [sorted(values).index(values[number]) for number in each] for name, each in chosen.items()}
    if count == 40:
        middle = [18, 19, 20, 21]
        assert ranks == {"Worst": [0, 1, 2, 3], "Median": middle, "Best": [39, 38, 37, 36]}


@pytest.mark.parametrize("protocol", ["native", "paper"])
def test_the_sheet_shows_the_case_that_it_names(small_model, tmp_path, protocol):
    config = EvaluationConfig(read_dataset(write_set(tmp_path / "set", images=6)), small_model, protocol)
    summary = evaluate(config, tmp_path / "run")
    cases = pq.read_table(tmp_path / "run" / "cases.parquet")
    svg = draw(lambda: plot_cases(config, cases), "svg").decode()
    assert svg.count("<image") == summary["n_cases"] == 6
    worst = min(value for value in cases["iou"].to_pylist())
    assert f"IoU {worst:.3f}" in svg and small_model.fingerprint in svg
    assert draw(lambda: plot_cases(config, cases.slice(0, 0)), "svg") is None
