"""`python -m afloc evaluate`: sets and models in, a table and files out."""

import re
import tempfile
from argparse import Namespace
from pathlib import Path

from afloc.errors import SettingsError
from afloc.evaluation.datasets import read_dataset
from afloc.evaluation.run import Plan, evaluate
from afloc.evaluation.tables import format_table
from afloc.locate import load_model


def run(arguments: Namespace) -> None:
    """Evaluate each model on the set, print its table, and write what `--out` asks for."""
    shard = read_shard(arguments.shard)
    dataset = read_dataset(arguments.set)
    prior = read_dataset(arguments.prior) if arguments.prior else None
    model = load_model(arguments.model, arguments.device, image_cache_bytes=0)
    plan = Plan(dataset, model, arguments.protocol, modality=arguments.modality)
    with tempfile.TemporaryDirectory() as nowhere:
        summary = evaluate(plan, arguments.out or Path(nowhere) / "run", shard, prior)
    print(format_table(summary))


def read_shard(text: str) -> tuple[int, int]:
    """ "I/N" as (I, N), 0 <= I < N."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or int(match[1]) >= int(match[2]):
        raise SettingsError(f"--shard is {text!r}; it takes I/N, I from 0 to N - 1.")
    return int(match[1]), int(match[2])
