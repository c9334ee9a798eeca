"""Where a job runs: in this process or on Ray, and which shard of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from afloc.batch.job import Job, Runner, run_here


@dataclass(frozen=True)
class Execution:
    """How a job is run.

    `shard`: (number, of how many), numbers from 0. `engine`: "plain", this process, or "ray". `workers`: how
    many workers of Ray; None for one per core or GPU. `device`: "auto", "cpu" or "cuda".
    """

    shard: tuple[int, int] = (0, 1)
    engine: str = "plain"
    workers: int | None = None
    device: str = "auto"

    @property
    def model_device(self) -> str:
        """The device of this process's own model. With Ray it only identifies the run: the CPU will do."""
        return "cpu" if self.engine == "ray" else self.device

    def runner(self, open_job: Callable[[], Job]) -> Runner:
        """The runner; `open_job` makes the same job, with a model of its own, in a worker of Ray."""
        if self.engine == "plain":
            return run_here
        from afloc.batch.on_ray import run_on_ray

        return partial(run_on_ray, open_job=open_job, workers=self.workers, gpu=_on_gpu(self.device))


THIS_PROCESS = Execution()


def absolute_source(source: str | Path | None) -> str | None:
    """A model's name or folder so that a process with another current folder finds it too."""
    if source and Path(source).exists():
        return str(Path(source).absolute())
    return None if source is None else str(source)


def _on_gpu(device: str) -> bool:
    import torch

    return device == "cuda" or (device == "auto" and torch.cuda.is_available())
