"""What does the work of a run: this process or Ray, and which share of it."""

import re
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path

from afloc.batch.work import Engine, Work, run_here
from afloc.errors import SettingsError


def choose_engine(arguments: Namespace, open_work: Callable[[], Work]) -> Engine:
    """The engine of `--engine`; `open_work` makes the same work, with a model of its own, in a worker."""
    if arguments.engine == "plain":
        return run_here
    from afloc.batch.on_ray import run_on_ray

    return partial(run_on_ray, open_work=open_work, workers=arguments.workers, gpu=_on_gpu(arguments.device))


def model_device(arguments: Namespace) -> str:
    """Where the command's own model runs: it only names the run where workers do the work."""
    return "cpu" if arguments.engine == "ray" else arguments.device


def absolute(source: str | None) -> str | None:
    """A model's name as any folder's process understands it."""
    return str(Path(source).absolute()) if source and Path(source).exists() else source


def read_shard(text: str) -> tuple[int, int]:
    """ "I/N" as (I, N), 0 <= I < N."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or int(match[1]) >= int(match[2]):
        raise SettingsError(f"--shard is {text!r}; it takes I/N, I from 0 to N - 1.")
    return int(match[1]), int(match[2])


def _on_gpu(device: str) -> bool:
    import torch

    return device == "cuda" or (device == "auto" and torch.cuda.is_available())
