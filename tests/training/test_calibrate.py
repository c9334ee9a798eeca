"""`afloc calibrate`: verdicts anew, all else as it was."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from afloc.imaging.image import read_image
from afloc.inference.model import load_model
from afloc.model.files.checkpoint import write_folder
from afloc.model.network import AFLoc
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.data.table import read_pairs
from afloc.training.fit.calibration import calibrate
from afloc.training.recipe import ImageRecipe
from afloc.training.stages.images import ImageStage
from afloc.training.stages.text_bank import TextBank
from tests.cli.test_main import run
from tests.released import REFERENCE
from tests.training.small import CONFIG, write_films

RECIPE = """
[model]
name = "small"
version = "1"
modalities = ["chest_xray"]
[language]
steps = 1
[images.chest_xray]
table = "train.csv"
steps = 3
batch_size = 8
unreliable_maps = {}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a table of drawn films, a recipe, and the model that was made of them."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "recipe.toml").write_text(RECIPE.format([]))
    (folder / "other.toml").write_text(RECIPE.format('["pneumothorax"]'))
    torch.manual_seed(0)
    network = AFLoc(CONFIG)
    tokenizer = WordPieceTokenizer.read(REFERENCE / "bert", CONFIG.max_tokens, 206)
    stage = ImageStage(
        network.image_encoders["chest_xray"],
        TextBank(network.text_encoder, tokenizer),
        read_pairs(write_films(folder), "chest_xray"),
        ImageRecipe("train.csv", steps=3, batch_size=8),
        CONFIG.image_size,
        seed=0,
        folder=folder,
    )
    network.config = replace(CONFIG, calibration={"chest_xray": calibrate(stage.fit_inputs())})
    write_folder(folder / "model", network.eval(), tokenizer, "# small\n")
    return folder


def test_calibrated_again_it_is_what_training_made(trained, tmp_path):
    options = ("--data", trained, "--recipe", trained / "recipe.toml", "--out", tmp_path / "out")
    assert run("calibrate", trained / "model", *options) == 0
    for name in ("config.json", "model.safetensors", "tokenizer.json", "README.md"):
        assert (tmp_path / "out" / name).read_bytes() == (trained / "model" / name).read_bytes(), name


def test_another_recipe_changes_what_is_said_and_no_map(trained, tmp_path):
    options = (
        "--data",
        trained,
        "--recipe",
        trained / "other.toml",
        "--version",
        "2",
        "--out",
        tmp_path / "out",
    )
    assert run("calibrate", trained / "model", *options) == 0
    before, after = (load_model(folder, "cpu") for folder in (trained / "model", tmp_path / "out"))
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["version"] == "2" and before.fingerprint != after.fingerprint
    old, new = (model.calibration("chest_xray") for model in (before, after))
    assert new.unreliable_maps == ("pneumothorax",) and old.unreliable_maps == ()
    assert (new.levels, new.map_range) == (old.levels, old.map_range)
    film = read_image(trained / "0.png")
    maps = [model.encode(film, "chest_xray").locate("effusion").grid for model in (before, after)]
    np.testing.assert_array_equal(*maps)


def test_maps_are_drawn_as_another_recipe_says(trained, tmp_path):
    said = "anatomy_weight = 1\nprecise_weight = 0.25\nmap_detail = 2\nword_weight = 0.5\nsmoothing = 0.05\n"
    (trained / "drawn.toml").write_text(RECIPE.format([]) + said)
    options = ("--data", trained, "--recipe", trained / "drawn.toml", "--out", tmp_path / "out")
    assert run("calibrate", trained / "model", *options, "--maps") == 0
    before, after = (load_model(folder, "cpu") for folder in (trained / "model", tmp_path / "out"))
    old, new = (model.calibration("chest_xray") for model in (before, after))
    drawn = {
        name: getattr(new, name) for name in ("precise_weight", "map_detail", "word_weight", "smoothing")
    }
    assert drawn == {"precise_weight": 0.25, "map_detail": 2, "word_weight": 0.5, "smoothing": 0.05}
    assert (new.anatomy_weight, old.anatomy_weight) == (1, None)
    assert new.levels == old.levels and new.map_range != old.map_range
    film = read_image(trained / "0.png")
    coarse, fine = (model.encode(film, "chest_xray").locate("effusion").grid for model in (before, after))
    assert fine.shape == (2 * coarse.shape[0], 2 * coarse.shape[1])


@pytest.mark.parametrize(
    "model, recipe, out, sentence",
    [
        ("missing", "recipe.toml", "out", "There is no model folder"),
        ("model", "recipe.toml", ".", "is not empty: give a new one"),
        ("model", "fundus.toml", "out", "does not train on chest_xray"),
        ("bare", "recipe.toml", "out", "has no scales for chest_xray"),
    ],
)
def test_refusals(trained, tmp_path, capsys, model, recipe, out, sentence):
    (trained / "fundus.toml").write_text(RECIPE.format([]).replace("chest_xray", "fundus"))
    if not (trained / "bare").exists():
        network = AFLoc(CONFIG).eval()
        tokenizer = WordPieceTokenizer.read(REFERENCE / "bert", CONFIG.max_tokens, 206)
        write_folder(trained / "bare", network, tokenizer, "")
    folder = trained if out == "." else tmp_path / out
    assert (
        run("calibrate", trained / model, "--data", trained, "--recipe", trained / recipe, "--out", folder)
        == 2
    )
    assert sentence in capsys.readouterr().err
