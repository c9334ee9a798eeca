"""The command line: `python -m afloc COMMAND …`; every command has --help.

A command is a function that adds its subparser, with `run` set to the function that does the work.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from afloc.errors import AFLocError, SettingsError
from afloc.text import one_line

if TYPE_CHECKING:  # torch takes seconds to import; `--help` should not
    from afloc.locate import Finding, Model, View

USAGE_ERROR = 2
TABLES = (".csv", ".parquet")
DEVICES = ("auto", "cpu", "cuda")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.\n")


def add_locate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("locate", help="where a description is seen in an image, and how surely")
    _add_image(parser)
    parser.add_argument("texts", metavar="TEXT", nargs="+", help="what to look for, in your own words")
    _add_protocol(parser)
    parser.add_argument(
        "--threshold", type=_number, default=0.5, metavar="T", help="of the map, for regions (default: 0.5)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write result.json, the maps (.npy) and overlays (.png) there"
    )
    _add_model(parser)
    parser.set_defaults(run=run_locate)


def run_locate(arguments: argparse.Namespace) -> None:
    model, view = _open(arguments, arguments.protocol)
    findings = view.locate_all(arguments.texts)
    if arguments.out is None:
        print_table([(finding.text, finding) for finding in findings], view)
    else:
        write_result(arguments.out, model, view, findings, arguments.threshold)


def add_classify(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "classify", help="which findings of a list an image, or each of a table, shows"
    )
    _add_image(parser, ", or a table of images (CSV or Parquet)")
    parser.add_argument(
        "--findings",
        metavar="LIST",
        help="findings or descriptions, separated by commas (default: every pathology of the modality)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="of a table: write the parts (Parquet) there")
    _add_batch(parser)
    _add_model(parser)
    parser.set_defaults(run=run_classify)


def run_classify(arguments: argparse.Namespace) -> None:
    from afloc.findings import load_findings

    names = None
    if arguments.findings is not None:
        names = tuple(name.strip() for name in arguments.findings.split(",") if name.strip())
        if not names:
            raise SettingsError("--findings names no finding: give names separated by commas.")
    if arguments.image.suffix.lower() in TABLES:
        _quiet()
        from afloc.batch.command import classify

        return classify(arguments, names)
    _, view = _open(arguments, "native")
    findings = view.classify(names)
    names = names or [entry.name for entry in load_findings(view.modality).values() if not entry.normal]
    print_table(list(zip(names, findings, strict=True)), view)


def add_embed(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("embed", help="the vector of each image of a table, as Parquet")
    parser.add_argument(
        "table",
        metavar="TABLE",
        type=Path,
        help="a CSV or Parquet file with a column image (paths from there)",
    )
    _add_modality(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the folder for the parts; a run found there goes on",
    )
    _add_batch(parser)
    _add_model(parser)
    parser.set_defaults(run=run_embed)


def run_embed(arguments: argparse.Namespace) -> None:
    _quiet()
    from afloc.batch.command import embed

    embed(arguments)


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
    _quiet()
    from afloc.model.checkpoint import convert

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
        "the language stage, or contraries; may be repeated",
    )
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.set_defaults(run=run_train)


def run_train(arguments: argparse.Namespace) -> None:
    _quiet()
    from dataclasses import replace

    from afloc.training.recipe import read_recipe
    from afloc.training.train import train

    changes = {"without": tuple(arguments.without)} if arguments.without else {}
    if arguments.seed is not None:
        changes["seed"] = arguments.seed
    recipe = replace(read_recipe(arguments.recipe), **changes)
    wrote = train(recipe, arguments.data, arguments.out, arguments.stage)
    print(f"Wrote {wrote}.")


def add_feedback(commands: argparse._SubParsersAction) -> None:
    from afloc.feedback.commands import add_feedback_commands

    add_feedback_commands(commands.add_parser("feedback", help="what readers said: sum up, export, import"))


def add_study(commands: argparse._SubParsersAction) -> None:
    from afloc.feedback.commands import add_study_commands

    add_study_commands(commands.add_parser("study", help="check a reader study, show a reader's order"))


def add_evaluate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate", help="hold models' maps and scores against ground truth")
    parser.add_argument(
        "set", metavar="SET", type=Path, help="a table with image, labels, boxes and mask, or a public set"
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="the set's images, if not beside its table"
    )
    _add_protocol(parser)
    _add_modality(parser)
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
    _add_batch(parser)
    parser.add_argument(
        "--prior", type=Path, metavar="SET", help="learn the mean ground truth on another set"
    )
    _add_model(parser, several=True)
    parser.set_defaults(run=run_evaluate)


def run_evaluate(arguments: argparse.Namespace) -> None:
    _quiet()
    from afloc.evaluation.command import run

    run(arguments)


def add_password(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("password", help="hash a password for AFLOC_PASSWORD")
    parser.set_defaults(run=run_password)


def run_password(arguments: argparse.Namespace) -> None:
    import getpass

    from afloc.passwords import SHORTEST, hash_password

    ask = getpass.getpass if sys.stdin.isatty() else lambda _: sys.stdin.readline().rstrip("\n")
    password = ask("Password: ")
    if len(password) < SHORTEST:
        raise SettingsError(f"The password is too short: give at least {SHORTEST} characters.")
    print(hash_password(password))


def add_bench(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("bench", help="how fast answers come, beside the released pipeline")
    parser.add_argument("--json", action="store_true", help="write JSON in place of a table")
    parser.add_argument(
        "--soak", action="store_true", help="also how memory grows over 5,000 descriptions and 500 images"
    )
    parser.add_argument(
        "--runs", type=_count, metavar="N", help="runs of each figure (default: 40, 12 at published size)"
    )
    _add_model(parser)
    parser.set_defaults(run=run_bench)


def run_bench(arguments: argparse.Namespace) -> None:
    _quiet()
    from afloc.bench import bench, to_table

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    report = bench(arguments.model, arguments.device, arguments.runs, arguments.soak, say)
    print(json.dumps(report, indent=2) if arguments.json else to_table(report))


def add_deploy(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("deploy", help="make or update a Hugging Face Space with this page")
    parser.add_argument("space", metavar="OWNER/NAME", help="the Space")
    parser.add_argument("--private", action="store_true", help="for its owner only")
    parser.add_argument("--hardware", metavar="NAME", help="such as cpu-basic, t4-small or zero-a10g")
    parser.add_argument(
        "--model", help="the model it uses, such as hf:owner/name (default: the embedded one)"
    )
    parser.set_defaults(run=run_deploy)


def run_deploy(arguments: argparse.Namespace) -> None:
    from afloc.deploy import deploy

    print(deploy(arguments.space, arguments.private, arguments.hardware, arguments.model))


COMMANDS: tuple[Callable[[argparse._SubParsersAction], None], ...] = (
    add_locate,
    add_classify,
    add_embed,
    add_evaluate,
    add_convert,
    add_train,
    add_feedback,
    add_study,
    add_password,
    add_bench,
    add_deploy,
)


def print_table(named: list[tuple[str, "Finding"]], view: "View") -> None:
    """One line a finding: its name, score, probability and verdict."""
    width = min(60, max(len(name) for name, _ in named))
    print(f"{view.modality.replace('_', ' ')}, {view.image.width} x {view.image.height} pixels")
    print(f"{'':{width}}  score  probability  verdict")
    verdicts = {True: "evidence for it", False: "no evidence for it", None: "no verdict"}
    for name, finding in named:
        name = one_line(name, width)
        probability = "" if finding.probability is None else f"{finding.probability:.2f}"
        print(f"{name:{width}}  {finding.score:5.2f}  {probability:>11}  {verdicts[finding.present]}")
        if finding.warning:
            print(f"{'':{width}}  {finding.warning}")


def write_result(
    folder: Path, model: "Model", view: "View", findings: list["Finding"], threshold: float
) -> None:
    """Write result.json and, for each finding, its map as N.npy and its overlay as N.png."""
    import numpy as np
    from PIL import Image as Pillow

    from afloc.heatmap import render_overlay

    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for number, finding in enumerate(findings):
        files = {"heatmap": f"{number}.npy", "overlay": f"{number}.png"}
        np.save(folder / files["heatmap"], finding.heatmap)
        overlay = render_overlay(view.image, finding.evidence())
        Pillow.fromarray(overlay).save(folder / files["overlay"])
        entry = {
            "text": finding.text,
            "score": finding.score,
            "probability": finding.probability,
            "present": finding.present,
            **files,
            "regions": [vars(region) for region in finding.regions(threshold)],
        }
        entries.append(entry | ({"warning": finding.warning} if finding.warning else {}))
    result = {
        "image": {"width": view.image.width, "height": view.image.height, "modality": view.modality},
        "model": {"name": model.name, "fingerprint": model.fingerprint},
        "protocol": view.protocol,
        "findings": entries,
    }
    (folder / "result.json").write_text(
        json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8"
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0, or 2 after one sentence on stderr."""
    parser = Parser(
        prog="python -m afloc", description="Describe a finding, see where it is in a medical image."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in COMMANDS:
        add(commands)
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except AFLocError as error:
        print(one_line(str(error), 2000), file=sys.stderr)
        return USAGE_ERROR
    except OSError as error:
        print(
            f"{error.strerror or type(error).__name__}: {one_line(str(error.filename or 'a file'))}.",
            file=sys.stderr,
        )
        return USAGE_ERROR
    except KeyboardInterrupt:
        return 130
    return 0


def _add_image(parser: argparse.ArgumentParser, also: str = "") -> None:
    parser.add_argument(
        "image", metavar="IMAGE", type=Path, help=f"a DICOM, PNG, JPEG, TIFF or WebP file{also}"
    )
    _add_modality(parser)


def _add_modality(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--modality",
        choices=("chest_xray", "fundus", "histopathology"),
        help="what the image is (default: recognised)",
    )


def _add_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shard", default="0/1", metavar="I/N", help="do one of N shares, I from 0 (default: 0/1)"
    )
    parser.add_argument(
        "--engine",
        choices=("plain", "ray"),
        default="plain",
        help="what does the work (default: this process)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="of Ray (default: one for each core or, with --device cuda, GPU)",
    )


def _add_protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--protocol",
        choices=("native", "paper"),
        default="native",
        help="native: fixed scales; paper: what the released AFLoc code computes (default: native)",
    )


def _add_model(parser: argparse.ArgumentParser, several: bool = False) -> None:
    parser.add_argument(
        "--model",
        action="append" if several else "store",
        help="a model folder, a released .ckpt or hf:owner/name (default: the embedded model)"
        + ("; give it several times to compare" if several else ""),
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where the model runs (default: auto)",
    )


def _open(arguments: argparse.Namespace, protocol: str) -> tuple["Model", "View"]:
    from afloc.images import read_image

    image = read_image(arguments.image)  # before torch is imported: a wrong file name is answered at once
    _quiet()
    from afloc.locate import load_model

    model = load_model(arguments.model, arguments.device)
    return model, model.encode(image, arguments.modality, protocol)


def _quiet() -> None:
    """Keep the libraries' own messages off stderr, which belongs to our one sentence."""
    import logging
    import warnings

    warnings.simplefilter("ignore")
    for name in ("transformers", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs, 1 to 1000")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


if __name__ == "__main__":
    sys.exit(main())
