"""An answer on one image held against what a person marked there: figures, curves, and a reader's marks.

A reader's marks are a map of 0 and 1, measured by the same definitions. The readers' operating point is the
share of the image that they mark; the model's figure there is at the threshold where its map marks as much.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np

from afloc.evaluation.measure import LocalizationMetrics, measure, without_nan
from afloc.evaluation.metrics import Curve, curve
from afloc.imaging.heatmap import min_max
from afloc.inference.finding import Finding

SCALES = {
    "stretched": tuple(round(0.01 * step - 1, 2) for step in range(201)),
    "fixed": tuple(round(0.01 * step, 2) for step in range(101)),
}
"""The thresholds of a curve: on the map after min-max to [-1, 1], the paper's five among them; and on the
fixed scale."""

SCALE_TITLES = {"stretched": "min-max, −1 … 1", "fixed": "fixed scale, 0 … 1"}
MARKED = 0.5  # from here on a mask that is a map is marked


@dataclass(frozen=True)
class Readers:
    """What human readers marked, against the ground truth, and the model at their operating point.

    `count`: how many; `iou`, `dice` and `area`, the share of the image that is marked: means over them.
    `threshold`: on the fixed scale, where the model's map marks as much, as nearly as it can; `model_area`,
    `model_iou` and `model_dice` are the map's there.
    """

    count: int
    iou: float
    dice: float
    area: float
    threshold: float
    model_iou: float
    model_dice: float
    model_area: float


@dataclass(frozen=True, eq=False)
class Agreement:
    """`finding` on an image, held against `truth`, bool (height, width); `readers`: what each reader marked.

    `style`: "simple" or "precise", how it was asked.
    """

    label: str
    style: str
    finding: Finding
    truth: np.ndarray = field(repr=False)
    readers: tuple[np.ndarray, ...] = field(default=(), repr=False)

    @cached_property
    def metrics(self) -> LocalizationMetrics:
        return measure(self.finding.heatmap, self.truth)

    @cached_property
    def curves(self) -> dict[str, Curve]:
        """By the name of SCALES."""
        heatmap = self.finding.heatmap
        return {
            "stretched": curve(min_max(heatmap), self.truth, SCALES["stretched"]),
            "fixed": curve(heatmap, self.truth, SCALES["fixed"]),
        }

    def level(self, scale: str) -> np.ndarray:
        """The map on a scale, brought to 0 … 1 to be painted."""
        heatmap = self.finding.heatmap
        return heatmap if scale == "fixed" else (min_max(heatmap) + 1) / 2

    @cached_property
    def against_readers(self) -> Readers | None:
        """None without readers, or without ground truth to hold either against."""
        if not (self.readers and self.truth.any()):
            return None
        return hold_readers(self.readers, self.truth, self.finding.heatmap)

    def record(self, scale: str, threshold: float) -> dict:
        """All its numbers as one flat row, at a threshold on a scale too; None for what there is not."""
        step = int(np.argmin(np.abs(np.asarray(SCALES[scale]) - threshold)))
        at, answer, readers = self.curves[scale], self.finding, self.against_readers
        known = bool(self.truth.any())
        return {
            "finding": self.label,
            "style": self.style,
            "description": answer.text,
            "score": answer.score,
            "probability": answer.probability,
            "operating_point": answer.operating_point,
            "present": answer.present,
            "extent": float(self.truth.mean()) if known else None,
            **without_nan(asdict(self.metrics)),
            "scale": SCALE_TITLES[scale],
            "threshold": SCALES[scale][step],
            "iou_at_threshold": float(at.iou[step]) if known else None,
            "dice_at_threshold": float(at.dice[step]) if known else None,
            "area_at_threshold": float(at.area[step]),
            **({f"readers_{key}": value for key, value in vars(readers).items()} if readers else {}),
        }


def hold_readers(readers: Sequence[np.ndarray], truth: np.ndarray, heatmap: np.ndarray | None) -> Readers:
    """Readers against the ground truth, bool (height, width) each, and a map of the same shape; without one,
    the model's figures are NaN."""
    drawn = [curve(each.astype(np.float32), truth, (MARKED,)) for each in readers]
    iou, dice, area = (
        float(np.mean([getattr(each, name)[0] for each in drawn])) for name in ("iou", "dice", "area")
    )
    if heatmap is None:
        return Readers(len(drawn), iou, dice, area, *[math.nan] * 4)
    threshold = threshold_of_area(heatmap, area)
    at = curve(heatmap, truth, (threshold,))
    model = (float(each[0]) for each in (at.iou, at.dice, at.area))
    return Readers(len(drawn), iou, dice, area, threshold, *model)


def threshold_of_area(heatmap: np.ndarray, area: float) -> float:
    """The threshold above which a map marks a share of the image as near to `area` as it can."""
    values = np.sort(heatmap[~np.isnan(heatmap)].ravel())[::-1]
    count = min(max(round(area * values.size), 0), values.size - 1)
    return float(values[count])
