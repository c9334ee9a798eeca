"""The calibration of a trained model: the numbers that turn its cosines into maps, scores and verdicts on
fixed scales. It is fitted to the calibration split: rows of the training table whose patients were not
trained on."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from afloc.inference.appearance import feature_distance
from afloc.inference.map_text import finding_vectors
from afloc.inference.native_protocol import map_cells, raw_map
from afloc.language.findings import load_findings
from afloc.language.words import words_of
from afloc.model.calibration import Calibration, Levels, LevelScale, MapRange, TrainingDistribution
from afloc.training.data.table import check_calibration_split, index_of
from afloc.training.fit.inputs import FitInputs
from afloc.training.fit.limits import share_limit, weights_of
from afloc.training.fit.normality import fit_normality
from afloc.training.fit.operating_points import count_verdicts, fit_platt, fit_points
from afloc.training.fit.sides import fit_sides
from afloc.training.fit.split import CalibrationSplit

MAPS_A_ROW = 2  # maps of present findings per row, and as many of absent ones
COSINES = Calibration(Levels.alike(1.0, 0.0))  # unscaled
LEAST_RANGE = 0.01  # of maps: smaller differences are noise
KNOWN_SHARE = 0.98  # share of each source of the calibration split that counts as in distribution


def calibrate(inputs: FitInputs) -> Calibration:
    """The calibration of one modality of a model that was just trained.

    Raises DataError where the calibration split has no image with, or none without, a common finding.
    """
    check_calibration_split(index_of(inputs.pairs), f"The table {inputs.recipe.table}")
    split = CalibrationSplit(inputs)
    return fit_verdicts(split, fit_scales(split))


def fit_scales(split: CalibrationSplit) -> Calibration:
    """What maps and scores are made with: it is part of the trained model, and stays."""
    inputs, entries = split.inputs, load_findings(split.inputs.modality)
    levels, without = inputs.levels, inputs.without
    common = [finding for finding in inputs.sampler.common if not entries[finding].normal]
    if inputs.fits_report:
        texts = [text for finding in common for text in (entries[finding].name, entries[finding].simple)]
        targets = np.repeat(split.targets(common), 2, axis=1)
        levels = replace(levels, report=fit_scale(split.logits(texts, COSINES), targets))
    sentence_weight = (
        0.0 if "sentence" in without else 1.0 if "report" in without else inputs.recipe.sentence_weight
    )
    return fit_maps(inputs, Calibration(levels, sentence_weight=round(sentence_weight, 4)))


def fit_maps(inputs: FitInputs, scales: Calibration) -> Calibration:
    """`scales` with maps as the recipe wants them, and the range that the maps then have."""
    recipe, without = inputs.recipe, inputs.without
    words = 0.0 if "word" in without else 1.0 if "sentence" in without else recipe.word_weight
    drawn = replace(
        scales,
        smoothing=round(recipe.smoothing, 4),
        word_weight=round(words, 4),
        anatomy_weight=recipe.anatomy_weight,
        precise_weight=recipe.precise_weight,
        map_detail=recipe.map_detail,
        turned=recipe.turned,
    )
    return replace(drawn, map_range=fit_map_range(inputs, drawn))


def fit_verdicts(split: CalibrationSplit, scales: Calibration) -> Calibration:
    """`scales` with all that turns their numbers into verdicts: operating points and how they did, when an
    image holds for normal, from which maps the side is read, which images are known, which words, and which
    maps do not find the place."""
    recipe = split.inputs.recipe
    calibration = fit_points(split, scales, recipe.specificity)
    calibration = replace(
        calibration,
        performance=count_verdicts(split, calibration),
        training_distribution=describe_known(split.textures, split.sources.tolist()),
        unreliable_maps=recipe.unreliable_maps,
        known_words=words_of(text for pair in split.inputs.pairs if pair.usable for text in pair.texts)
        or None,
    )
    return replace(
        calibration,
        normality=fit_normality(split, calibration),
        side_margins=fit_sides(split, calibration),
    )


def describe_known(textures: np.ndarray, sources: Sequence[str]) -> TrainingDistribution:
    """The distribution of the mean shallow features (images, D) of the calibration split, whose sources are
    named: no source has more than a share 1 - KNOWN_SHARE of its images beyond the limit.

    The limit is measured from the stored, rounded mean: vectors that are nearly alike lie further from it
    than from each other. It is at least 1, so that differences below 1e-3, which the deviation counts as
    noise, never raise a doubt.
    """
    weights = weights_of(sources)
    units = textures / np.maximum(np.linalg.norm(textures, axis=1, keepdims=True), 1e-12)
    units = units.astype(np.float64)
    mean = (weights @ units).round(4)
    deviation = (np.sqrt(weights @ (units - weights @ units) ** 2) + 1e-3).round(4)
    known = TrainingDistribution(tuple(mean.tolist()), tuple(deviation.tolist()), limit=1.0, level="shallow")
    limit = share_limit(feature_distance(units, known), KNOWN_SHARE, sources)
    return replace(known, limit=max(known.limit, limit))


@torch.inference_mode()
def fit_map_range(inputs: FitInputs, calibration: Calibration) -> MapRange:
    """The range of raw maps that becomes 0 … 1: from a low quantile of the maps of absent findings to a high
    quantile of the peaks of present ones; at least LEAST_RANGE."""
    rng = random.Random(inputs.seed)
    lows: list[float] = []
    peaks: list[float] = []
    for row in inputs.calibration_rows:
        (image,), facts = inputs.encode(np.array([row])), inputs.pairs[row].facts
        anatomy = inputs.anatomy(row) if calibration.anatomy_weight else None
        for present, found in ((1, peaks), (0, lows)):
            having = [f for f in inputs.sampler.common if f in facts and facts[f].present == present]
            for finding in rng.sample(having, min(MAPS_A_ROW, len(having))):
                text = finding_vectors(finding, inputs.modality, calibration, inputs.vector)
                log_odds = anatomy(finding, map_cells(image, calibration)) if anatomy else None
                grid = raw_map(image, text, calibration, log_odds=log_odds)
                found.append(grid.max() if present else np.quantile(grid, 0.05))
    floor, top = np.quantile(lows, 0.05), np.quantile(peaks, 0.95)
    top = max(top, floor + LEAST_RANGE)
    return MapRange(round(float(floor), 4), round(float(top), 4))


def fit_scale(cosines: np.ndarray, targets: np.ndarray) -> LevelScale:
    """Scale and bias of the cosines of a level that was not learned with the others, by Platt's fit."""
    known = ~np.isnan(targets)
    slope, intercept = fit_platt(cosines[known], targets[known])
    return LevelScale(round(max(slope, 1.0), 4), round(intercept, 4))
