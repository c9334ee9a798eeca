"""What turns a trained model's cosines into maps, scores and verdicts on fixed scales, from training rows
alone: those of the patients held back from training."""

import math
import random
from dataclasses import replace

import numpy as np
import torch
from scipy.special import expit
from torch.nn import functional

from afloc.inference.appearance import feature_distance, share_limit
from afloc.inference.native_protocol import raw_map, score_logits
from afloc.language.findings import load_findings
from afloc.language.statements import AFFIRMED, Statement
from afloc.model.calibration import (
    OTHER,
    Calibration,
    Levels,
    LevelScale,
    MapRange,
    OperatingPoint,
    TrainingDistribution,
)
from afloc.model.image_encoder import ImageFeatures
from afloc.training.data.facts import Description, entails
from afloc.training.pictures.augmentation import as_they_are
from afloc.training.stages.images import ImageStage

SPECIFICITY = 0.94  # of the answers on what is absent, in every source
ENOUGH = 12, 8  # images with and without a finding that a family needs for an operating point of its own
ENOUGH_ABSENT = 30  # images without a finding that a source needs to have a say in the operating point
ASKED = 0.1  # at most so many of what is asked is taken to be there, however many were where it was fitted
MAPS_A_ROW = 2  # of present findings, and of absent ones
COSINES = Calibration(Levels.alike(1.0, 0.0))  # as they are
LEAST_RANGE = 0.01  # of maps: what differs by less is noise
KNOWN_SHARE = 0.995  # of the held-back images are taken for known
ENOUGH_SIDED = 12  # answers on a side, to tell whether it can
SIDES_SHARE = 0.75  # right answers from which on a model tells left from right


def calibrate(stage: ImageStage) -> Calibration:
    """The calibration of one modality.

    Each common finding is asked of the held-back images, by its name and by its simple sentence. Platt's
    slope and intercept are fitted for each family of findings, and for all findings together ("other"); the
    operating point is the probability that a share SPECIFICITY of the absent findings stays under, in every
    source that has enough of them: what is normal in one hospital is no alarm in another.
    """
    scales, biases = stage.objective.log_scale.exp().tolist(), stage.objective.bias.tolist()
    levels = Levels(
        *(LevelScale(round(scale, 4), round(bias, 4)) for scale, bias in zip(scales, biases, strict=True))
    )
    images, entries, without = see(stage), load_findings(stage.name), stage.without
    asked = [
        (entries[finding].family, Description(text, (Statement(finding, AFFIRMED),)))
        for finding in stage.sampler.common
        if not entries[finding].normal
        for text in (entries[finding].name, entries[finding].simple)
    ]
    descriptions = [description for _, description in asked]
    if stage.fits_report:
        levels = replace(levels, report=fit_scale(*ask(stage, images, descriptions, COSINES)))
    words = 0.0 if "word" in without else 1.0 if "sentence" in without else stage.recipe.words
    local = 0.0 if "sentence" in without else 1.0 if "report" in without else stage.recipe.local
    so_far = Calibration(levels, round(stage.recipe.smoothing, 4), round(words, 4), round(local, 4))
    logits, targets = ask(stage, images, descriptions, so_far)
    sources = np.array([stage.pairs[row].source for row in _held_back(stage)])
    families = np.array([family for family, _ in asked])
    presence = {OTHER: operating_point(logits, targets, sources)}
    for family in sorted(set(families)):
        mine = families == family
        having, lacking = ((targets[:, mine] == present).any(1).sum() for present in (1, 0))
        if having >= ENOUGH[0] and lacking >= ENOUGH[1]:
            presence[family] = operating_point(logits[:, mine], targets[:, mine], sources)
    return replace(
        so_far,
        map_range=fit_map_range(stage, so_far),
        presence=presence,
        training_distribution=describe_known(unit_vectors(images)),
        tells_laterality=tells_sides(stage, images, so_far),
        unreliable_maps=tuple(stage.recipe.unplaced),
    )


@torch.inference_mode()
def see(stage: ImageStage) -> list[ImageFeatures]:
    """The held-back images, some at a time, without their shallow maps."""
    stage.modules.eval()
    seen = (stage.encoder(pixels) for pixels in stage.inputs(_held_back(stage)))
    return [replace(each, shallow=each.shallow[..., :0, :0].clone()) for each in seen]


def unit_vectors(images: list[ImageFeatures]) -> np.ndarray:
    """The global vectors of images, each of length 1: (images, D)."""
    return functional.normalize(torch.cat([each.global_ for each in images]), dim=1).numpy()


