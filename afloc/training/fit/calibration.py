"""The calibration of a trained model: the numbers that turn its cosines into maps, scores and verdicts on
fixed scales. It is fitted to the calibration split: rows of the training table whose patients were not
trained on."""

import math
import random
from dataclasses import replace

import numpy as np
import torch
from scipy.special import expit
from torch.nn import functional

from afloc.inference.appearance import feature_distance, share_limit
from afloc.inference.native_protocol import raw_map, score_logits, sentence_logits
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
from afloc.training.data.pairs import check_calibration_split
from afloc.training.fit.inputs import FitInputs
from afloc.training.pictures.augmentation import plain_input

SPECIFICITY = 0.94  # share of absent findings that stay below the threshold, in every source
ENOUGH = 12, 8  # images with and without a finding that a family needs for its own operating point
ENOUGH_ABSENT = 30  # images without a finding that a source needs to take part in the operating point
PREVALENCE = 0.1  # assumed at most, even where more of the calibration split has the finding
MAPS_A_ROW = 2  # maps of present findings per row, and as many of absent ones
COSINES = Calibration(Levels.alike(1.0, 0.0))  # unscaled
LEAST_RANGE = 0.01  # of maps: smaller differences are noise
KNOWN_SHARE = 0.995  # share of the calibration split that counts as in distribution
ENOUGH_SIDED = 12  # images with a finding on one side, to judge whether the model tells the sides apart
SIDES_SHARE = 0.75  # share of right answers from which a model counts as telling left from right


def calibrate(inputs: FitInputs) -> Calibration:
    """The calibration of one modality.

    The name and the simple sentence of each common finding are scored on the images of the calibration split.
    Platt's slope and intercept are fitted for each family of findings, and for all findings together
    ("other"). The threshold of an operating point is the lowest probability below which a share SPECIFICITY
    of the absent findings stays, in every source that has enough of them: no source gets more false alarms
    than others.

    Raises DataError where the split has no image with, or none without, a common finding.
    """
    check_calibration_split(inputs.pairs, f"The table {inputs.recipe.table}")
    images, entries = encode_split(inputs), load_findings(inputs.modality)
    levels, without = inputs.levels, inputs.without
    queries = [
        (entries[finding].family, Description(text, (Statement(finding, AFFIRMED),)))
        for finding in inputs.sampler.common
        if not entries[finding].normal
        for text in (entries[finding].name, entries[finding].simple)
    ]
    descriptions = [description for _, description in queries]
    if inputs.fits_report:
        levels = replace(levels, report=fit_scale(*score_split(inputs, images, descriptions, COSINES)))
    word_weight = 0.0 if "word" in without else 1.0 if "sentence" in without else inputs.recipe.word_weight
    sentence_weight = (
        0.0 if "sentence" in without else 1.0 if "report" in without else inputs.recipe.sentence_weight
    )
    weights = round(word_weight, 4), round(sentence_weight, 4)
    so_far = Calibration(levels, round(inputs.recipe.smoothing, 4), *weights)
    logits, targets = score_split(inputs, images, descriptions, so_far)
    sources = np.array([inputs.pairs[row].source for row in inputs.calibration_rows])
    families = np.array([family for family, _ in queries])
    presence = {OTHER: operating_point(logits, targets, sources)}
    for family in sorted(set(families)):
        mine = families == family
        having, lacking = ((targets[:, mine] == present).any(1).sum() for present in (1, 0))
        if having >= ENOUGH[0] and lacking >= ENOUGH[1]:
            presence[family] = operating_point(logits[:, mine], targets[:, mine], sources)
    return replace(
        so_far,
        map_range=fit_map_range(inputs, so_far),
        presence=presence,
        training_distribution=describe_known(unit_vectors(images)),
        tells_laterality=tells_sides(inputs, images, so_far),
        unreliable_maps=inputs.recipe.unreliable_maps,
    )


@torch.inference_mode()
def encode_split(inputs: FitInputs) -> list[ImageFeatures]:
    """The features of the calibration split, in chunks, without the shallow maps."""
    inputs.encoder.eval()
    encoded = (inputs.encoder(pixels) for pixels in inputs.encoder_inputs(inputs.calibration_rows))
    return [replace(each, shallow=each.shallow[..., :0, :0].clone()) for each in encoded]


