"""The loop of a training stage: resumable steps, a log of the losses, a running average of the weights.

Every batch and every dropout mask depends on the seed and the step alone, in whichever process it is drawn.
No state of a random generator or of a reading process has to be kept: a stage that was killed resumes from
its checkpoint with the same result as an uninterrupted one.
"""

import csv
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from afloc.errors import DataError
from afloc.files import whole_file
from afloc.training.compute import CPU, Compute
from afloc.training.distributed import is_first, losses_of
from afloc.training.pictures.stored_images import as_it_is
from afloc.training.recipe import current_names
from afloc.training.stages.validation import Validation

CHECKPOINT_SECONDS = 120
AVERAGE_DECAY = 0.995
WARMUP = 0.06


# Settings of a stage that older checkpoints do not name; what these do not name is not compared.
LATER = ("data", "source_weights", "same_patients")


class Stage:
    """A part of the training: the modules that are trained, their learning rates, the losses of each step.

    `prepare` makes the batch of a step on the CPU: what is read, drawn and augmented. It depends on the seed
    and the step alone and knows no module, so that other processes can run it ahead.
    """

    name: str
    steps: int
    seed: int
    weight_decay: float
    modules: nn.ModuleDict
    prepare: Callable[[int], Any]
    identity: dict  # the settings that a checkpoint must agree with to be resumed
    gradient_limit: float = 5.0
    compute: Compute = CPU
    averaged: bool = True  # whether it ends with the running average of its weights
    validate_every: int | None = None  # steps; None: there is no validation, and the stage runs to its end
    patience: int = 1  # validations without a lower loss, after which it ends

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

    def send(self, batch: Any) -> Any:
        """The batch on the device."""
        return batch

    def losses(self, batch: Any) -> dict[str, Tensor]:
        """The losses of a batch on the device, by name; "total" is minimised."""
        raise NotImplementedError

    def validation_loss(self) -> float:
        """The loss on what is kept back; a stage with `validate_every` has it."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps besides the modules, so that the stage goes on exactly."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""


class Batches(Dataset):
    """The batches of a stage, by step."""

    def __init__(self, prepare: Callable[[int], Any]):
        self.prepare = prepare

    def __getitem__(self, step: int) -> Any:
        return self.prepare(step)


def read_ahead(stage: Stage, first: int) -> Iterator[Any]:
    """The batches of the steps from `first` on, in their order, made by the workers of the stage."""
    return iter(
        DataLoader(
            Batches(stage.prepare),
            batch_size=None,
            sampler=range(first, stage.steps),
            num_workers=stage.compute.workers,
            collate_fn=as_it_is,
            pin_memory=stage.compute.device.type == "cuda",
        )
    )


def _unmeasured(phase: str) -> AbstractContextManager:
    return nullcontext()


class Trainer:
    """A stage in training: its optimizer, schedule, running average of the weights, and checkpoint.

    `phase` is entered around each part of a step, by its name (`profile`).
    """

    def __init__(
        self, stage: Stage, folder: Path, phase: Callable[[str], AbstractContextManager] = _unmeasured
    ):
        self.stage, self.folder, self.phase = stage, folder, phase
        folder.mkdir(parents=True, exist_ok=True)
        stage.modules.to(stage.compute.device)
        groups = [(rate, [p for p in params if p.requires_grad]) for rate, params in stage.rates()]
        self.optimizer = stage.optimizer([{"params": params, "lr": rate} for rate, params in groups])
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, stage.rate_factor)
        self.scaler = stage.compute.scaler()
        self.average = (
            AveragedModel(stage.modules, multi_avg_fn=average_later_weights, use_buffers=True)
            if stage.averaged
            else None
        )
        self.validation = Validation(folder, stage.patience)
        self.losses = losses_of(stage)
        self.step = 0
        self._batches: Iterator[Any] | None = None

    def advance(self) -> dict[str, float]:
        """Take one step; returns its losses."""
        stage = self.stage
        with self.phase("batch"):
            self._batches = self._batches or read_ahead(stage, self.step)
            batch = next(self._batches)
        with self.phase("transfer"):
            batch = stage.send(batch)
        with self.phase("forward"):
            torch.manual_seed(stage.seed * 1_000_003 + self.step)
            stage.set_training()
            losses = self.losses(batch)
        with self.phase("backward"):
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(losses["total"]).backward()
        with self.phase("optimizer"):
            self.scaler.unscale_(self.optimizer)
            parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, stage.gradient_limit)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.schedule.step()
            if self.average is not None:
                self.average.update_parameters(stage.modules)
        self.step += 1
        return {name: float(loss.detach()) for name, loss in losses.items()}

    @property
    def ended(self) -> bool:
        """Whether the last step was the last one."""
        return self.step >= self.stage.steps or self.validation.ended

    def validate(self) -> None:
        """Validate, where this step is one to validate after."""
        every = self.stage.validate_every
        if every and (self.step % every == 0 or self.step == self.stage.steps):
            self.validation.note(self.step, self.stage.validation_loss(), self.stage.modules)

    def finish(self) -> None:
        """Give the modules the weights that the stage ends with, in evaluation mode."""
        if self.average is not None:
            self.stage.modules.load_state_dict(self.average.module.state_dict())
        if self.stage.validate_every:
            self.validation.load_best(self.stage.modules)
        self.stage.modules.eval()

    def save(self) -> None:
        """Write checkpoint.pt, whole or not at all; of several processes, only the first writes."""
        if not is_first():
            return
        states = {name: each.state_dict() for name, each in self._parts()}
        with whole_file(self.folder / "checkpoint.pt", alone=True) as written:
            kept = {"step": self.step, "identity": self.stage.identity, "stage": self.stage.state()}
            torch.save(kept | states, written)

    def restore(self) -> None:
        """Resume from checkpoint.pt, if there is one; DataError where it belongs to another recipe."""
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return
        saved = torch.load(path, map_location="cpu", weights_only=True)
        identity = current_names(saved["identity"], str(path))
        wanted = {n: v for n, v in self.stage.identity.items() if n in identity or n not in LATER}
        if {name: identity.get(name) for name in wanted} != wanted:
            same = {n: v for n, v in wanted.items() if n != "data"}
            another = "table" if {n: identity.get(n) for n in same} == same else "recipe"
            raise DataError(
                f"{self.folder} holds a run of another {another}: give another folder with --out."
            )
        for name, each in self._parts():
            if name in saved:
                each.load_state_dict(saved[name])
        self.stage.restore(saved.get("stage", {}))
        self.step = saved["step"]

    def _parts(self) -> list[tuple[str, Any]]:
        parts = [
            ("modules", self.stage.modules),
            ("average", self.average),
            ("optimizer", self.optimizer),
            ("schedule", self.schedule),
            ("scaler", self.scaler),
            ("validation", self.validation),
        ]
        return [(name, each) for name, each in parts if each is not None]


def run_stage(stage: Stage, folder: Path) -> None:
    """Train `stage` to its end, from the checkpoint in `folder` if there is one. Afterwards its modules hold
    the weights that it ends with, in evaluation mode: the running average, or the best that were validated.
    """
    trainer = Trainer(stage, folder)
    trainer.restore()
    log = Log(folder / "log.csv", trainer.step)
    saved = time.monotonic()
    bar = {"desc": stage.name, "unit": "step", "disable": not is_first()}
    with tqdm(total=stage.steps, initial=trainer.step, **bar) as progress:
        while not trainer.ended:
            losses = trainer.advance()
            if is_first():
                log.write(trainer.step, losses)
            progress.set_postfix(loss=f"{losses['total']:.3f}")
            progress.update()
            trainer.validate()
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                trainer.save()
                saved = time.monotonic()
    trainer.save()
    if is_first():
        log.plot(folder / "curves.html", stage.name)
    trainer.finish()


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
            values = np.array([float(row[name] or "nan") for row in rows])
            window = min(20, len(values))
            smooth = np.convolve(values, np.ones(window) / window, "valid")
            figure.add_scatter(x=[int(row["step"]) for row in rows[window - 1 :]], y=smooth, name=name)
        figure.write_html(page, include_plotlyjs=True)
