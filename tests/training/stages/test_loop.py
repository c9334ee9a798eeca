"""A stage that is killed goes on as if it had not been."""

import csv

import pytest
import torch
from torch import nn

from afloc.errors import DataError
from afloc.training.stages.loop import Stage, Trainer, run_stage


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

    def prepare(self, step):
        return torch.randn(16, 3, generator=torch.Generator().manual_seed(step), dtype=torch.double)

    def losses(self, x):
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
