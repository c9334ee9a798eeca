"""`python -m afloc evaluate`: a set and models in; tables, figures and files out."""

import json
import tempfile
from argparse import Namespace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from afloc.batch.engine import absolute, choose_engine, model_device, read_shard
from afloc.batch.work import write_text
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.evaluation.datasets.rows import Dataset
from afloc.evaluation.peers.load import load_any
from afloc.evaluation.plan import STYLES, Plan
from afloc.evaluation.plots import Arm, write_figures
from afloc.evaluation.run import Measuring, evaluate
from afloc.evaluation.tables import format_differences, format_table, paired_differences
from afloc.text import file_name


def run(arguments: Namespace) -> None:
    """Evaluate each model, in each style of description, and print its table.

    One of them writes into `--out` itself, several into folders below it, with `comparison.json` beside: each
    less the first, paired.
    """
    shard = read_shard(arguments.shard)
    device = model_device(arguments)
    images = arguments.images and arguments.images.absolute()
    dataset = read_dataset(arguments.set.absolute(), images)  # workers may have another current folder
    prior = read_dataset(arguments.prior) if arguments.prior else None
    styles = STYLES if arguments.descriptions == "both" else (arguments.descriptions,)
    sources = arguments.model or [None]
    several = len(styles) * len(sources) > 1
    arms = []
    with tempfile.TemporaryDirectory() as nowhere:
        out = arguments.out or Path(nowhere) / "run"
        for number, source in enumerate(sources):
            model = load_any(source, device)
            for style in styles:
                asked = (arguments.protocol, style, arguments.modality)
                plan = Plan(dataset, model, *asked)
                name = f"{model.name}, {style}" if len(styles) > 1 else model.name
                folder = out / f"{number}-{file_name(name)}" if several else out
                opened = (dataset, absolute(source), arguments.device, asked, folder.absolute())
                open_work = partial(open_measuring, *opened)
                summary = evaluate(plan, folder, shard, prior, choose_engine(arguments, open_work))
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


def open_measuring(
    dataset: Dataset, source: str | None, device: str, asked: tuple, folder: Path
) -> Measuring:
    """The same work in another process, with a model of its own."""
    return Measuring(Plan(dataset, load_any(source, device), *asked), folder)
