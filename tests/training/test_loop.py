"""A stage that is killed goes on as if it had not been; and an image encoder learns from a table of films."""

import csv

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from afloc.appearance import features_fit
from afloc.errors import DataError
from afloc.model.config import ModelConfig
from afloc.model.image_encoder import ImageEncoder
from afloc.model.text_encoder import TextEncoder
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.phantom import draw_chest_film
from afloc.training.calibration import calibrate, see
from afloc.training.images import ImageStage
from afloc.training.loop import Stage, Trainer, run_stage
from afloc.training.pairs import read_pairs
from afloc.training.recipe import ImageRecipe
from afloc.training.texts import TextBank
from tests.released import REFERENCE


class Regression(Stage):
    """A small network with dropout and batch statistics on noise that depends on the step."""

    name, steps, seed, weight_decay = "regression", 12, 5, 0.01

    def __init__(self, rate: float = 0.01):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))
        self.modules, self.identity, self.rate = nn.ModuleDict({"network": network}), {"rate": rate}, rate

    def rates(self):
        return [(self.rate, self.modules.parameters())]

    def losses(self, step):
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        return {"total": (self.modules["network"](x)[:, 0] - x.sum(1)).square().mean()}


def logged(folder):
    with (folder / "log.csv").open(newline="") as file:
        return {int(row["step"]): float(row["total"]) for row in csv.DictReader(file)}


@pytest.mark.parametrize("killed_at", [1, 7, 11])
def test_killed_at_any_step_it_goes_on_the_same(tmp_path, killed_at, monkeypatch):
    whole, resumed = Regression(), Regression()
    run_stage(whole, tmp_path / "whole")

    advance = Trainer.advance

    def fail(trainer):
        if trainer.step == killed_at:
            raise KeyboardInterrupt
        losses = advance(trainer)
        trainer.save()
        return losses

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "advance", fail)
        run_stage(Regression(), tmp_path / "killed")
    run_stage(resumed, tmp_path / "killed")
    assert logged(tmp_path / "killed") == pytest.approx(logged(tmp_path / "whole"), abs=1e-5)
    for name, value in whole.modules.state_dict().items():
        torch.testing.assert_close(resumed.modules.state_dict()[name], value, atol=1e-5, rtol=0)
    assert (tmp_path / "killed" / "curves.html").is_file()


def test_a_run_of_another_recipe_is_not_gone_on_with(tmp_path):
    run_stage(Regression(), tmp_path)
    with pytest.raises(DataError, match="another recipe"):
        run_stage(Regression(rate=0.02), tmp_path)


@pytest.fixture
def films(tmp_path):
    """A table of drawn films, half of them with an effusion, as the training table is laid out."""
    rows, drawn = [], [draw_chest_film(effusion)[::8, ::8] for effusion in (True, False)]
    for number in range(120):
        film = np.roll(drawn[number % 2], number // 2, axis=0)
        PIL.Image.fromarray(film).save(tmp_path / f"{number}.png")
        label = "Effusion" if number % 2 == 0 else "No Finding"
        rows.append({"image": f"{number}.png", "labels": label, "source": "drawn", "patient": str(number)})
    with (tmp_path / "train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


def test_an_image_stage_from_table_to_calibration(films):
    torch.manual_seed(0)
    config = ModelConfig(
        name="small",
        version="1",
        backbone="efficientnet_lite0",
        image_size=64,
        normalisation="lite",
        text_encoder={
            "vocab_size": 206,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 64,
        },
        last_n_layers=2,
        embedding_dim=32,
        max_tokens=32,
        modalities=("chest_xray",),
    )
    tokenizer = WordPieceTokenizer.read(REFERENCE / "bert", config.max_tokens, 206)
    encoder = ImageEncoder(config)
    frozen = encoder.backbone.stem.state_dict()["0.weight"].clone()
    stage = ImageStage(
        encoder,
        TextBank(TextEncoder(config), tokenizer),
        read_pairs(films / "train.csv", "chest_xray"),
        ImageRecipe("train.csv", steps=3, batch_size=8),
        config.image_size,
        seed=0,
        folder=films,
    )
    assert 0 < sum(pair.held_back for pair in stage.pairs) < 30
    assert not any(stage.sampler.chances[[pair.held_back for pair in stage.pairs]])
    run_stage(stage, films / "run")
    assert torch.equal(frozen, encoder.backbone.stem.state_dict()["0.weight"])
    with (films / "run" / "log.csv").open(newline="") as file:
        assert {"report", "sentence", "word", "total"} <= set(next(csv.DictReader(file)))
    calibration = calibrate(stage)
    assert set(calibration) == {"levels", "map", "smoothing", "presence", "known", "sides", "unplaced"}
    assert 0 < calibration["presence"]["other"]["threshold"] < 1
    assert calibration["sides"] is False  # no row names a side
    assert np.mean([features_fit(each, calibration["known"]) for each in see(stage).numpy()]) > 0.5