def unit_vectors(images: list[ImageFeatures]) -> np.ndarray:
    """The global vectors of images, each of length 1: (images, D)."""
    return functional.normalize(torch.cat([each.global_ for each in images]), dim=1).numpy()


@torch.inference_mode()
def score_split(
    inputs: FitInputs, images: list[ImageFeatures], descriptions: list[Description], so_far: Calibration
) -> tuple[np.ndarray, np.ndarray]:
    """The score logits of `descriptions`, each of which affirms a finding, on the images of the calibration
    split, and the targets (0, 1, NaN): both (rows, descriptions). `so_far`: the calibration that the logits
    need."""
    vectors = inputs.texts([description.text for description in descriptions])

    def score(seen: ImageFeatures) -> torch.Tensor:
        sentences = sentence_logits(seen, vectors, so_far) if so_far.sentence_weight else None
        return score_logits(seen, vectors, sentences, so_far)

    chunks = [score(each) for each in images]
    facts = [inputs.pairs[row].facts for row in inputs.calibration_rows]
    targets = [[entails(each, description) for description in descriptions] for each in facts]
    return torch.cat(chunks).double().numpy(), np.array(targets)


def describe_known(images: np.ndarray) -> TrainingDistribution:
    """The distribution of the global vectors (images, D) of the calibration split.

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
def fit_map_range(inputs: FitInputs, calibration: Calibration) -> MapRange:
    """The range of raw maps that becomes 0 … 1: from a low quantile of the maps of absent findings to a high
    quantile of the peaks of present ones; at least LEAST_RANGE."""
    entries, rng = load_findings(inputs.modality), random.Random(inputs.seed)
    lows: list[float] = []
    peaks: list[float] = []
    for row in inputs.calibration_rows:
        image, facts = inputs.encoder(plain_input(inputs.images[[row]], inputs.size)), inputs.pairs[row].facts
        for present, found in ((1, peaks), (0, lows)):
            having = [f for f in inputs.sampler.common if f in facts and facts[f].present == present]
            for finding in rng.sample(having, min(MAPS_A_ROW, len(having))):
                grid = raw_map(image, inputs.texts([entries[finding].simple]), calibration)
                found.append(grid.max() if present else np.quantile(grid, 0.05))
    floor, top = np.quantile(lows, 0.05), np.quantile(peaks, 0.95)
    top = max(top, floor + LEAST_RANGE)
    return MapRange(round(float(floor), 4), round(float(top), 4))


def tells_sides(inputs: FitInputs, images: list[ImageFeatures], so_far: Calibration) -> bool:
    """Whether the true side of a finding scores higher than the other side, in enough of the images."""
    entries, right, wrong = load_findings(inputs.modality), 0, 0
    for finding in (finding for finding in inputs.sampler.common if entries[finding].sided):
        sided = [
            Description(f"{side} {entries[finding].name}", (Statement(finding, AFFIRMED, side),))
            for side in ("left", "right")
        ]
        logits, targets = score_split(inputs, images, sided, so_far)
        one = (targets == 1).any(1) & (targets == 0).any(1)
        correct = np.argmax(logits[one], 1) == np.nanargmax(targets[one], 1) if one.any() else np.array([])
        right, wrong = right + int(correct.sum()), wrong + int((~correct.astype(bool)).sum())
    return right + wrong >= ENOUGH_SIDED and right / (right + wrong) >= SIDES_SHARE


def operating_point(logits: np.ndarray, targets: np.ndarray, sources: np.ndarray) -> OperatingPoint:
    """Platt's slope and intercept, the threshold on the probability, and its sensitivity and specificity.

    `logits` and `targets` (0, 1, NaN) are (images, texts), `sources` (images,). Everything is
    measured with the rounded numbers that are stored: rounding may change the order of nearly equal scores.
    """
    absent, present = targets == 0, targets == 1
    slope, intercept = fit_platt(logits[absent | present], targets[absent | present])
    share = present.sum() / (absent | present).sum()
    intercept += min(0.0, math.log(PREVALENCE / (1 - PREVALENCE)) - math.log(share / (1 - share)))
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
    """Scale and bias of the cosines of a level that was not learned with the others, by Platt's fit."""
    known = ~np.isnan(targets)
    slope, intercept = fit_platt(cosines[known], targets[known])
    return LevelScale(round(max(slope, 1.0), 4), round(intercept, 4))


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
