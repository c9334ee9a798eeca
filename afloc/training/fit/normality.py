"""When an image holds for normal."""

import math

import numpy as np

from afloc.language.findings import load_findings
from afloc.model.calibration import Calibration, Normality, VerdictCounts
from afloc.training.fit.healthy import findings_against, is_healthy
from afloc.training.fit.split import CalibrationSplit

HEALTHY_SHARE = 0.65  # of the images without a finding that hold for normal
ENOUGH = 30  # images with, and without, a finding


def fit_normality(split: CalibrationSplit, calibration: Calibration) -> Normality | None:
    """How far above its operating point a finding must lie to speak against "normal": as far as lets
    HEALTHY_SHARE of the images without a finding hold. None where the split has too few of either kind."""
    counted = findings_against(split.inputs.modality)
    ill = np.array([not counted.isdisjoint(pair.affirmed) for pair in split.pairs])
    healthy = np.array([is_healthy(pair) for pair in split.pairs])
    if min(ill.sum(), healthy.sum()) < ENOUGH:
        return None
    strongest = excesses(split, sorted(counted), calibration).max(1)
    # Above the image that is just to hold, in four digits.
    threshold = (
        math.floor(1e4 * float(np.quantile(strongest[healthy], HEALTHY_SHARE, method="inverted_cdf")) + 1)
        / 1e4
    )
    counts = VerdictCounts(
        int(ill.sum()),
        int(healthy.sum()),
        hits=int((strongest[ill] >= threshold).sum()),
        rejections=int((strongest[healthy] < threshold).sum()),
    )
    entries = load_findings(split.inputs.modality)
    return Normality(tuple(finding for finding in entries if finding in counted), threshold, counts)


def excesses(split: CalibrationSplit, findings: list[str], calibration: Calibration) -> np.ndarray:
    """How far each finding lies above its operating point, as logits: (rows, findings)."""
    entries, logits = load_findings(split.inputs.modality), split.bare_logits(findings, calibration)
    columns = []
    for column, finding in enumerate(findings):
        point = calibration.operating_point(finding, entries[finding].family)
        assert point is not None  # they are fitted before
        columns.append([point.excess(logit) for logit in logits[:, column]])
    return np.array(columns).T
