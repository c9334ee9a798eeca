"""`python -m afloc evaluate`: a set and models in; tables, figures and files out."""

import json
import re
import tempfile
from argparse import Namespace
from pathlib import Path

import pyarrow.parquet as pq

from afloc.errors import SettingsError
from afloc.evaluation.datasets import read_dataset
from afloc.evaluation.peers import load_any
from afloc.evaluation.plan import STYLES, Plan
from afloc.evaluation.plots import Arm, write_figures
from afloc.evaluation.run import evaluate, write_text
from afloc.evaluation.tables import format_differences, format_table, paired_differences
from afloc.text import file_name


def run(arguments: Namespace) -> None:
    """Evaluate each model, in each style of description, and print its table.

    One of them writes into `--out` itself, several into folders below it, with `comparison.json` beside: each
    less the first, paired.
    """
    shard = read_shard(arguments.shard)
    dataset = read_dataset(arguments.set, arguments.images)
    prior = read_dataset(arguments.prior) if arguments.prior else None
    styles = STYLES if arguments.descriptions == "both" else (arguments.descriptions,)
    sources = arguments.model or [None]
    several = len(styles) * len(sources) > 1
    arms = []
    with tempfile.TemporaryDirectory() as nowhere:
        out = arguments.out or Path(nowhere) / "run"
        for number, source in enumerate(sources):
            model = load_any(source, arguments.device)
            for style in styles:
                plan = Plan(dataset, model, arguments.protocol, style, arguments.modality)
                name = f"{model.name}, {style}" if len(styles) > 1 else model.name
                folder = out / f"{number}-{file_name(name)}" if several else out
                summary = evaluate(plan, folder, shard, prior)
                arms.append(Arm(name, style, summary, pq.read_table(folder / "cases.parquet")))
                print(f"{name}, {model.fingerprint}\n{format_table(summary)}\n")
            del model, plan
        if several:
            first, *others = arms
            differences = {
                f"{number}-{file_name(arm.name)}": paired_differences(arm.cases, first.cases)
                for number, arm in enumerate(others, start=1)
            }
            write_text(out / "comparison.json", json.dumps(differences, indent=2, allow_nan=False))
            for arm, found in zip(others, differences.values(), strict=True):
                print(f"{arm.name} less {first.name}\n{format_differences(found)}\n")
        complete = arms[0].summary["n_images"] == arms[0].summary["n_images_of_set"]
        if arguments.out and not arguments.no_figures and complete and arms[0].summary["n_cases"]:
            write_figures(arms, out)


def read_shard(text: str) -> tuple[int, int]:
    """ "I/N" as (I, N), 0 <= I < N."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or int(match[1]) >= int(match[2]):
        raise SettingsError(f"--shard is {text!r}; it takes I/N, I from 0 to N - 1.")
    return int(match[1]), int(match[2])
