"""What the commands over many images share, and `embed` and `classify` of tables."""

import re
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path

from afloc.batch.answers import Answering, Question, Vectors, Verdicts, answer_table
from afloc.batch.work import Engine, Work, run_here
from afloc.errors import SettingsError
from afloc.locate import Model, load_model


def embed(arguments: Namespace) -> None:
    _answer(arguments, arguments.table, Vectors())


def classify(arguments: Namespace, findings: tuple[str, ...] | None) -> None:
    if arguments.out is None:
        raise SettingsError("Give --out, the folder for the verdicts of a table.")
    _answer(arguments, arguments.image, Verdicts(findings))


def _answer(arguments: Namespace, table: Path, question: Question) -> None:
    model = load_model(arguments.model, model_device(arguments), image_cache_bytes=0)
    part = answer_table(
        table,
        model,
        question,
        arguments.out,
        read_shard(arguments.shard),
        lambda work_of: choose_engine(
            arguments, partial(_open, absolute(arguments.model), arguments.device, work_of)
        ),
        arguments.modality,
    )
    print(f"Wrote {part}.")


def _open(source: str | None, device: str, work_of: Callable[[Model], Answering]) -> Answering:
    return work_of(load_model(source, device, image_cache_bytes=0))


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
