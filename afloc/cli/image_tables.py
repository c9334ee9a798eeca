"""`afloc embed`, and `afloc classify` of a table: many images."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from afloc.cli.options import add_batch, add_modality, add_model, quiet, read_execution
from afloc.errors import SettingsError

if TYPE_CHECKING:
    from afloc.batch.image_tables import Query


def add_embed(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("embed", help="the vector of each image of a table, as Parquet")
    parser.add_argument(
        "table",
        metavar="TABLE",
        type=Path,
        help="a CSV or Parquet file with a column image (paths from there)",
    )
    add_modality(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the folder for the parts; a run found there goes on",
    )
    add_batch(parser)
    add_model(parser)
    parser.set_defaults(run=run_embed)


def run_embed(arguments: argparse.Namespace) -> None:
    quiet()
    from afloc.batch.image_tables import Vectors

    _answer(arguments, arguments.table, Vectors())


def classify_table(arguments: argparse.Namespace, findings: tuple[str, ...] | None) -> None:
    """`afloc classify` of the table that `arguments.image` names."""
    if arguments.out is None:
        raise SettingsError("Give --out, the folder for the verdicts of a table.")
    quiet()
    from afloc.batch.image_tables import Verdicts

    _answer(arguments, arguments.image, Verdicts(findings))


def _answer(arguments: argparse.Namespace, table: Path, query: "Query") -> None:
    from afloc.batch.image_tables import answer_table
    from afloc.inference.model import load_model

    execution = read_execution(arguments)
    model = load_model(arguments.model, execution.model_device, image_cache_bytes=0)
    part = answer_table(table, model, query, arguments.out, execution, arguments.model, arguments.modality)
    print(f"Wrote {part}.")
