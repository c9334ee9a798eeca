"""`afloc bench`: how fast answers come."""

import argparse
import json
import sys

from afloc.cli.options import add_model, count, quiet


def add_bench(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("bench", help="how fast answers come, beside the released pipeline")
    parser.add_argument("--json", action="store_true", help="write JSON in place of a table")
    parser.add_argument(
        "--soak", action="store_true", help="also how memory grows over 5,000 descriptions and 500 images"
    )
    parser.add_argument(
        "--runs", type=count, metavar="N", help="runs of each figure (default: 40, 12 at published size)"
    )
    add_model(parser)
    parser.set_defaults(run=run_bench)


def run_bench(arguments: argparse.Namespace) -> None:
    quiet()
    from afloc.evaluation.bench import bench, to_table

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    report = bench(arguments.model, arguments.device, arguments.runs, arguments.soak, say)
    print(json.dumps(report, indent=2) if arguments.json else to_table(report))
