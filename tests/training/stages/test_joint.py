"""The paper's own training, from MIMIC-CXR-JPG in its published layout."""

import csv
import random

import pytest
import torch
from transformers import ResNetModel

from afloc import load_model
from afloc.errors import SettingsError
from afloc.training.compute import CPU
from afloc.training.recipe import read_recipe
from afloc.training.stages.joint import some_sentences
from afloc.training.train import open_training, train
from tests.training.mimic import write_mimic, write_recipe


@pytest.fixture
def mimic(tmp_path):
    return write_mimic(tmp_path / "mimic")


def test_it_starts_from_a_resnet_of_the_same_shape(mimic, tmp_path):
    path = write_recipe(tmp_path)
    begun = open_training(read_recipe(path), mimic, tmp_path / "run", CPU)
    backbone = begun.network.image_encoders["chest_xray"].backbone.network
    for name, value in ResNetModel.from_pretrained(tmp_path / "resnet").state_dict().items():
        assert torch.equal(backbone.state_dict()[name], value), name
    path.write_text(path.read_text().replace("[16, 24, 32, 48]", "[16, 24, 32, 40]"))
    with pytest.raises(SettingsError, match="The ResNet resnet has other layers"):
        open_training(read_recipe(path), mimic, tmp_path / "run", CPU)


def test_a_text_of_the_paper_is_some_sentences_in_any_order():
    drawn = {some_sentences(("A.", "B.", "C."), random.Random(seed)) for seed in range(60)}
    assert drawn == {"A.", "B.", "C.", "A. B.", "B. A.", "A. C.", "C. A.", "B. C.", "C. B."}
    assert some_sentences(("A.",), random.Random(0)) == "A."


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
