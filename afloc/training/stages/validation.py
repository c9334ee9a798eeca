"""Validation of a stage: which weights were best on what is kept back, and when to stop."""

import csv
import math
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn

from afloc.files import whole_file
from afloc.training.distributed import is_first, rank_and_world_size


class Validation:
    """The lowest validation loss so far, `best`, and how often since then it was not lower, `misses`.

    The folder holds `validation.csv` and the weights of the lowest loss, `best.pt`. A stage that goes on from
    an older checkpoint comes to the same files again.
    """

    def __init__(self, folder: Path, patience: int):
        self.folder, self.patience = folder, patience
        self.best, self.misses = math.inf, 0

    @property
    def ended(self) -> bool:
        """Whether there was no lower loss for as long as `patience` allows."""
        return self.misses >= self.patience

    def note(self, step: int, loss: float, modules: nn.Module) -> None:
        """Take down the loss after a step, and the weights where it is the lowest."""
        self.misses += 1
        if loss < self.best:
            self.best, self.misses = loss, 0
            if is_first():
                with whole_file(self.folder / "best.pt", alone=True) as written:
                    torch.save(modules.state_dict(), written)
        if is_first():
            self._log(step, loss)

    def load_best(self, modules: nn.Module) -> None:
        """Give `modules` the weights of the lowest loss, if there was a validation."""
        if rank_and_world_size()[1] > 1:
            distributed.barrier()  # until the first process has written them
        if math.isfinite(self.best):
            best = torch.load(self.folder / "best.pt", map_location="cpu", weights_only=True)
            modules.load_state_dict(best)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "misses": self.misses}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.misses = state["best"], state["misses"]

    def _log(self, step: int, loss: float) -> None:
        path = self.folder / "validation.csv"
        rows = []
        if path.is_file():
            with path.open(newline="") as file:
                rows = [row for row in csv.reader(file) if row[0] != "step" and int(row[0]) < step]
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["step", "total"], *rows, [step, f"{loss:.6f}"]])
