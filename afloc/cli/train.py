"""`afloc train` and `afloc convert`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from afloc.cli.options import DEVICES, count, quiet
from afloc.errors import SettingsError
from afloc.language.modalities import MODALITIES

if TYPE_CHECKING:
    from afloc.training.compute import Compute


def add_convert(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("convert", help="write a released checkpoint as a model folder")
    parser.add_argument(
        "checkpoint", metavar="CKPT", type=Path, help="a checkpoint of the released AFLoc code"
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the model folder to write")
    parser.add_argument("--model", help="taken as everywhere, to no effect: CKPT is the model")
    parser.add_argument("--device", choices=DEVICES, help="taken as everywhere, to no effect: nothing is run")
    parser.set_defaults(run=run_convert)


def run_convert(arguments: argparse.Namespace) -> None:
    quiet()
    from afloc.model.files.checkpoint import convert

    convert(arguments.checkpoint, arguments.folder)
    print(f"Wrote {arguments.folder}.")


def add_train(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "train", help="train a model from images and reports, as a recipe says, or go on from one (--from)"
    )
    parser.add_argument(
        "given",
        metavar="CONFIG",
        type=Path,
        nargs="+",
        help="a recipe, such as assets/configs/mini.toml; with --from, CSVs with the columns image and text",
    )
    parser.add_argument("--data", type=Path, help="the folder that the recipe's tables lie in")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the run's folder; a run found there goes on"
    )
    parser.add_argument(
        "--stage",
        metavar="NAME",
        help="train no further than this: language, or a modality, so that several processes or machines can "
        "share the work; then run the same without it",
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="WHAT",
        help="an ablation: leave out a level (word, sentence, report), the reports (labels alone are read), "
        "the language stage, or contraries (the hard negatives); may be repeated",
    )
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="where the model is trained (default: auto)"
    )
    parser.add_argument(
        "--workers",
        type=_workers,
        metavar="N",
        help="processes that read and augment the batches ahead (default: none; with a GPU, up to 8)",
    )
    parser.add_argument(
        "--profile",
        type=count,
        metavar="N",
        help="train nothing; time N steps of each stage and say what bounds them",
    )
    own = parser.add_argument_group("go on from a trained model with your own images and reports")
    own.add_argument(
        "--from",
        dest="source",
        metavar="MODEL",
        help="afloc-mini, a model folder or hf:owner/name; it stays as it is, DIR/model is the new one",
    )
    own.add_argument(
        "--modality", choices=tuple(MODALITIES), default="chest_xray", help="of the images (default: films)"
    )
    own.add_argument(
        "--findings",
        type=Path,
        metavar="TOML",
        help="findings that the lists do not name, as assets/findings",
    )
    own.add_argument("--steps", type=int, metavar="N", help="how long (default: 300)")
    parser.set_defaults(run=run_train)


def run_train(arguments: argparse.Namespace) -> None:
    quiet()
    from afloc.training.compute import choose_compute

    compute = choose_compute(arguments.device, arguments.workers)
    if arguments.source is not None:
        return _continue(arguments, compute)
    if len(arguments.given) > 1 or arguments.data is None:
        raise SettingsError("A training takes one recipe and --data, or --from MODEL and CSVs with reports.")
    from afloc.training.recipe import read_recipe
    from afloc.training.train import profile, train

    recipe = read_recipe(arguments.given[0], seed=arguments.seed, without=arguments.without)
    if arguments.profile:
        steps, stage = arguments.profile, arguments.stage
        for each in profile(recipe, arguments.data, arguments.out, steps, stage, compute):
            print(each.format())
        return
    wrote = train(recipe, arguments.data, arguments.out, arguments.stage, compute)
    print(f"Wrote {wrote}.")


def _continue(arguments: argparse.Namespace, compute: "Compute") -> None:
    from afloc.model.files.checkpoint import embedded_or
    from afloc.schema import check
    from afloc.training.continuation import STEPS, Continuation, continue_training
    from afloc.training.recipe import Count, Seed

    if arguments.data or arguments.stage or arguments.without or arguments.profile:
        raise SettingsError("With --from there is no --data, --stage, --without or --profile.")
    for name, kind in (("steps", Count), ("seed", Seed)):
        if (value := getattr(arguments, name)) is not None:
            check(kind, value, f"--{name}")
    job = Continuation(
        embedded_or(arguments.source),
        tuple(arguments.given),
        arguments.modality,
        arguments.findings,
        STEPS if arguments.steps is None else arguments.steps,
        arguments.seed or 0,
    )
    change = continue_training(job, arguments.out, command_of(arguments, job.steps), compute)
    if change is not None:
        print(f"{change.table()}\n\nWrote {arguments.out / 'model'}.")


def command_of(arguments: argparse.Namespace, steps: int) -> str:
    """The command that goes on from a model, for its card; paths by their last part alone."""
    words = ["python -m afloc train", "--from", Path(arguments.source).name]
    words += [path.name for path in arguments.given]
    words += ["--modality", arguments.modality, "--steps", str(steps), "--seed", str(arguments.seed or 0)]
    words += ["--findings", arguments.findings.name] if arguments.findings else []
    return " ".join([*words, "--out", arguments.out.name])


def _workers(text: str) -> int:
    return 0 if text == "0" else count(text)
