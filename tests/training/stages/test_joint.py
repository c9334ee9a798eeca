"""The paper's own training, from MIMIC-CXR-JPG in its published layout."""

import csv

import pytest

from afloc import load_model
from afloc.training.recipe import read_recipe
from afloc.training.train import train
from tests.training.mimic import write_mimic, write_recipe


@pytest.fixture
def mimic(tmp_path):
    return write_mimic(tmp_path / "mimic")


def test_the_papers_recipe_trains_a_model_that_loads(mimic, tmp_path):
    path = write_recipe(tmp_path)
    folder = train(read_recipe(path), mimic, tmp_path / "run")
    with (tmp_path / "run" / "joint" / "log.csv").open(newline="") as file:
        losses = [row for row in csv.DictReader(file)]
    assert len(losses) == 2
    assert all(
        float(row["total"])
        == pytest.approx(
            sum(float(row[n]) for n in ("word", "sentence", "report")),
            abs=1e-5,  # each is logged to six digits
        )
        for row in losses
    )
    assert load_model(folder).name == "small"
    with (tmp_path / "run" / "joint" / "validation.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2"]  # a pass is one batch