@torch.inference_mode()
def ask(
    stage: ImageStage, images: list[ImageFeatures], descriptions: list[Description], so_far: Calibration
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the scores by the calibration `so_far`, and targets (0, 1, NaN), of each description, which
    affirms a finding, on each held-back image: (rows, texts)."""
    vectors = stage.texts([description.text for description in descriptions])
    chunks = [score_logits(each, vectors, vectors, so_far) for each in images]
    facts = [stage.pairs[row].facts for row in _held_back(stage)]
    targets = [[entails(each, description) for description in descriptions] for each in facts]
    return torch.cat(chunks).double().numpy(), np.array(targets)


def describe_known(images: np.ndarray) -> TrainingDistribution:
    """Where global vectors (images, D) of known images lie.

    The limit is measured from the stored, rounded mean: vectors that are nearly alike lie further from it
    than from each other. It is at least 1, so that differences below 1e-3, which the deviation counts as
    noise, never raise a doubt.
    """
    images = images.astype(np.float64)
    mean, deviation = images.mean(0).round(4), (images.std(0) + 1e-3).round(4)
    known = TrainingDistribution(tuple(mean.tolist()), tuple(deviation.tolist()), limit=1.0)
    limit = share_limit(feature_distance(images, known), KNOWN_SHARE)
    return replace(known, limit=max(known.limit, limit))


@torch.inference_mode()
def fit_map_range(stage: ImageStage, calibration: Calibration) -> MapRange:
    """The range of maps that becomes 0 … 1: from the lowest level of maps of absent findings to the highest
    peaks of present ones, but for a few; never less than LEAST_RANGE."""
    entries, rng = load_findings(stage.name), random.Random(stage.seed)
    lows, peaks = [], []
    for row in _held_back(stage):
        image, facts = stage.encoder(as_they_are(stage.pictures[[row]], stage.size)), stage.pairs[row].facts
        for present, found in ((1, peaks), (0, lows)):
            having = [f for f in stage.sampler.common if f in facts and facts[f].present == present]
            for finding in rng.sample(having, min(MAPS_A_ROW, len(having))):
                grid = raw_map(image, stage.texts([entries[finding].simple]), calibration)
                found.append(grid.max() if present else np.quantile(grid, 0.05))
    floor, top = np.quantile(lows, 0.05), np.quantile(peaks, 0.95)
    top = max(top, floor + LEAST_RANGE)
    return MapRange(round(float(floor), 4), round(float(top), 4))


def tells_sides(stage: ImageStage, images: list[ImageFeatures], so_far: Calibration) -> bool:
    """Whether, of a finding and the same on the other side, the true one scores higher often enough."""
    entries, right, wrong = load_findings(stage.name), 0, 0
    for finding in (finding for finding in stage.sampler.common if entries[finding].sided):
        sided = [
            Description(f"{side} {entries[finding].name}", (Statement(finding, AFFIRMED, side),))
            for side in ("left", "right")
        ]
        logits, targets = ask(stage, images, sided, so_far)
        one = (targets == 1).any(1) & (targets == 0).any(1)
        correct = np.argmax(logits[one], 1) == np.nanargmax(targets[one], 1) if one.any() else np.array([])
        right, wrong = right + int(correct.sum()), wrong + int((~correct.astype(bool)).sum())
    return right + wrong >= ENOUGH_SIDED and right / (right + wrong) >= SIDES_SHARE


def _held_back(stage: ImageStage) -> np.ndarray:
    return np.flatnonzero([pair.held_back for pair in stage.pairs])


def operating_point(logits: np.ndarray, targets: np.ndarray, sources: np.ndarray) -> OperatingPoint:
    """Platt's slope and intercept, the threshold on the probability, and what it reaches on these answers.

    `logits` and `targets` (0, 1, NaN) are (images, texts), `sources` (images,). All is measured with
    the stored, rounded numbers: where answers hardly differ, rounding moves them past each other.
    """
    absent, present = targets == 0, targets == 1
    slope, intercept = fit_platt(logits[absent | present], targets[absent | present])
    share = present.sum() / (absent | present).sum()
    intercept += min(0.0, math.log(ASKED / (1 - ASKED)) - math.log(share / (1 - share)))
    slope, intercept = round(slope, 4), round(intercept, 4)
    probabilities = expit(slope * logits + intercept)
    parts = [absent & (sources == each)[:, None] for each in np.unique(sources)]
    parts = [part for part in parts if part.any(1).sum() >= ENOUGH_ABSENT] or [absent]
    below = max(np.quantile(probabilities[part], SPECIFICITY, method="inverted_cdf") for part in parts)
    threshold = min((math.floor(1e4 * below) + 1) / 1e4, 1.0)  # the next of four digits above
    return OperatingPoint(
        slope,
        intercept,
        threshold,
        sensitivity=round(float((probabilities[present] >= threshold).mean()), 3),
        specificity=round(float((probabilities[absent] < threshold).mean()), 3),
    )


def fit_scale(cosines: np.ndarray, targets: np.ndarray) -> LevelScale:
    """Scale and bias of cosines that were learned without: what Platt makes of the answers they give."""
    known = ~np.isnan(targets)
    slope, intercept = fit_platt(cosines[known], targets[known])
    return LevelScale(round(max(slope, 1.0), 4), round(intercept, 4))


def fit_platt(logits: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of a logistic regression of `targets` (0 or 1) on `logits`, by Newton's method.

    The targets are drawn in a little, as Platt does it (1999, "Probabilistic outputs for support vector
    machines", section 2.2), so that answers without a mistake have a finite slope too.
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
