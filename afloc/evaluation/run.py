"""Run a model over a set: in parts, each written whole or not at all, so that a run that was killed goes on.

The folder of a run holds `parts/`, one folder for each block of images, and from them `cases.parquet` and
`summary.json`. Shards of a run may share the folder, at once or one after the other; what is written last
holds all of them. Images, masks and maps are held one at a time, whatever the size of the set.
"""

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from afloc.errors import DataError, ImageError, SettingsError
from afloc.evaluation.blind import BLIND, center_prior, means_of_others
from afloc.evaluation.ground_truth import (
    FRAME,
    Truth,
    from_frame,
    mask_to_frame,
    picture_size,
    to_frame,
    truth_mask,
)
from afloc.evaluation.measure import METRICS, fixed_curve, measure
from afloc.evaluation.rows import Dataset, Row, meaning
from afloc.evaluation.tables import summarise
from afloc.findings import find_by_label, load_findings, sentence_for_label
from afloc.images import read_image
from afloc.metrics import curve

STYLES = ("simple", "precise")
COMMON_FINDINGS = 10  # asked of images without a finding
PAINTED_FROM = 0.5  # on the fixed scale: what counts as marked on an image without the finding

_LAYOUT = 1  # of the parts; another one does not go on from them
_PART_IMAGES = 32
_WRITTEN = ("parts", "cases.parquet", "summary.json")

_TEXT, _REAL, _REALS, _BOOL, _WHOLE = (
    pa.string(),
    pa.float64(),
    pa.list_(pa.float64()),
    pa.bool_(),
    pa.int64(),
)
CASES = pa.schema(
    {
        **dict.fromkeys(("row", "truth"), _WHOLE),
        **dict.fromkeys(("image", "patient", "source", "modality", "label", "description"), _TEXT),
        **dict.fromkeys(("ground_truth", "model", "fingerprint", "protocol"), _TEXT),
        **dict.fromkeys(("height", "width"), _WHOLE),
        **dict.fromkeys(("extent", "score", "probability"), _REAL),
        "present": _BOOL,
        **dict.fromkeys((*METRICS, "coverage", "reader_iou", "reader_dice"), _REAL),
        **dict.fromkeys(("fixed_iou", "fixed_area"), _REALS),
    }
)
SCORES = pa.schema(
    {
        "row": _WHOLE,
        **dict.fromkeys(("patient", "source", "label"), _TEXT),
        "positive": _BOOL,
        **dict.fromkeys(("score", "probability"), _REAL),
        "present": _BOOL,
    }
)
NORMALS = pa.schema(
    {
        "row": _WHOLE,
        **dict.fromkeys(("patient", "source", "finding"), _TEXT),
        "present": _BOOL,
        "painted": _REAL,
    }
)
TABLES = {"cases": CASES, "scores": SCORES, "normals": NORMALS}


