"""Evaluate a model on a set: in chunks, each written whole or not at all, so that a killed run goes on.

The folder of a run holds `parts/`, with one folder for each chunk of images, and made from them
`cases.parquet` and `summary.json`. Shards of a run may share the folder, at once or one after the other; the
last one to end writes the figures of all of them. Images, masks and maps are held one at a time, whatever the
size of the set.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from afloc.batch.job import Runner, bind_run_folder, check_shard, run_here
from afloc.errors import ImageError
from afloc.evaluation.answer_tables import answers_beside
from afloc.evaluation.baselines import BASELINES, center_prior, means_of_others
from afloc.evaluation.chunks import TABLES, CaseFiles, measure_chunk, write_chunk
from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.csv_tables import cases_csv
from afloc.evaluation.datasets.ground_truth import picture_size
from afloc.evaluation.datasets.rows import Dataset, canonical_label
from afloc.evaluation.map_grids import from_map_grid, mask_to_grid
from afloc.evaluation.measure import LOCALIZATION, measure, without_nan
from afloc.evaluation.metrics import truth_regions
from afloc.evaluation.summary import summarise
from afloc.files import whole_file, write_text
from afloc.imaging.image import Image

_WRITTEN = ("parts", "cases.parquet", "cases.csv", "summary.json")


def evaluate(
    config: EvaluationConfig,
    folder: Path,
    shard: tuple[int, int] = (0, 1),
    prior: Dataset | None = None,
    runner: Runner = run_here,
) -> dict:
    """Measure the missing chunks of a shard (number, of how many), and sum up what the folder holds.

    Writes `cases.parquet`, `cases.csv` and `summary.json`, and returns the summary. `prior`: the set whose
    mean ground truth is the baseline `truth_mean`, in place of the other patients. DataError where an image
    cannot be read, or `folder` holds another run.
    """
    check_shard(shard)
    number, count = shard
    bind_run_folder(folder, config.identity, _WRITTEN)
    job = EvaluationJob(config, folder)
    (folder / "parts").mkdir(exist_ok=True)
    chunks = range(number, len(config.chunks), count)
    runner(job, [chunk for chunk in chunks if not chunk_folder(folder, chunk).is_dir()])
    return _sum_up(config, folder, prior)


@dataclass(frozen=True)
class EvaluationJob:
    """The chunks of an evaluation, measured into a folder."""

    config: EvaluationConfig
    folder: Path

    def paths(self, chunk: int) -> list[Path]:
        return [self.config.dataset.rows[number].path for number in self.config.chunks[chunk]]

    def finish(self, chunk: int, images: Iterable[Image | ImageError]) -> None:
        measured = measure_chunk(self.config, self.config.chunks[chunk], images)
        write_chunk(chunk_folder(self.folder, chunk), measured)


def chunk_folder(folder: Path, chunk: int) -> Path:
    """The folder of a chunk, in the folder of a run."""
    return folder / "parts" / f"{chunk:06d}"


def finished_images(config: EvaluationConfig, folder: Path) -> int:
    """How many images of a run are measured."""
    return sum(len(rows) for i, rows in enumerate(config.chunks) if chunk_folder(folder, i).is_dir())


def _sum_up(config: EvaluationConfig, folder: Path, prior: Dataset | None) -> dict:
    done = [chunk for chunk in range(len(config.chunks)) if chunk_folder(folder, chunk).is_dir()]
    folders = [chunk_folder(folder, chunk) for chunk in done]
    tables = {
        name: pa.concat_tables(
            [schema.empty_table()] + [pq.read_table(f / f"{name}.parquet") for f in folders]
        )
        for name, schema in TABLES.items()
    }
    tables["cases"] = _add_baselines(config, tables["cases"], CaseFiles(folders), prior)
    summary = {
        "model": {"name": config.model.name, "fingerprint": config.model.fingerprint},
        "protocol": config.protocol,
        "descriptions": config.style,
        "set": config.dataset.name,
        "n_images": sum(len(config.chunks[chunk]) for chunk in done),
        "n_images_of_set": len(config.dataset.rows),
        "n_cases": tables["cases"].num_rows,
        **summarise(*(tables[name] for name in TABLES)),
    }
    summary |= answers_beside(folder, summary)
    with whole_file(folder / "cases.parquet") as written:
        pq.write_table(tables["cases"], written)
    with whole_file(folder / "cases.csv") as written:
        written.write_text(cases_csv(tables["cases"]), encoding="utf-8")
    write_text(folder / "summary.json", json.dumps(summary, indent=2, allow_nan=False))
    return summary


def _add_baselines(
    config: EvaluationConfig, cases: pa.Table, files: CaseFiles, prior: Dataset | None
) -> pa.Table:
    """The cases with the figures of the baseline maps beside their own."""
    rows = cases.select(["row", "truth", "modality", "label", "patient", "height", "width"]).to_pylist()
    keys = [(each["modality"], canonical_label(each["label"], each["modality"])) for each in rows]
    patients = [each["patient"] for each in rows]
    columns = {f"{name}_{metric}": [None] * len(rows) for name in BASELINES for metric in LOCALIZATION}

    means = (means_of_others(keys, patients, grids) for grids in (files.model_maps, files.ground_truths))
    learned = None if prior is None else mean_truths(prior)
    center = center_prior()
    for (case, own_mean), (_, truth_mean) in zip(*means, strict=True):  # both in one order of the cases
        if learned is not None:
            truth_mean = learned.get(keys[case][1])
        size, mask = (rows[case]["height"], rows[case]["width"]), files.mask(case)
        regions = truth_regions(mask)
        grids = (own_mean, truth_mean, files.anatomy_maps[case], center)
        for name, grid in zip(BASELINES, grids, strict=True):
            if grid is not None and not np.isnan(grid).any():
                heatmap = from_map_grid(grid, *size, config.protocol)
                figures = without_nan(asdict(measure(heatmap, mask, regions)))
                for metric in LOCALIZATION:
                    columns[f"{name}_{metric}"][case] = figures[metric]
    for name, values in columns.items():
        cases = cases.append_column(name, pa.array(values, pa.float64()))
    return cases


def mean_truths(dataset: Dataset) -> dict[str, np.ndarray]:
    """The mean ground truth of each finding of a set, (GRID_SIDE, GRID_SIDE), by its canonical label."""
    totals: dict[str, np.ndarray] = {}
    counts: Counter = Counter()
    for row in dataset.rows:
        if not row.truths:
            continue
        size = picture_size(row.path)
        for truth in row.truths:
            label = canonical_label(truth.label, row.modality)
            totals[label] = totals.get(label, 0) + mask_to_grid(truth.draw(*size)).astype(np.float64)
            counts[label] += 1
    return {label: total / counts[label] for label, total in totals.items()}
