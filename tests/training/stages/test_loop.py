"""A stage that is killed goes on as if it had not been; and an image encoder learns from a table of films."""

import csv

import numpy as np
import pytest
import torch
from torch import nn

from afloc.errors import DataError
from afloc.inference.appearance import features_fit
from afloc.inference.native_protocol import native_map
from afloc.model.image_encoder import ImageEncoder
from afloc.model.text_encoder import TextEncoder
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.data.pairs import read_pairs
from afloc.training.fit.calibration import calibrate, encode_split, unit_vectors
from afloc.training.recipe import ImageRecipe
from afloc.training.stages.images import ImageStage
from afloc.training.stages.loop import Stage, Trainer, run_stage
from afloc.training.stages.text_bank import TextBank
from tests.released import REFERENCE
from tests.training.small import CONFIG, write_films


class Regression(Stage):
    """A small network with dropout and batch statistics on noise that depends on the step. In double
    precision: of gradients that are zero but for the rounding of single, Adam makes whole steps."""

    name, steps, seed, weight_decay = "regression", 12, 5, 0.01

    def __init__(self, rate: float = 0.01):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))
        self.modules, self.identity, self.rate = (
            nn.ModuleDict({"network": network.double()}),
            {"rate": rate},
            rate,
        )

    def rates(self):
        return [(self.rate, self.modules.parameters())]

    def losses(self, step):
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step), dtype=torch.double)
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


def test_a_checkpoint_with_settings_by_their_former_names_is_gone_on_with(tmp_path):
    stage = Regression()
    stage.identity = {"stochastic_depth": 0.1}
    run_stage(stage, tmp_path)
    saved = torch.load(tmp_path / "checkpoint.pt")
    torch.save(saved | {"identity": {"skipped": 0.1}}, tmp_path / "checkpoint.pt")
    run_stage(stage, tmp_path)
    assert len(logged(tmp_path)) == stage.steps
    stage.identity = {"stochastic_depth": 0.2}
    with pytest.raises(DataError, match="another recipe"):
        run_stage(stage, tmp_path)


def image_stage(folder):
    """Three steps on drawn films with labels alone."""
    torch.manual_seed(0)
    tokenizer = WordPieceTokenizer.read(REFERENCE / "bert", CONFIG.max_tokens, 206)
    return ImageStage(
        ImageEncoder(CONFIG, "chest_xray"),
        TextBank(TextEncoder(CONFIG), tokenizer),
        read_pairs(write_films(folder, reports=False), "chest_xray"),
        ImageRecipe("train.csv", steps=3, batch_size=8),
        CONFIG.image_size,
        seed=0,
        folder=folder,
    )


def test_an_image_stage_from_table_to_calibration(tmp_path):
    stage = image_stage(tmp_path)
    frozen = stage.encoder.backbone.stem.state_dict()["0.weight"].clone()
    assert 0 < sum(pair.in_calibration_split for pair in stage.pairs) < 30
    assert not any(stage.sampler.chances[[pair.in_calibration_split for pair in stage.pairs]])
    run_stage(stage, tmp_path / "run")
    assert torch.equal(frozen, stage.encoder.backbone.stem.state_dict()["0.weight"])
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        assert {"report", "sentence", "word", "total"} <= set(next(csv.DictReader(file)))
    inputs = stage.fit_inputs()
    calibration = calibrate(inputs)
    assert set(calibration.to_dict()) == {
        "levels",
        "map",
        "smoothing",
        "presence",
        "known",
        "sides",
        "unplaced",
        "words",
        "local",
    }
    assert 0 < calibration.presence["other"].threshold < 1
    assert not calibration.tells_laterality  # no row names a side
    assert all(
        features_fit(each, calibration.training_distribution) for each in unit_vectors(encode_split(inputs))
    )


def test_a_model_that_sees_no_difference_is_calibrated_too(tmp_path):
    stage = image_stage(tmp_path)
    encoder = stage.encoder
    for projection in (encoder.global_projection, encoder.deep_projection, encoder.shallow_projection):
        nn.init.zeros_(projection.weight)
    inputs = stage.fit_inputs()
    calibration, images = calibrate(inputs), encode_split(inputs)
    assert all(features_fit(each, calibration.training_distribution) for each in unit_vectors(images))
    assert calibration.presence["other"].specificity == 1  # nobody is told of a finding it cannot see
    text = stage.texts(["There is a pleural effusion."])
    with torch.inference_mode():
        image = encoder(next(inputs.encoder_inputs(np.array([0]))))
        heatmap = native_map(image, text, calibration)
    assert heatmap.max() < 0.01
