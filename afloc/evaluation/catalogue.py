"""Every measure by the key under which files and pages have it: its name, unit, range and direction.

`cases.parquet`, `summary.json` and `answers.json` use these keys; tables and figures take names from here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class MeasureEntry:
    """What is said of a measure wherever it is shown.

    `unit`: "" for a plain number. `low`, `high`: the range; None where there is no end. `higher_is_better`:
    the direction; of a difference to a blind map, too. `meaning`: one sentence. `short`: as the column of a
    narrow table is headed, "" for the name. `digits`: after the point, where it is shown.
    """

    name: str
    low: float | None
    high: float | None
    higher_is_better: bool
    meaning: str
    unit: str = ""
    short: str = ""
    digits: int = 3

    @property
    def heading(self) -> str:
        return self.short or self.name

    @property
    def scale(self) -> str:
        """Range, unit and direction in words: "0 … 1, higher is better"."""
        low = "−∞" if self.low is None else f"{self.low:g}".replace("-", "−")
        high = "∞" if self.high is None else f"{self.high:g}"
        unit = f" {self.unit}" if self.unit else ""
        return f"{low} … {high}{unit}, {'higher' if self.higher_is_better else 'lower'} is better"

    def show(self, value: float) -> str:
        """A value as it is printed, with a true minus sign and its unit."""
        return f"{value:.{self.digits}f}".replace("-", "−") + (f" {self.unit}" if self.unit else "")


def _share(
    name: str, meaning: str, higher_is_better: bool = True, short: str = "", digits: int = 3
) -> MeasureEntry:
    return MeasureEntry(name, 0, 1, higher_is_better, meaning, short=short, digits=digits)


MEASURES: dict[str, MeasureEntry] = {
    # of one map against its ground truth
    "iou": _share(
        "IoU", "Overlap over union, mean over the thresholds 0.1 … 0.5 after min-max to -1 … 1 (published)."
    ),
    "dice": _share("Dice", "Twice the overlap over both areas, at the same thresholds (published)."),
    "cnr": MeasureEntry(
        "CNR",
        None,
        None,
        True,
        "Contrast-to-noise ratio of the map inside and outside (published).",
        digits=2,
    ),
    "pointing": _share(
        "Pointing game",
        "Whether the map's maximum lies in the ground truth (published).",
        short="Pointing",
        digits=2,
    ),
    "pixel_ap": _share(
        "Pixel AP", "Average precision of the pixels in the order of the map; by chance, the share covered."
    ),
    "aupro": _share(
        "AUPRO",
        "Mean share of each region that is found, over false positive rates of the pixels up to 0.3; by "
        "chance 0.15.",
    ),
    "center_distance": MeasureEntry(
        "Center distance",
        0,
        None,
        False,
        "From the map's maximum to the center of the nearest region of the ground truth.",
        "pixels",
        short="Distance",
        digits=0,
    ),
    "center_distance_share": _share(
        "Center distance (of the diagonal)",
        "The same, as a share of the image's diagonal.",
        False,
        short="Distance/diag.",
        digits=2,
    ),
    "coverage": _share("Coverage", "The share of the thresholds that the map's maximum exceeds.", digits=2),
    "present": _share(
        "Flagged cases",
        "Of the cases, which all have ground truth, the share that is judged present.",
        short="Flagged",
        digits=2,
    ),
    # of a finding over images with and without it
    "auroc": _share(
        "AUROC", "The chance that an image with the finding scores above one without; by chance 0.5."
    ),
    "lroc": _share(
        "LROC area", "The same, where the map's maximum must lie inside the ground truth, too; at most AUROC."
    ),
    "froc": _share(
        "FROC score",
        "Share of the regions found, mean over 1/4, 1/2, 1, 2, 4 and 8 false positive marks an image.",
    ),
    "sensitivity": _share("Sensitivity", "The share of images with the finding that are flagged."),
    "specificity": _share("Specificity", "The share of images without the finding that are not flagged."),
    # of probabilities
    "brier": _share("Brier score", "Mean squared difference of probability and truth.", False),
    "ece": _share(
        "ECE",
        "Expected calibration error: mean gap of probability and frequency over ten bins.",
        False,
    ),
    # of answers
    "share_decided": _share("Sides decided", "The share of flagged cases on one side whose side is told."),
    "right": _share("Right side", "Of the sides that are told, the share that is right."),
    "held_on_wrong_side": _share(
        "Held on the wrong side", "The share of cases where the text with the wrong side holds.", False
    ),
    "denied_on_right_side": _share(
        "Denied on the right side", "The share of cases where the text with the right side is denied.", False
    ),
    "flagged": _share(
        "Flagged without a finding", "The share of findings flagged on images without any.", False
    ),
    "painted": _share(
        "Painted without a finding", "The share of the image painted on images without any finding.", False
    ),
    "spread": _share(
        "Wording spread", "The mean difference of a case's highest and lowest probability by wording.", False
    ),
    "widest": _share(
        "Widest wording spread", "The largest difference of two wordings' probabilities in one case.", False
    ),
    "hit_by_some": _share(
        "Place by wording",
        "The share of cases whose place some affirming wordings hit and others miss.",
        False,
    ),
}
