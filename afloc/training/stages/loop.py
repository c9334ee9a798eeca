"""The loop of a training stage: resumable steps, a log of the losses, a running average of the weights.

Every batch and every dropout mask depends on the seed and the step alone. A stage that was killed therefore
resumes from its checkpoint with the same result as an uninterrupted one.
"""

import csv
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from afloc.errors import DataError
from afloc.files import whole_file
from afloc.training.distributed import is_first, losses_of
from afloc.training.recipe import current_names

CHECKPOINT_SECONDS = 120
AVERAGE_DECAY = 0.995
WARMUP = 0.06


class Stage:
    """A part of the training: the modules that are trained, their learning rates, the losses of each step."""

    name: str
    steps: int
    seed: int
    weight_decay: float
    modules: nn.ModuleDict
    identity: dict  # the settings that a checkpoint must agree with to be resumed
    gradient_limit: float = 5.0

    def rates(self) -> list[tuple[float, Iterable[nn.Parameter]]]:
        """Learning rates, each with its parameters."""
        raise NotImplementedError

    def optimizer(self, groups: list[dict]) -> torch.optim.Optimizer:
        """The optimizer; `groups` are torch's parameter groups."""
        return torch.optim.AdamW(groups, weight_decay=self.weight_decay)

    def rate_factor(self, step: int) -> float:
        """The factor of the learning rates at `step`."""
        return rate_at(step, self.steps)

    def set_training(self) -> None:
        """Put the modules into training mode, except frozen ones."""
        self.modules.train()

    def losses(self, step: int) -> dict[str, Tensor]:
        """The losses of one step, by name; "total" is minimised."""
        raise NotImplementedError


class Trainer:
    """A stage in training: its optimizer, schedule, running average of the weights, and checkpoint."""

    def __init__(self, stage: Stage, folder: Path):
        self.stage, self.folder = stage, folder
        folder.mkdir(parents=True, exist_ok=True)
        groups = [(rate, [p for p in params if p.requires_grad]) for rate, params in stage.rates()]
        self.optimizer = stage.optimizer([{"params": params, "lr": rate} for rate, params in groups])
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, stage.rate_factor)
        self.average = AveragedModel(stage.modules, multi_avg_fn=average_later_weights, use_buffers=True)
        self.losses = losses_of(stage)
        self.step = 0

    def advance(self) -> dict[str, float]:
        """Take one step; returns its losses."""
        stage = self.stage
        torch.manual_seed(stage.seed * 1_000_003 + self.step)
        stage.set_training()
        losses = self.losses(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, stage.gradient_limit)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(stage.modules)
        self.step += 1
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def save(self) -> None:
        """Write checkpoint.pt, whole or not at all; of several processes, only the first writes."""
        if not is_first():
            return
        states = {name: each.state_dict() for name, each in self._parts()}
        with whole_file(self.folder / "checkpoint.pt", alone=True) as written:
            torch.save({"step": self.step, "identity": self.stage.identity, **states}, written)

    def restore(self) -> None:
        """Resume from checkpoint.pt, if there is one; DataError where it belongs to another recipe."""
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return
        saved = torch.load(path, map_location="cpu", weights_only=True)
        identity = current_names(saved["identity"], str(path))
        if {name: identity.get(name) for name in self.stage.identity} != self.stage.identity:
            raise DataError(f"{self.folder} holds a run of another recipe: give another folder with --out.")
        for name, each in self._parts():
            each.load_state_dict(saved[name])
        self.step = saved["step"]

    def _parts(self) -> list[tuple[str, Any]]:
        return [
            ("modules", self.stage.modules),
            ("average", self.average),
            ("optimizer", self.optimizer),
            ("schedule", self.schedule),
        ]


def run_stage(stage: Stage, folder: Path) -> None:
    """Train `stage` to its end, from the checkpoint in `folder` if there is one. Afterwards its modules hold
    the running average of the weights, in evaluation mode."""
    trainer = Trainer(stage, folder)
    trainer.restore()
    log = Log(folder / "log.csv", trainer.step)
    saved = time.monotonic()
    bar = {"desc": stage.name, "unit": "step", "disable": not is_first()}
    with tqdm(total=stage.steps, initial=trainer.step, **bar) as progress:
        while trainer.step < stage.steps:
            losses = trainer.advance()
            if is_first():
                log.write(trainer.step, losses)
            progress.set_postfix(loss=f"{losses['total']:.3f}")
            progress.update()
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                trainer.save()
                saved = time.monotonic()
    trainer.save()
    if is_first():
        log.plot(folder / "curves.html", stage.name)
    stage.modules.load_state_dict(trainer.average.module.state_dict())
    stage.modules.eval()


def rate_at(step: int, steps: int) -> float:
    """The factor of the learning rate: a linear warm-up, then a cosine decay to zero."""
    rise = max(1, round(WARMUP * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def average_later_weights(averages: Sequence[Tensor], weights: Sequence[Tensor], count: Tensor | int) -> None:
    """Move the running averages towards the weights, after `count` averaged steps. The first steps move them
    far, so that the starting weights do not dominate a short run; later steps by 1 - AVERAGE_DECAY."""
    decay = min(AVERAGE_DECAY, int(count) / (int(count) + 10))
    get_ema_multi_avg_fn(decay)(list(averages), list(weights), count)


class Log:
    """The losses of every step, as CSV and as a plotly page."""

    def __init__(self, path: Path, step: int):
        self.path = path
        if path.is_file() and is_first():  # drop the steps after the checkpoint: they run again
            with path.open(newline="") as file:
                rows = [row for row in csv.reader(file) if row[0] == "step" or int(row[0]) <= step]
            with path.open("w", newline="") as file:
                csv.writer(file).writerows(rows)

    def write(self, step: int, losses: dict[str, float]) -> None:
        new = not self.path.is_file()
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", *losses])
            writer.writerow([step, *(f"{loss:.6f}" for loss in losses.values())])

    def plot(self, page: Path, title: str) -> None:
        """Write the curves, each the mean of 20 steps."""
        import plotly.graph_objects as go

        with self.path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        figure = go.Figure(layout={"title": title, "xaxis_title": "step", "yaxis_title": "loss"})
        for name in list(rows[0])[1:] if rows else []:
            values = np.array([float(row[name]) for row in rows])
            window = min(20, len(values))
            smooth = np.convolve(values, np.ones(window) / window, "valid")
            figure.add_scatter(x=[int(row["step"]) for row in rows[window - 1 :]], y=smooth, name=name)
        figure.write_html(page, include_plotlyjs=True)
