"""A stage that is killed goes on as if it had not been."""

import csv

import pytest
import torch
from torch import nn

from afloc.errors import DataError
from afloc.training.compute import Compute, choose_compute
from afloc.training.stages.loop import Stage, Trainer, run_stage
from afloc.training.stages.profile import profile_stage


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
    stage = Regression()
    stage.identity["data"] = "a"  # a checkpoint that does not say its table is gone on with
    run_stage(stage, tmp_path)
    run_stage(stage, tmp_path / "new")
    stage.identity["data"] = "b"
    with pytest.raises(DataError, match="another table"):
        run_stage(stage, tmp_path / "new")


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


def weights_of(stage):
    return torch.cat([value.flatten() for value in stage.modules.state_dict().values()])


def test_workers_that_read_ahead_change_nothing(tmp_path):
    alone, ahead = Regression(), Regression()
    ahead.compute = Compute(workers=2)
    run_stage(alone, tmp_path / "alone")
    run_stage(ahead, tmp_path / "ahead")
    assert torch.equal(weights_of(alone), weights_of(ahead))


class Validated(Regression):
    """Its validation loss is lowest after the sixth step, and later only worse."""

    averaged, validate_every, patience = False, 2, 2

    def validation_loss(self):
        self.seen = [*getattr(self, "seen", []), weights_of(self)]
        return abs(len(self.seen) - 3)


def test_it_stops_when_validation_gets_no_better_and_keeps_the_best_weights(tmp_path):
    stage = Validated()
    run_stage(stage, tmp_path)
    assert max(logged(tmp_path)) == 10 and len(stage.seen) == 5  # two validations after the best one
    assert torch.equal(weights_of(stage), stage.seen[2])
    again = Validated()
    run_stage(again, tmp_path)  # it is at its end
    assert torch.equal(weights_of(again), stage.seen[2]) and not hasattr(again, "seen")
    with (tmp_path / "validation.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2", "4", "6", "8", "10"]


def test_half_precision_goes_on_with_its_scaler(tmp_path):
    """As on a GPU without bfloat16; here the CPU computes in it."""

    class Half(Regression):
        compute = Compute(half=torch.float16)

        def losses(self, x):
            with self.compute.autocast():
                return super().losses(x.float())

        def __init__(self):
            super().__init__()
            self.modules.float()

    trainer = Trainer(Half(), tmp_path)
    trainer.scaler.load_state_dict(trainer.scaler.state_dict() | {"scale": 128.0})
    assert trainer.advance()["total"] < 10
    trainer.save()
    again = Trainer(Half(), tmp_path)
    again.restore()
    assert again.scaler.get_scale() == 128.0


def test_a_profile_says_what_bounds_a_step_and_leaves_nothing(tmp_path):
    profile = profile_stage(Regression(), 3)
    assert set(profile.seconds) == {"batch", "transfer", "forward", "backward", "optimizer"}
    assert profile.bound == max(profile.seconds, key=profile.seconds.get)
    assert profile.format().startswith("regression: ") and "bound by" in profile.format()


def test_without_a_gpu_the_cpu_computes():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert choose_compute("auto") == choose_compute("cpu") == Compute()
    from afloc.errors import SettingsError

    with pytest.raises(SettingsError, match="There is no GPU"):
        choose_compute("cuda")
