"""Compare models, and styles of description, on the same set."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from afloc.batch.execution import THIS_PROCESS, Execution, absolute_source
from afloc.evaluation.config import STYLES, EvaluationConfig
from afloc.evaluation.csv_tables import comparison_csv
from afloc.evaluation.datasets.rows import Dataset
from afloc.evaluation.entrant import Entrant
from afloc.evaluation.peers.load import load_any
from afloc.evaluation.run import EvaluationJob, evaluate
from afloc.evaluation.summary import paired_differences
from afloc.files import whole_file, write_text
from afloc.text import file_name


@dataclass(frozen=True)
class Comparison:
    """The entrants, and by folder name `differences`: each entrant's figures less the first one's, paired."""

    entrants: tuple[Entrant, ...]
    differences: dict[str, dict]


def compare(
    dataset: Dataset,
    sources: Sequence[str | Path | None] = (None,),
    styles: Sequence[str] = STYLES[:1],
    protocol: str = "native",
    modality: str | None = None,
    folder: Path | None = None,
    prior: Dataset | None = None,
    execution: Execution = THIS_PROCESS,
    measured: Callable[[Entrant, EvaluationConfig, Path], None] = lambda *_: None,
) -> Comparison:
    """Evaluate each model in each style of description; then take the paired differences to the first.

    `sources`: models as `load_any` takes them. A single entrant writes into `folder` itself; several write
    into folders below it, with `comparison.json` and `comparison.csv` beside them. None: nothing is kept on
    disk. `prior`: as of `evaluate`. `measured` is called with each entrant as soon as its figures are there,
    how it was measured, and its folder.
    """
    several = len(styles) * len(sources) > 1
    entrants = []
    with tempfile.TemporaryDirectory() as nowhere:
        out = Path(nowhere) / "run" if folder is None else folder
        for number, source in enumerate(sources):
            model = load_any(source, execution.model_device)
            for style in styles:
                name = f"{model.name}, {style}" if len(styles) > 1 else model.name
                own = out / f"{number}-{file_name(name)}" if several else out
                query = (protocol, style, modality)
                job = dataset, absolute_source(source), execution.device, query, own.absolute()
                runner = execution.runner(partial(open_evaluation, *job))
                config = EvaluationConfig(dataset, model, *query)
                summary = evaluate(config, own, execution.shard, prior, runner)
                cases = pq.read_table(own / "cases.parquet")
                entrants.append(Entrant(name, style, model.fingerprint, summary, cases))
                measured(entrants[-1], config, own)
            del model, config  # one model in memory at a time
        first, *others = entrants
        differences = {
            f"{number}-{file_name(each.name)}": paired_differences(each.cases, first.cases)
            for number, each in enumerate(others, start=1)
        }
        if several:
            write_text(out / "comparison.json", json.dumps(differences, indent=2, allow_nan=False))
            with whole_file(out / "comparison.csv") as written:
                written.write_text(comparison_csv(entrants, list(differences.values())), encoding="utf-8")
    return Comparison(tuple(entrants), differences)


def open_evaluation(
    dataset: Dataset, source: str | None, device: str, query: tuple, folder: Path
) -> EvaluationJob:
    """The same job in another process, with a model of its own. `query`: protocol, style and modality."""
    return EvaluationJob(EvaluationConfig(dataset, load_any(source, device), *query), folder)