@dataclass(frozen=True)
class Plan:
    """What is asked of which model: everything that the parts of a run must agree in."""

    dataset: Dataset
    model: object
    protocol: str = "native"
    style: str = "simple"
    modality: str | None = None

    @cached_property
    def parts(self) -> list[range]:
        """Blocks of row numbers; about two dozen of a small set, so that its shards are alike."""
        count = len(self.dataset.rows)
        size = min(_PART_IMAGES, max(1, count // 24))
        return [range(start, min(start + size, count)) for start in range(0, count, size)]

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """What is asked of the images of each source: every label given there."""
        found: dict[str, Counter] = {}
        for row in self.dataset.rows:
            if row.labels is not None:
                found.setdefault(row.source, Counter()).update(row.labels)
        return {source: tuple(sorted(counts)) for source, counts in found.items()}

    @cached_property
    def common(self) -> tuple[tuple[str, str], ...]:
        """(modality, id) of the commonest findings of the set."""
        counts: Counter = Counter()
        for row in self.dataset.rows:
            entries = (find_by_label(label, self.modality or row.modality) for label in row.labels or ())
            counts.update({(entry.modality, entry.id) for entry in entries if entry and not entry.normal})
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(key for key, _ in ranked[:COMMON_FINDINGS])

    @cached_property
    def identity(self) -> dict[str, str]:
        return {
            "layout": str(_LAYOUT),
            "set": self.dataset.digest,
            "model": self.model.fingerprint,
            "protocol": self.protocol,
            "descriptions": self.style,
            "modality": self.modality or "",
        }


def evaluate(plan: Plan, folder: Path, shard: tuple[int, int] = (0, 1), prior: Dataset | None = None) -> dict:
    """Measure what is not measured yet of a shard (number, of how many), and sum up what the folder holds.

    Writes `cases.parquet` and `summary.json`, and returns the summary. `prior`: the set that the mean
    ground-truth map is learned on, in place of the other patients.
    """
    number, count = shard
    if not 0 <= number < count:
        raise SettingsError(f"The shard must be I/N with 0 <= I < N, not {number}/{count}.")
    parts = folder / "parts"
    _claim(folder, plan)
    waiting = [part for part in range(number, len(plan.parts), count) if not _path(parts, part).is_dir()]
    with tqdm(total=sum(len(plan.parts[part]) for part in waiting), unit="image", disable=None) as progress:
        for part in waiting:
            _write_part(_path(parts, part), *_measure_part(plan, plan.parts[part], progress))
    return _sum_up(plan, folder, prior)


def _claim(folder: Path, plan: Plan) -> None:
    """Make the folder this run's own, or DataError where it holds another run."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "run.json"
    if note.is_file():
        try:
            found = json.loads(note.read_text(encoding="utf-8"))
        except ValueError:
            found = {}
        for key, value in plan.identity.items():
            if found.get(key) != value:
                raise DataError(
                    f"{folder.name} holds a run with another {key}: give another --out or remove it."
                )
    elif taken := [name for name in _WRITTEN if (folder / name).exists()]:
        raise DataError(f"{folder.name} holds a {taken[0]} that is no evaluation's: give another --out.")
    else:
        write_text(note, json.dumps(plan.identity, indent=2))
    (folder / "parts").mkdir(exist_ok=True)


def _path(parts: Path, part: int) -> Path:
    return parts / f"{part:06d}"


def _measure_part(plan: Plan, rows: range, progress: tqdm) -> tuple[dict[str, list[dict]], np.ndarray]:
    """Records for each of TABLES; the maps of the cases beside their truths, in normalised coordinates."""
    records: dict[str, list[dict]] = {name: [] for name in TABLES}
    frames = []
    for number in rows:
        row = plan.dataset.rows[number]
        try:
            image = read_image(row.path)
        except ImageError as error:
            raise DataError(f"{row.place}, column image: {error}") from None
        view = plan.model.encode(image, plan.modality or row.modality, plan.protocol)
        asked = _Asked(plan, row, view.modality)
        # One by one: the rounding of a text's embedding depends on what it is encoded together with, and
        # shards meet the texts in another order.
        found = {text: view.locate(text) for text in asked.texts}
        for index, (truth, text) in enumerate(zip(row.truths, asked.truths, strict=True)):
            mask = truth.draw(image.height, image.width)
            if not mask.any():
                continue  # an empty mask says that the finding is not there
            finding = found[text]
            laid = truth_mask(truth, image.height, image.width, plan.protocol)
            records["cases"].append(
                {
                    "row": number,
                    "truth": index,
                    **_identify(row),
                    "image": row.name,
                    "modality": view.modality,
                    "label": truth.label,
                    "description": text,
                    "ground_truth": "box" if truth.mask is None else "mask",
                    "model": plan.model.name,
                    "fingerprint": plan.model.fingerprint,
                    "protocol": plan.protocol,
                    "height": image.height,
                    "width": image.width,
                    "extent": float(mask.mean()),
                    **_verdict(finding),
                    **asdict(measure(finding.heatmap, laid)),
                    **_fixed(finding, laid, plan.protocol),
                    **_readers(row, truth.label, mask),
                }
            )
            frames.append(np.stack([to_frame(finding), mask_to_frame(mask)]))
        for label, text in asked.labels.items():
            verdict = _verdict(found[text])
            positive = label in row.labels
            records["scores"].append(
                {"row": number, **_identify(row), "label": label, "positive": positive, **verdict}
            )
        for name, text in asked.common.items():
            finding = found[text]
            painted = None
            if plan.protocol == "native":
                shown = finding.present is not False
                painted = float((finding.heatmap > PAINTED_FROM).mean()) if shown else 0.0
            records["normals"].append(
                {
                    "row": number,
                    **_identify(row),
                    "finding": name,
                    "present": finding.present,
                    "painted": painted,
                }
            )
        progress.update()
    maps = np.array(frames, np.float16).reshape(-1, 2, FRAME, FRAME)
    return records, maps


class _Asked:
    """What is asked of one image: its truths, its source's labels and, if normal, the common findings."""

    def __init__(self, plan: Plan, row: Row, modality: str):
        self.truths = [describe(truth, modality, plan.style) for truth in row.truths]
        labels = () if row.labels is None else plan.labels[row.source]
        self.labels = {label: sentence_for_label(label, modality) for label in labels}
        self.common = {}
        if row.labels and all(map(_is_normal, row.labels)):
            entries = [load_findings(kind)[name] for kind, name in plan.common if kind == modality]
            self.common = {entry.name: entry.simple for entry in entries}
        self.texts = list(dict.fromkeys([*self.truths, *self.labels.values(), *self.common.values()]))


def describe(truth: Truth, modality: str, style: str = "simple") -> str:
    """What is asked for a truth: the set's own words, else the finding's simple or precise sentence."""
    if style == "simple":
        return sentence_for_label(truth.label, modality)
    entry = find_by_label(truth.label, modality)
    return truth.description or (entry.precise if entry else sentence_for_label(truth.label, modality))


def _is_normal(label: str) -> bool:
    entry = find_by_label(label)
    return entry is not None and entry.normal and entry.family == "normal"


def _identify(row: Row) -> dict[str, str]:
    return {"patient": row.patient, "source": row.source}


def _verdict(finding) -> dict:
    return {"score": finding.score, "probability": finding.probability, "present": finding.present}


def _fixed(finding, mask: np.ndarray, protocol: str) -> dict:
    if protocol != "native":
        return {}
    at = fixed_curve(finding.heatmap, mask)
    return {"fixed_iou": at.iou.tolist(), "fixed_area": at.area.tolist()}


def _readers(row: Row, label: str, mask: np.ndarray) -> dict:
    """How well what human readers marked agrees with the ground truth, mean over them."""
    found = []
    for reading in row.readers:
        if reading.label == label:
            drawn = reading.draw(*mask.shape).astype(np.float32)
            found.append(curve(drawn, mask, (0.5,)))
    if not found:
        return {}
    return {
        "reader_iou": float(np.mean([at.iou[0] for at in found])),
        "reader_dice": float(np.mean([at.dice[0] for at in found])),
    }


def _write_part(path: Path, records: dict[str, list[dict]], maps: np.ndarray) -> None:
    """The folder of a part appears whole, by its renaming."""
    temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    for name, schema in TABLES.items():
        table = pa.Table.from_pylist([_without_nan(record) for record in records[name]], schema)
        pq.write_table(table, temporary / f"{name}.parquet")
    np.save(temporary / "maps.npy", maps)
    try:
        temporary.rename(path)
    except OSError:  # another process was faster with the same part
        shutil.rmtree(temporary)
        if not path.is_dir():
            raise


def _without_nan(record: dict) -> dict:
    return {
        key: None if isinstance(value, float) and value != value else value for key, value in record.items()
    }


def _sum_up(plan: Plan, folder: Path, prior: Dataset | None) -> dict:
    done = [part for part in range(len(plan.parts)) if _path(folder / "parts", part).is_dir()]
    folders = [_path(folder / "parts", part) for part in done]
    tables = {
        name: pa.concat_tables(
            [schema.empty_table()] + [pq.read_table(f / f"{name}.parquet") for f in folders]
        )
        for name, schema in TABLES.items()
    }
    tables["cases"] = _add_blind(plan, tables["cases"], _Frames(folders), prior)
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


class _Frames:
    """The maps of all cases in the parts' order, each read from disk when it is wanted."""

    def __init__(self, folders: Iterable[Path]):
        self._files = [folder / "maps.npy" for folder in folders]
        counts = [len(np.load(file, mmap_mode="r")) for file in self._files]
        self._starts = np.cumsum([0, *counts])
        self._open: tuple[int, np.ndarray] | None = None

    def kind(self, which: int) -> "_Kind":
        return _Kind(self, which)

    def read(self, case: int) -> np.ndarray:
        part = int(np.searchsorted(self._starts, case, side="right")) - 1
        if self._open is None or self._open[0] != part:
            self._open = part, np.load(self._files[part])
        return self._open[1][case - self._starts[part]]


@dataclass(frozen=True)
class _Kind:
    """Either the model's maps (0) or the truths (1)."""

    frames: _Frames
    which: int

    def __getitem__(self, case: int) -> np.ndarray:
        return self.frames.read(case)[self.which]


def _add_blind(plan: Plan, cases: pa.Table, frames: _Frames, prior: Dataset | None) -> pa.Table:
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
        figures = _without_nan(asdict(measure(from_frame(frame, *size, plan.protocol), mask)))
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
        cases = cases.append_column(name, pa.array(values, _REAL))
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


def write_text(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)
