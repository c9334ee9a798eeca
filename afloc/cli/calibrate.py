"""`afloc calibrate`: a trained model, its verdicts fitted anew."""

import argparse
from pathlib import Path

from afloc.cli.options import quiet
from afloc.resources import ASSETS

RECIPE = ASSETS / "configs" / "mini.toml"


def add_calibrate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "calibrate", help="fit a trained model's verdicts anew, from its held-back training patients"
    )
    parser.add_argument("folder", metavar="MODEL", type=Path, help="the folder of a model that `train` made")
    parser.add_argument("--data", type=Path, required=True, help="the folder that the recipe's tables lie in")
    parser.add_argument(
        "--recipe",
        type=Path,
        default=RECIPE,
        metavar="CONFIG",
        help="the recipe it was trained by (default: that of the embedded model)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="the model folder to write: a new one, or MODEL itself, of which config.json alone changes",
    )
    parser.add_argument("--version", help="the version of the calibrated model (default: its former one)")
    parser.add_argument(
        "--maps",
        action="store_true",
        help="look at images and draw their maps as the recipe now says (default: as before)",
    )
    parser.set_defaults(run=run_calibrate)


def run_calibrate(arguments: argparse.Namespace) -> None:
    quiet()
    from afloc.training.calibrate import calibrate_model
    from afloc.training.recipe import read_recipe

    recipe = read_recipe(arguments.recipe)
    calibrate_model(
        arguments.folder, recipe, arguments.data, arguments.out, arguments.version, arguments.maps
    )
    print(f"Wrote {arguments.out}.")
