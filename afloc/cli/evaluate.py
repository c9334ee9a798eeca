"""To be said in one sentence."""

import argparse
from pathlib import Path

from afloc.cli.options import add_batch, add_modality, add_model, add_protocol, quiet


def add_evaluate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate", help="hold models' maps and scores against ground truth")
    parser.add_argument(
        "set", metavar="SET", type=Path, help="a table with image, labels, boxes and mask, or a public set"
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="the set's images, if not beside its table"
    )
    add_protocol(parser)
    add_modality(parser)
    parser.add_argument(
        "--descriptions",
        choices=("simple", "precise", "both"),
        default="simple",
        help="what a label is asked as; both: side by side (default: simple)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write cases.parquet, summary.json and figures there"
    )
    parser.add_argument("--no-figures", action="store_true", help="leave the figures out")
    add_batch(parser)
    parser.add_argument(
        "--prior", type=Path, metavar="SET", help="learn the mean ground truth on another set"
    )
    add_model(parser, several=True)
    parser.set_defaults(run=run_evaluate)


def run_evaluate(arguments: argparse.Namespace) -> None:
    quiet()
    from afloc.evaluation.comparison import run

    run(arguments)
