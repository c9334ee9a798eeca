"""Operating points: from the score of a bare finding to its probability and its verdict, and how the verdicts
did."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.special import expit

from afloc.language.findings import load_findings
from afloc.model.calibration import BINS, OTHER, Calibration, OperatingPoint, VerdictCounts
from afloc.training.fit.split import CalibrationSplit

ENOUGH = 12, 8  # images with and without a finding that a family needs for its own operating point
ENOUGH_FOR_ONE = 30  # images with a finding that it needs for an operating point of its own
ENOUGH_COUNTED = 5  # images with a finding, for the counts of its verdicts to say something
ENOUGH_ABSENT = 30  # images without a finding that a source needs to take part in the operating point
ENOUGH_TO_RAISE = 20  # images without a finding, for it to raise the threshold of its family
PREVALENCE = 0.1  # assumed at most, even where more of the calibration split has the finding


def fit_points(split: CalibrationSplit, so_far: Calibration, specificity: float) -> Calibration:
    """`so_far` with operating points: for families of findings, one for all others, and for single findings.

    Each is fitted to the simple sentences of common findings, which is how every answer asks for them. The
    threshold is the lowest probability below which a share `specificity` of the absent findings stays, in
    every source that has enough of them: no source gets more false alarms than others.
    """
    entries = load_findings(split.inputs.modality)
    findings = [finding for finding in split.inputs.sampler.common if not entries[finding].normal]
    logits, targets = split.bare_logits(findings, so_far), split.targets(findings)
    families = np.array([entries[finding].family for finding in findings])
    presence = {OTHER: operating_point(logits, targets, split.sources, specificity)}
    for family in sorted(set(families)):
        mine = families == family
        having, lacking = ((targets[:, mine] == present).any(1).sum() for present in (1, 0))
        if having >= ENOUGH[0] and lacking >= ENOUGH[1]:
            presence[family] = operating_point(logits[:, mine], targets[:, mine], split.sources, specificity)
    everything = [entry.id for entry in entries.values() if not entry.normal]
    own = fit_single_points(split, so_far, presence, everything, specificity)
    return replace(so_far, presence=presence, finding_points=own or None)


def fit_single_points(
    split: CalibrationSplit,
    so_far: Calibration,
    presence: Mapping[str, OperatingPoint],
    findings: list[str],
    specificity: float,
) -> dict[str, OperatingPoint]:
    """The operating points of single findings: fitted to those that enough images have; and a higher
    threshold for those that would be flagged too often at that of their family."""
    entries = load_findings(split.inputs.modality)
    logits, known = split.bare_logits(findings, so_far), split.targets(findings)
    widest = split.widest_targets(findings)
    points = {}
    for column, finding in enumerate(findings):
        mine, target = logits[:, [column]], known[:, [column]]
        shared = point = presence.get(entries[finding].family, presence[OTHER])
        if (
            finding in split.inputs.sampler.common
            and min((target == 1).sum(), (target == 0).sum()) >= ENOUGH_FOR_ONE
        ):
            point = operating_point(mine, target, split.sources, specificity)
        target = widest[:, [column]]
        if (target == 0).sum() >= ENOUGH_TO_RAISE:
            threshold = lowest_threshold(point, mine, target, split.sources, specificity)
            if threshold > point.threshold:
                point = with_threshold(point, threshold, mine, target)
        if point is not shared:
            points[finding] = point
    return points


def count_verdicts(split: CalibrationSplit, calibration: Calibration) -> Mapping[str, VerdictCounts] | None:
    """How the verdict on each finding did on the split, by finding; None where no finding can be counted."""
    entries = load_findings(split.inputs.modality)
    findings = [entry.id for entry in entries.values() if not entry.normal]
    logits, targets = split.bare_logits(findings, calibration), split.widest_targets(findings)
    counted = {}
    for column, finding in enumerate(findings):
        point = calibration.operating_point(finding, entries[finding].family)
        present, absent = targets[:, column] == 1, targets[:, column] == 0
        if point is None or present.sum() < ENOUGH_COUNTED or not absent.any():
            continue
        probabilities = _probabilities(point, logits[:, column])
        flagged = probabilities >= point.threshold
        counted[finding] = VerdictCounts(
            int(present.sum()),
            int(absent.sum()),
            hits=int((flagged & present).sum()),
            rejections=int((~flagged & absent).sum()),
            ill=_histogram(probabilities[present]),
            healthy=_histogram(probabilities[absent]),
        )
    return counted or None


def _histogram(probabilities: np.ndarray) -> tuple[int, ...]:
    counts, _ = np.histogram(probabilities, BINS, (0, 1))
    return tuple(counts.tolist())


def operating_point(
    logits: np.ndarray, targets: np.ndarray, sources: np.ndarray, specificity: float
) -> OperatingPoint:
    """Platt's slope and intercept, the threshold on the probability, and its sensitivity and specificity.

    `logits` and `targets` (0, 1, NaN) are (images, texts), `sources` (images,). Everything is
    measured with the rounded numbers that are stored: rounding may change the order of nearly equal scores.
    """
    absent, present = targets == 0, targets == 1
    slope, intercept = fit_platt(logits[absent | present], targets[absent | present])
    share = present.sum() / (absent | present).sum()
    intercept += min(0.0, math.log(PREVALENCE / (1 - PREVALENCE)) - math.log(share / (1 - share)))
    point = OperatingPoint(round(slope, 4), round(intercept, 4), 1.0)
    return with_threshold(
        point, lowest_threshold(point, logits, targets, sources, specificity), logits, targets
    )


def lowest_threshold(
    point: OperatingPoint, logits: np.ndarray, targets: np.ndarray, sources: np.ndarray, specificity: float
) -> float:
    """The lowest threshold below which a share `specificity` of the absent findings stays in every source
    that has enough of them, or in all together; for the slope and intercept of `point`."""
    absent, probabilities = targets == 0, _probabilities(point, logits)
    parts = [absent & (sources == each)[:, None] for each in np.unique(sources)]
    parts = [part for part in parts if part.any(1).sum() >= ENOUGH_ABSENT] or [absent]
    below = max(np.quantile(probabilities[part], specificity, method="inverted_cdf") for part in parts)
    return min((math.floor(1e4 * below) + 1) / 1e4, 1.0)  # the next of four digits above


def with_threshold(
    point: OperatingPoint, threshold: float, logits: np.ndarray, targets: np.ndarray
) -> OperatingPoint:
    """`point` with another threshold, and the sensitivity and specificity it has there."""
    flagged = _probabilities(point, logits) >= threshold
    return replace(
        point,
        threshold=threshold,
        sensitivity=round(float(flagged[targets == 1].mean()), 3) if (targets == 1).any() else None,
        specificity=round(float((~flagged)[targets == 0].mean()), 3),
    )


def _probabilities(point: OperatingPoint, logits: np.ndarray) -> np.ndarray:
    return expit(point.slope * logits + point.intercept)


def fit_platt(logits: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of a logistic regression of `targets` (0 or 1) on `logits`, by Newton's method.

    The targets are moved slightly towards each other, as in Platt (1999, "Probabilistic outputs for support
    vector machines", section 2.2): the slope stays finite even where the logits separate the targets.
    """
    present, absent = (targets == 1).sum(), (targets == 0).sum()
    targets = np.where(targets == 1, (present + 1) / (present + 2), 1 / (absent + 2))
    design = np.stack([logits, np.ones_like(logits)], 1)
    weights = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (p - targets)
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return float(weights[0]), float(weights[1])
