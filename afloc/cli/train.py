"""`afloc train` and `afloc convert`."""

import argparse
from pathlib import Path

from afloc.cli.options import DEVICES, count, quiet


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
    parser = commands.add_parser("train", help="pre-train a model from image-report pairs, as a recipe says")
    parser.add_argument(
        "recipe", metavar="CONFIG", type=Path, help="a recipe, such as assets/configs/mini.toml"
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder that the recipe's table lies in")
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
        type=int,
        metavar="N",
        help="processes that read and augment the batches ahead (default: none; with a GPU, up to 8)",
    )
    parser.add_argument(
        "--profile",
        type=count,
        metavar="N",
        help="train nothing; time N steps of each stage and say what bounds them",
    )
    parser.set_defaults(run=run_train)


def run_train(arguments: argparse.Namespace) -> None:
    quiet()
    from afloc.training.compute import choose_compute
    from afloc.training.recipe import read_recipe
    from afloc.training.train import profile, train

    recipe = read_recipe(arguments.recipe, seed=arguments.seed, without=arguments.without)
    compute = choose_compute(arguments.device, arguments.workers)
    if arguments.profile:
        steps, stage = arguments.profile, arguments.stage
        for each in profile(recipe, arguments.data, arguments.out, steps, stage, compute):
            print(each.format())
        return
    wrote = train(recipe, arguments.data, arguments.out, arguments.stage, compute)
    print(f"Wrote {wrote}.")
