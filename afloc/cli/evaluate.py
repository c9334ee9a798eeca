"""`afloc evaluate`: a set and models in; tables, figures and files out."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from afloc.cli.options import add_batch, add_modality, add_model, add_protocol, quiet, read_execution

if TYPE_CHECKING:
    from afloc.evaluation.entrant import Entrant


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
        "--out", type=Path, metavar="DIR", help="write the cases, summary.json and the figures there"
    )
    parser.add_argument(
        "--figures",
        action=argparse.BooleanOptionalAction,
        help="draw the figures (SVG, PNG) into --out (default: wherever --out is given)",
    )
    parser.add_argument(
        "--answers",
        action="store_true",
        help="measure what is answered instead: sides, denials, normal images, wordings (answers.json, and "
        "summary.json of a run in the same folder)",
    )
    add_batch(parser)
    parser.add_argument(
        "--prior", type=Path, metavar="SET", help="learn the mean ground truth on another set"
    )
    add_model(parser, several=True)
    parser.set_defaults(run=run_evaluate)


def run_evaluate(arguments: argparse.Namespace) -> None:
    quiet()
    if arguments.answers:
        return _run_answers(arguments)
    from afloc.errors import SettingsError
    from afloc.evaluation.comparison import compare
    from afloc.evaluation.config import STYLES, EvaluationConfig
    from afloc.evaluation.datasets.dataset import read_dataset
    from afloc.evaluation.figures.set_figures import write_cases, write_page, write_plots
    from afloc.evaluation.tables import format_differences, format_table

    if arguments.figures and not arguments.out:
        raise SettingsError("--figures needs --out: the folder to draw the figures into.")
    drawn = arguments.out and arguments.figures is not False

    def report(entrant: "Entrant", config: EvaluationConfig, folder: Path) -> None:
        print(f"{entrant.name}, {entrant.fingerprint}\n{format_table(entrant.summary)}\n")
        if drawn and entrant.complete and entrant.summary["n_cases"]:
            write_cases(config, entrant, folder)

    execution = read_execution(arguments)
    comparison = compare(
        read_dataset(arguments.set, arguments.images),
        arguments.model or [None],
        STYLES if arguments.descriptions == "both" else (arguments.descriptions,),
        arguments.protocol,
        arguments.modality,
        arguments.out,
        read_dataset(arguments.prior) if arguments.prior else None,
        execution,
        report,
    )
    first, *others = comparison.entrants
    for entrant, found in zip(others, comparison.differences.values(), strict=True):
        print(f"{entrant.name} less {first.name}\n{format_differences(found)}\n")
    if drawn and first.complete and first.summary["n_cases"]:
        write_plots(comparison.entrants, arguments.out)
        write_page(arguments.out)


def _run_answers(arguments: argparse.Namespace) -> None:
    from afloc.errors import SettingsError
    from afloc.evaluation.answer_tables import format_answers, summarise_answers, write_answers
    from afloc.evaluation.answers import ask_answers
    from afloc.evaluation.config import EvaluationConfig
    from afloc.evaluation.datasets.dataset import read_dataset
    from afloc.inference.model import load_model

    if len(arguments.model or []) > 1 or arguments.protocol == "paper" or arguments.shard != "0/1":
        raise SettingsError("--answers takes one model, under protocol native, and the whole set.")
    (source,) = arguments.model or [None]
    model = load_model(source, arguments.device)
    config = EvaluationConfig(
        read_dataset(arguments.set, arguments.images), model, modality=arguments.modality
    )
    about = {"model": {"name": model.name, "fingerprint": model.fingerprint}, "set": config.dataset.name}
    tables = summarise_answers(ask_answers(config, model.encode))
    print(f"{model.name}, {model.fingerprint}\n{format_answers(tables)}")
    if arguments.out:
        write_answers(arguments.out, about, tables)
