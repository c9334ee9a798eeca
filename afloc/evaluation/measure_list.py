"""What every measure of an evaluation is called, on which scale it lies, and which end of it is good.

Tables, figures and files take names and digits from here; a measure that is missing here is shown nowhere.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One measure of a case, or its mean over cases.

    `name`: as a column is headed. `title`: in full. `low`, `high`: its scale, None where it has no end.
    `best`: the value of a perfect map, None where no value is best. `about`: one sentence, what it is.
    """

    name: str
    title: str
    about: str
    low: float | None = 0.0
    high: float | None = 1.0
    best: float | None = 1.0
    digits: int = 3

    @property
    def scale(self) -> str:
        """The scale in words: "0 … 1, 1 is best"."""
        low = "−∞" if self.low is None else f"{self.low:g}".replace("-", "−")
        high = "∞" if self.high is None else f"{self.high:g}"
        if self.best is None:
            return f"{low} … {high}"
        best = "higher is better" if math.isinf(self.best) else f"{self.best:g} is best"
        return f"{low} … {high}, {best}"


MEASURES = {
    "iou": Measure(
        "IoU",
        "Intersection over union",
        "What map and ground truth share, over what either covers: min-max map, mean over the thresholds "
        "0.1, 0.2, 0.3, 0.4 and 0.5.",
    ),
    "dice": Measure(
        "Dice",
        "Dice coefficient",
        "Twice what map and ground truth share, over the sum of both: min-max map, mean over the thresholds "
        "0.1, 0.2, 0.3, 0.4 and 0.5.",
    ),
    "cnr": Measure(
        "CNR",
        "Contrast-to-noise ratio, signed",
        "The map's mean inside less its mean outside, over the root of the sum of both variances; below 0 it "
        "is stronger outside.",
        low=None,
        high=None,
        best=math.inf,
        digits=2,
    ),
    "pointing": Measure(
        "Pointing",
        "Pointing game",
        "The share of cases whose highest place of the map lies in the ground truth.",
        digits=2,
    ),
    "coverage": Measure(
        "Coverage",
        "Thresholds with a map",
        "The share of the five thresholds that the map exceeds anywhere.",
        best=None,
        digits=2,
    ),
    "present": Measure(
        "Flagged",
        "Share flagged",
        "The share of the cases, all with ground truth, that the model judges present.",
        digits=2,
    ),
}
"""By the key in `summary.json` and `cases.csv`, in the order of the tables."""
