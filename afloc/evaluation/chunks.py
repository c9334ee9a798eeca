"""The chunks of a run: some images each, measured and written whole or not at all.

A chunk is a folder with a Parquet table for each of TABLES, and of its cases
- `maps.npy`, float16 (cases, 3, GRID_SIDE, GRID_SIDE): the model's map, the ground truth and the map of
  anatomy, as `map_grids`;
- `masks.parquet`: the ground truth over the map as run lengths, so that no mask file is decoded again.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from afloc.errors import DataError, ImageError
from afloc.evaluation.agreement import hold_readers
from afloc.evaluation.baselines import AnatomyPriors
from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.datasets.ground_truth import GroundTruth
from afloc.evaluation.datasets.masks import draw_runs, encode_runs
from afloc.evaluation.datasets.rows import Row
from afloc.evaluation.map_grids import GRID_SIDE, map_mask, mask_to_grid, to_map_grid
from afloc.evaluation.marks import find_marks, marked_regions
from afloc.evaluation.measure import LOCALIZATION, fixed_curve, measure, without_nan
from afloc.evaluation.metrics import truth_regions
from afloc.evaluation.queries import queries_for
from afloc.files import whole_folder
from afloc.imaging.image import Image
from afloc.inference.finding import Finding

PAINTED_FROM = 0.5  # on the fixed scale: from here on the page would mark a pixel

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
        **dict.fromkeys((*LOCALIZATION, "center_distance", "coverage"), _REAL),
        **dict.fromkeys(("reader_iou", "reader_dice", "at_readers_iou", "at_readers_dice"), _REAL),
        **dict.fromkeys(("fixed_iou", "fixed_area"), _REALS),
        "regions": _WHOLE,  # of the ground truth
        "marks": _REALS,  # the map's peaks, falling
        "marked_regions": pa.list_(_WHOLE),  # the region that each lies in, from 1; 0 for none
    }
)
SCORES = pa.schema(
    {
        "row": _WHOLE,
        **dict.fromkeys(("patient", "source", "modality", "label"), _TEXT),
        "positive": _BOOL,
        **dict.fromkeys(("score", "probability"), _REAL),
        "present": _BOOL,
        "marks": _REALS,  # of an image without a finding that others of its source have ground truth for
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
_MASKS = pa.schema({"height": pa.int32(), "width": pa.int32(), "runs": pa.list_(pa.int32())})
TABLES = {"cases": CASES, "scores": SCORES, "normals": NORMALS}


@dataclass
class Measured:
    """What a chunk holds: records by the names of TABLES; grids and mask of each case."""

    records: dict[str, list[dict]]
    grids: list[np.ndarray]
    masks: list[dict]


def measure_chunk(config: EvaluationConfig, rows: range, images: Iterable[Image | ImageError]) -> Measured:
    """Ask the model about the images of `rows` and measure its maps. DataError for an unreadable image."""
    measured = Measured({name: [] for name in TABLES}, [], [])
    records = measured.records
    for number, image in zip(rows, images, strict=True):
        row = config.dataset.rows[number]
        if isinstance(image, ImageError):
            raise DataError(f"{row.location}, column image: {image}")
        view = config.model.encode(image, config.modality or row.modality, config.protocol)
        queries = queries_for(row, view.modality, config)
        # One by one: the rounding of a text's embedding depends on what it is encoded together with, and
        # shards meet the texts in another order.
        found = {text: view.locate(text) for text in queries.texts}
        anatomy = AnatomyPriors(image, view.modality)
        for index, (truth, text) in enumerate(zip(row.truths, queries.truths, strict=True)):
            mask = truth.draw(image.height, image.width)
            if mask.any():  # an empty mask says that the finding is not there
                laid = map_mask(truth, mask, config.protocol)
                case = _measure_case(config, row, truth, mask, laid, found[text])
                records["cases"].append({"row": number, "truth": index, "modality": view.modality, **case})
                grids = to_map_grid(found[text]), mask_to_grid(mask), anatomy.map(text)
                measured.grids.append(np.stack(grids))
                size = {"height": laid.shape[0], "width": laid.shape[1]}
                measured.masks.append({**size, "runs": encode_runs(laid)})
        for label, text in queries.labels.items():
            answer = {"label": label, "positive": label in (row.labels or ()), **_verdict(found[text])}
            if not answer["positive"] and config.is_placed(row, label):
                answer["marks"] = find_marks(found[text].grid).ratings.tolist()
            named = {**_identify(row), "modality": view.modality}
            records["scores"].append({"row": number, **named, **answer})
        for name, text in queries.common.items():
            answer = {"finding": name, "present": found[text].present, "painted": None}
            if config.protocol == "native":
                answer["painted"] = _painted(found[text])
            records["normals"].append({"row": number, **_identify(row), **answer})
    return measured


def _measure_case(
    config: EvaluationConfig,
    row: Row,
    truth: GroundTruth,
    mask: np.ndarray,
    laid: np.ndarray,
    finding: Finding,
) -> dict:
    """The record of one case. `mask`: the truth on the image; `laid`: the same over the map."""
    return {
        **_identify(row),
        "image": row.name,
        "label": truth.label,
        "description": finding.text,
        "ground_truth": "box" if truth.mask is None else "mask",
        "model": config.model.name,
        "fingerprint": config.model.fingerprint,
        "protocol": config.protocol,
        "height": mask.shape[0],
        "width": mask.shape[1],
        "extent": float(mask.mean()),
        **_verdict(finding),
        **_measure(finding, laid),
        **(_fixed(finding, laid) if config.protocol == "native" else {}),
        **_readers(row, truth, mask, finding.heatmap if config.protocol == "native" else None),
    }


def _measure(finding: Finding, mask: np.ndarray) -> dict:
    """The metrics of a map, and its marks with the region that each lies in."""
    regions, marks = truth_regions(mask), find_marks(finding.grid)
    return {
        **asdict(measure(finding.heatmap, mask, regions)),
        "regions": len(regions.centers),
        "marks": marks.ratings.tolist(),
        "marked_regions": marked_regions(marks, finding.grid.shape, regions).tolist(),
    }


def _identify(row: Row) -> dict[str, str]:
    return {"patient": row.patient, "source": row.source}


def _verdict(finding: Finding) -> dict:
    return {"score": finding.score, "probability": finding.probability, "present": finding.present}


def _fixed(finding: Finding, mask: np.ndarray) -> dict:
    at = fixed_curve(finding.heatmap, mask)
    return {"fixed_iou": at.iou.tolist(), "fixed_area": at.area.tolist()}


def _painted(finding: Finding) -> float:
    """The share of the image that is marked for a finding: 0 where it is judged absent."""
    return 0.0 if finding.present is False else float((finding.heatmap > PAINTED_FROM).mean())


def _readers(row: Row, truth: GroundTruth, mask: np.ndarray, heatmap: np.ndarray | None) -> dict:
    """What human readers marked against the ground truth, mean over the readers; and the map, on the image,
    where it marks as much as they do."""
    drawn = [
        reading.draw(*mask.shape)
        for reading in row.readers
        if reading.label == truth.label and reading.description in (None, truth.description)
    ]
    if not drawn:
        return {}
    found = hold_readers(drawn, mask, heatmap)
    return {
        "reader_iou": found.iou,
        "reader_dice": found.dice,
        "at_readers_iou": found.model_iou,
        "at_readers_dice": found.model_dice,
    }


def write_chunk(path: Path, measured: Measured) -> None:
    """Write the folder of a chunk, whole or not at all."""
    with whole_folder(path) as folder:
        for name, schema in TABLES.items():
            table = pa.Table.from_pylist([without_nan(record) for record in measured.records[name]], schema)
            pq.write_table(table, folder / f"{name}.parquet")
        np.save(
            folder / "maps.npy", np.array(measured.grids, np.float16).reshape(-1, 3, GRID_SIDE, GRID_SIDE)
        )
        pq.write_table(pa.Table.from_pylist(measured.masks, _MASKS), folder / "masks.parquet")


class CaseFiles:
    """Grids and masks of all cases, in the order of the chunks; each is read from disk when it is wanted."""

    def __init__(self, folders: Iterable[Path]):
        self._folders = list(folders)
        counts = [len(np.load(folder / "maps.npy", mmap_mode="r")) for folder in self._folders]
        self._starts = np.cumsum([0, *counts])
        self._maps: tuple[int, np.ndarray] | None = None
        self._masks: tuple[int, pa.Table] | None = None

    @property
    def model_maps(self) -> "_Grids":
        """The model's maps, by the number of their case."""
        return _Grids(self, 0)

    @property
    def ground_truths(self) -> "_Grids":
        """The ground truths, by the number of their case."""
        return _Grids(self, 1)

    @property
    def anatomy_maps(self) -> "_Grids":
        """The maps of anatomy, by the number of their case."""
        return _Grids(self, 2)

    def grids(self, case: int) -> np.ndarray:
        """The model's map, the ground truth and the map of anatomy of a case, (3, GRID_SIDE, GRID_SIDE)."""
        chunk = self._chunk_of(case)
        if self._maps is None or self._maps[0] != chunk:
            self._maps = chunk, np.load(self._folders[chunk] / "maps.npy")
        return self._maps[1][case - self._starts[chunk]]

    def mask(self, case: int) -> np.ndarray:
        """The ground truth of a case over its map."""
        chunk = self._chunk_of(case)
        if self._masks is None or self._masks[0] != chunk:
            self._masks = chunk, pq.read_table(self._folders[chunk] / "masks.parquet")
        height, width, runs = (column[case - self._starts[chunk]] for column in self._masks[1].columns)
        return draw_runs(runs.values.to_numpy(), height.as_py(), width.as_py())

    def _chunk_of(self, case: int) -> int:
        return int(np.searchsorted(self._starts, case, side="right")) - 1


@dataclass(frozen=True)
class _Grids:
    """One kind of grid: the model's maps (0), the ground truths (1) or the maps of anatomy (2)."""

    files: CaseFiles
    kind: int

    def __getitem__(self, case: int) -> np.ndarray:
        return self.files.grids(case)[self.kind]
