"""The parts of a run: blocks of images, each measured and written whole or not at all.

A part is a folder: a table for each of TABLES, and `maps.npy`, float16 (cases, 2, FRAME, FRAME): of each case
the model's map and the ground truth, in coordinates normalised to the image.
"""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from afloc.errors import DataError, ImageError
from afloc.evaluation.datasets.ground_truth import Truth
from afloc.evaluation.datasets.rows import Row
from afloc.evaluation.map_frames import FRAME, mask_to_frame, to_frame, truth_mask
from afloc.evaluation.measure import METRICS, fixed_curve, measure, without_nan
from afloc.evaluation.metrics import curve
from afloc.evaluation.plan import Asked, Plan
from afloc.imaging.image import Image
from afloc.inference.finding import Finding

PAINTED_FROM = 0.5  # on the fixed scale: what counts as marked on an image without the finding

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


def measure_part(
    plan: Plan, rows: range, images: Iterable[Image | ImageError]
) -> tuple[dict[str, list[dict]], np.ndarray]:
    """Records for each of TABLES; the maps of the cases beside their truths, in normalised coordinates.

    `images`: those of `rows`; DataError for one that cannot be read.
    """
    records: dict[str, list[dict]] = {name: [] for name in TABLES}
    frames = []
    for number, image in zip(rows, images, strict=True):
        row = plan.dataset.rows[number]
        if isinstance(image, ImageError):
            raise DataError(f"{row.place}, column image: {image}")
        view = plan.model.encode(image, plan.modality or row.modality, plan.protocol)
        asked = Asked(plan, row, view.modality)
        # One by one: the rounding of a text's embedding depends on what it is encoded together with, and
        # shards meet the texts in another order.
        found = {text: view.locate(text) for text in asked.texts}
        for index, (truth, text) in enumerate(zip(row.truths, asked.truths, strict=True)):
            mask = truth.draw(image.height, image.width)
            if mask.any():  # an empty mask says that the finding is not there
                laid = truth_mask(truth, image.height, image.width, plan.protocol)
                case = _measure_case(plan, row, truth, mask, laid, found[text])
                records["cases"].append({"row": number, "truth": index, "modality": view.modality, **case})
                frames.append(np.stack([to_frame(found[text]), mask_to_frame(mask)]))
        for label, text in asked.labels.items():
            answer = {"label": label, "positive": label in row.labels, **_verdict(found[text])}
            records["scores"].append({"row": number, **_identify(row), **answer})
        for name, text in asked.common.items():
            answer = {"finding": name, "present": found[text].present, "painted": None}
            if plan.protocol == "native":
                answer["painted"] = _painted(found[text])
            records["normals"].append({"row": number, **_identify(row), **answer})
    maps = np.array(frames, np.float16).reshape(-1, 2, FRAME, FRAME)
    return records, maps


def _measure_case(
    plan: Plan, row: Row, truth: Truth, mask: np.ndarray, laid: np.ndarray, finding: Finding
) -> dict:
    """One case: `mask` is the truth on the image, `laid` the same over the map."""
    return {
        **_identify(row),
        "image": row.name,
        "label": truth.label,
        "description": finding.text,
        "ground_truth": "box" if truth.mask is None else "mask",
        "model": plan.model.name,
        "fingerprint": plan.model.fingerprint,
        "protocol": plan.protocol,
        "height": mask.shape[0],
        "width": mask.shape[1],
        "extent": float(mask.mean()),
        **_verdict(finding),
        **asdict(measure(finding.heatmap, laid)),
        **(_fixed(finding, laid) if plan.protocol == "native" else {}),
        **_readers(row, truth.label, mask),
    }


def _identify(row: Row) -> dict[str, str]:
    return {"patient": row.patient, "source": row.source}


def _verdict(finding: Finding) -> dict:
    return {"score": finding.score, "probability": finding.probability, "present": finding.present}


def _fixed(finding: Finding, mask: np.ndarray) -> dict:
    at = fixed_curve(finding.heatmap, mask)
    return {"fixed_iou": at.iou.tolist(), "fixed_area": at.area.tolist()}


def _painted(finding: Finding) -> float:
    """The share of the image that is marked for a finding; nothing is where it is judged absent."""
    return 0.0 if finding.present is False else float((finding.heatmap > PAINTED_FROM).mean())


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


def write_part(path: Path, records: dict[str, list[dict]], maps: np.ndarray) -> None:
    """The folder of a part appears whole, by its renaming."""
    temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    for name, schema in TABLES.items():
        table = pa.Table.from_pylist([without_nan(record) for record in records[name]], schema)
        pq.write_table(table, temporary / f"{name}.parquet")
    np.save(temporary / "maps.npy", maps)
    try:
        temporary.rename(path)
    except OSError:  # another process was faster with the same part
        shutil.rmtree(temporary)
        if not path.is_dir():
            raise


class Frames:
    """The maps of all cases in the parts' order, each read from disk when it is wanted."""

    def __init__(self, folders: Iterable[Path]):
        self._files = [folder / "maps.npy" for folder in folders]
        counts = [len(np.load(file, mmap_mode="r")) for file in self._files]
        self._starts = np.cumsum([0, *counts])
        self._open: tuple[int, np.ndarray] | None = None

    def kind(self, which: int) -> "Kind":
        return Kind(self, which)

    def read(self, case: int) -> np.ndarray:
        part = int(np.searchsorted(self._starts, case, side="right")) - 1
        if self._open is None or self._open[0] != part:
            self._open = part, np.load(self._files[part])
        return self._open[1][case - self._starts[part]]


@dataclass(frozen=True)
class Kind:
    """Either the model's maps (0) or the truths (1)."""

    frames: Frames
    which: int

    def __getitem__(self, case: int) -> np.ndarray:
        return self.frames.read(case)[self.which]
