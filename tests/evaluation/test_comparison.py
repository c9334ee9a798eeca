import json

import pytest

from afloc.batch.execution import Execution
from afloc.errors import SettingsError
from afloc.evaluation.comparison import compare
from afloc.evaluation.config import STYLES
from afloc.evaluation.datasets.dataset import read_dataset
from tests.evaluation.sets import write_set


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return read_dataset(write_set(tmp_path_factory.mktemp("set"), images=6))


def test_two_styles_of_a_model_are_compared_in_pairs(dataset, small_folder, tmp_path):
    measured = []
    execution = Execution(device="cpu")
    found = compare(
        dataset,
        [small_folder],
        STYLES,
        folder=tmp_path,
        execution=execution,
        measured=lambda entrant, config, folder: measured.append((entrant, config.style, folder.name)),
    )
    simple, precise = found.entrants
    assert measured == [(simple, "simple", "0-small-simple"), (precise, "precise", "0-small-precise")]
    assert simple.name == "small, simple" and simple.complete
    (difference,) = found.differences.values()
    assert json.loads((tmp_path / "comparison.json").read_text()) == found.differences
    assert "small, precise,Effusion" in (tmp_path / "comparison.csv").read_text().replace('"', "")
    iou = [entrant.summary["overall"]["all"]["iou"]["mean"] for entrant in found.entrants]
    assert difference["overall"]["all"]["iou"]["mean"] == pytest.approx(iou[1] - iou[0], abs=2e-6)
    assert difference["n_cases"] == simple.cases.num_rows == 6
    for source in ("north", "south"):
        iou = [each.summary["sources"][source]["overall"]["all"]["iou"]["mean"] for each in found.entrants]
        there = difference["sources"][source]
        assert there["overall"]["all"]["iou"]["mean"] == pytest.approx(iou[1] - iou[0], abs=2e-6)
        assert there["n_cases"] == simple.cases["source"].to_pylist().count(source)


def test_a_shard_alone_keeps_nothing_without_a_folder(dataset, small_folder):
    (entrant,) = compare(dataset, [small_folder], execution=Execution((1, 3), device="cpu")).entrants
    assert entrant.summary["n_images"] == 2 and not entrant.complete
    with pytest.raises(SettingsError, match="not 3/3"):
        compare(dataset, [small_folder], execution=Execution((3, 3), device="cpu"))
