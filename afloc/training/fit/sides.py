"""From which findings' maps the side can be read, and how uneven such a map must be."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from afloc.inference.sides import balance
from afloc.language.findings import load_findings
from afloc.model.calibration import Calibration, SideMargin
from afloc.training.fit.split import CalibrationSplit

DECIDED = 0.72  # the share of flagged images whose side is decided; the others' maps are too even
LEAST_RIGHT = 0.8  # the share of decided sides that must be right, for a finding's side to be judged
ENOUGH = 12  # reports of flagged findings that name one side, for the sides to be judged at all
ENOUGH_OF_FAMILY = 5  # decided reports of its family that a finding needs, if it has none of its own
WEIGHT = 5  # of a family among its findings' own reports, and of all findings among the family's, in reports


class SidedReport(NamedTuple):
    """A report that names one side of a finding that is flagged. `towards`: the balance of the finding's map
    towards that side."""

    finding: str
    family: str
    towards: float


def fit_sides(split: CalibrationSplit, calibration: Calibration) -> Mapping[str, SideMargin] | None:
    """The margin of each finding whose side can be judged; None where there is none.

    Measured on the reports of the split that name one side, where the finding is flagged. Most findings have
    few of them, so one margin is drawn for all; and the share of right sides of a finding is drawn towards
    that of its family, this towards that of all findings (an empirical Bayes estimate). Findings whose maps
    do not find the place are left out.
    """
    entries = load_findings(split.inputs.modality)
    sided = [e.id for e in entries.values() if e.sided and e.id not in calibration.unreliable_maps]
    reports = [
        SidedReport(finding, entries[finding].family, towards)
        for finding in sided
        for towards in _balances(split, finding, calibration)
    ]
    if len(reports) < ENOUGH:
        return None
    margin = round(float(np.quantile([abs(each.towards) for each in reports], 1 - DECIDED)), 2)
    decided = [each for each in reports if abs(each.towards) >= margin]
    overall = sum(each.towards > 0 for each in decided) / len(decided)
    margins = {}
    for finding in sided:
        family = [each for each in decided if each.family == entries[finding].family]
        own = [each for each in family if each.finding == finding]
        right = _drawn_towards(_drawn_towards(overall, family), own)
        if right >= LEAST_RIGHT and (own or len(family) >= ENOUGH_OF_FAMILY):
            margins[finding] = SideMargin(margin, round(right, 3), len(own))
    return margins or None


def _balances(split: CalibrationSplit, finding: str, calibration: Calibration) -> Iterable[float]:
    """The balance of a finding's map towards the side that the report names, where the finding is flagged."""
    entry = load_findings(split.inputs.modality)[finding]
    point = calibration.operating_point(finding, entry.family)
    if point is None:
        return
    logits = split.bare_logits([finding], calibration)[:, 0]
    for index, side in split.one_sided(finding):
        if point.judge(logits[index])[1]:
            leftwards = balance(split.map(index, finding, calibration))
            yield leftwards if side == "left" else -leftwards


def _drawn_towards(share: float, reports: list[SidedReport]) -> float:
    right = sum(each.towards > 0 for each in reports)
    return (right + WEIGHT * share) / (len(reports) + WEIGHT)
