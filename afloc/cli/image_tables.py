"""`afloc embed`, and `afloc classify` of a table: many images."""

import argparse
from pathlib import Path

from afloc.cli.options import add_batch, add_modality, add_model, quiet


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
    from afloc.batch.command import embed

    embed(arguments)
