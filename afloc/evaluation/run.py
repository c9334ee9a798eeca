"""Run a model over a set: in parts, each written whole or not at all, so that a run that was killed goes on.

The folder of a run holds `parts/`, one folder for each block of images, and from them `cases.parquet` and
`summary.json`. Shards of a run may share the folder, at once or one after the other; what is written last
holds all of them. Images, masks and maps are held one at a time, whatever the size of the set.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from afloc.batch.work import Engine, check_shard, claim, run_here, write_text
from afloc.errors import ImageError
from afloc.evaluation.baselines import BLIND, center_prior, means_of_others
from afloc.evaluation.datasets.ground_truth import picture_size
from afloc.evaluation.datasets.rows import Dataset, meaning
from afloc.evaluation.map_frames import from_frame, mask_to_frame, truth_mask
from afloc.evaluation.measure import METRICS, measure, without_nan
from afloc.evaluation.parts import TABLES, Frames, measure_part, write_part
from afloc.evaluation.plan import Plan
from afloc.evaluation.tables import summarise
from afloc.imaging.image import Image

_WRITTEN = ("parts", "cases.parquet", "summary.json")


def evaluate(
    plan: Plan,
    folder: Path,
    shard: tuple[int, int] = (0, 1),
    prior: Dataset | None = None,
    engine: Engine = run_here,
) -> dict:
    """Measure what is not measured yet of a shard (number, of how many), and sum up what the folder holds.

    Writes `cases.parquet` and `summary.json`, and returns the summary. `prior`: the set that the mean
    ground-truth map is learned on, in place of the other patients. `engine` does the measuring.
    """
    check_shard(shard)
    number, count = shard
    claim(folder, plan.identity, _WRITTEN)
    work = Measuring(plan, folder)
    work.parts.mkdir(exist_ok=True)
    numbers = range(number, len(plan.parts), count)
    engine(work, [part for part in numbers if not part_folder(work.parts, part).is_dir()])
    return _sum_up(plan, folder, prior)


@dataclass(frozen=True)
class Measuring:
    """The parts of a plan, measured into a folder."""

    plan: Plan
    folder: Path

    @property
    def parts(self) -> Path:
        return self.folder / "parts"

    def paths(self, part: int) -> list[Path]:
        return [self.plan.dataset.rows[number].path for number in self.plan.parts[part]]

    def finish(self, part: int, images: Iterable[Image | ImageError]) -> None:
        write_part(part_folder(self.parts, part), *measure_part(self.plan, self.plan.parts[part], images))


def part_folder(parts: Path, part: int) -> Path:
    return parts / f"{part:06d}"


def _sum_up(plan: Plan, folder: Path, prior: Dataset | None) -> dict:
    done = [part for part in range(len(plan.parts)) if part_folder(folder / "parts", part).is_dir()]
    folders = [part_folder(folder / "parts", part) for part in done]
    tables = {
        name: pa.concat_tables(
            [schema.empty_table()] + [pq.read_table(f / f"{name}.parquet") for f in folders]
        )
        for name, schema in TABLES.items()
    }
    tables["cases"] = _add_blind(plan, tables["cases"], Frames(folders), prior)
    summary = {
        "model": {"name": plan.model.name, "fingerprint": plan.model.fingerprint},
        "protocol": plan.protocol,
        "descriptions": plan.style,
        "set": plan.dataset.name,
        "n_images": sum(len(plan.parts[part]) for part in done),
        "n_images_of_set": len(plan.dataset.rows),
        "n_cases": tables["cases"].num_rows,
        **summarise(*(tables[name] for name in TABLES)),
    }
    temporary = folder / f".cases-{os.getpid()}"
    pq.write_table(tables["cases"], temporary)
    temporary.replace(folder / "cases.parquet")
    write_text(folder / "summary.json", json.dumps(summary, indent=2, allow_nan=False))
    return summary


def _add_blind(plan: Plan, cases: pa.Table, frames: Frames, prior: Dataset | None) -> pa.Table:
    """The cases with the figures of the blind maps beside their own."""
    rows = cases.select(["row", "truth", "modality", "label", "patient", "height", "width"]).to_pylist()
    keys = [(each["modality"], meaning(each["label"], each["modality"])) for each in rows]
    patients = [each["patient"] for each in rows]
    columns = {f"{name}_{metric}": [None] * len(rows) for name in BLIND for metric in METRICS}
    learned = None if prior is None else mean_truths(prior)

    def put(name: str, case: int, frame: np.ndarray | None) -> None:
        if frame is None:
            return
        each = rows[case]
        size = each["height"], each["width"]
        mask = truth_mask(plan.dataset.rows[each["row"]].truths[each["truth"]], *size, plan.protocol)
        figures = without_nan(asdict(measure(from_frame(frame, *size, plan.protocol), mask)))
        for metric in METRICS:
            columns[f"{name}_{metric}"][case] = figures[metric]

    for case, frame in means_of_others(keys, patients, frames.kind(0)):
        put("own_mean", case, frame)
    if learned is None:
        for case, frame in means_of_others(keys, patients, frames.kind(1)):
            put("truth_mean", case, frame)
    else:
        for case, (_, key) in enumerate(keys):
            put("truth_mean", case, learned.get(key))
    center = center_prior()
    for case in range(len(rows)):
        put("center", case, center)
    for name, values in columns.items():
        cases = cases.append_column(name, pa.array(values, pa.float64()))
    return cases


def mean_truths(dataset: Dataset) -> dict[str, np.ndarray]:
    """The mean ground-truth map of each finding of a set, (FRAME, FRAME), by the finding's id or label."""
    totals: dict[str, np.ndarray] = {}
    counts: Counter = Counter()
    for row in dataset.rows:
        for truth in row.truths:
            key = meaning(truth.label, row.modality)
            mask = truth.draw(*picture_size(row.path))
            totals[key] = totals.get(key, 0) + mask_to_frame(mask).astype(np.float64)
            counts[key] += 1
    return {key: total / counts[key] for key, total in totals.items()}
