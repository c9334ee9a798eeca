"""What the commands over many images share, and `embed` and `classify` of tables."""

from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path

from afloc.batch.engine import absolute, choose_engine, model_device, read_shard
from afloc.batch.image_tables import Answering, Question, Vectors, Verdicts, answer_table
from afloc.errors import SettingsError
from afloc.inference.model import Model, load_model


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
