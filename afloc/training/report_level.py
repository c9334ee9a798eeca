"""The report level in closed form, for a global vector that is read from the deep map on a grid.

Such a vector comes from thousands of numbers an image, more than there are images, and what of them holds for
other patients is found by shrinkage rather than by gradient. Its projection W is that of a bilinear ridge
regression (Romera-Paredes & Torr 2015, "An embarrassingly simple approach to zero-shot learning"): of the
features X of images, weighted by A, the vectors T of descriptions, and the targets Y of `entails`,

    W = X' (X X' + IMAGES A^-1)^-1 Y T (T' T + TEXTS)^-1.
"""

import math
import random

import numpy as np
import torch
from scipy import linalg

from afloc.findings import load_findings
from afloc.model.similarity import LEVELS
from afloc.training.calibration import ask, common_findings, fit_platt, see
from afloc.training.images import ImageStage
from afloc.training.pairs import Description, entails
from afloc.training.phrases import load_wordings
from afloc.training.pictures import as_they_are
from afloc.training.statements import AFFIRMED, DENIED, Statement

IMAGES, TEXTS = 5.0, 0.01  # the shrinkage of either side, where an image has length 1, a statement's texts 1
NORMAL = 0.3  # what an image without a finding counts: there are many, and they differ little
PHRASINGS = 40  # drawn for each statement; the free wordings join them
CHUNK = 32
COSINES = {"levels": dict.fromkeys(LEVELS, {"scale": 1.0, "bias": 0.0})}


def fit_report_level(stage: ImageStage) -> None:
    """Set the projection of `stage`'s global vectors from the images it trains on, and the scale and bias of
    their cosines from what the held-back ones answer."""
    stage.modules.eval()
    statements = [
        Statement(finding, status)
        for finding in stage.sampler.common
        for status in ((AFFIRMED,) if load_findings(stage.name)[finding].normal else (AFFIRMED, DENIED))
    ]
    rows = np.flatnonzero(stage.sampler.chances)
    features = pooled(stage, rows)
    mean, deviation = features.mean(0), features.std(0) + 1e-3
    deviation *= np.sqrt((((features - mean) / deviation) ** 2).sum(1).mean())
    targets, weights = answers(stage, rows, statements)
    of_statements = ridge((features - mean) / deviation, targets, weights)
    matrix = (of_statements @ text_side(stage, statements)) / deviation[:, None]
    projection = stage.encoder.global_projection
    with torch.no_grad():
        projection.weight.copy_(torch.from_numpy(matrix.T))
        projection.bias.copy_(torch.from_numpy(-mean @ matrix))
    cosines, targets = ask(stage, see(stage), [each for _, each in common_findings(stage)], COSINES)
    known = ~np.isnan(targets)
    slope, intercept = fit_platt(cosines[known], targets[known])
    report = LEVELS.index("report")
    with torch.no_grad():
        stage.objective.log_scale[report] = math.log(max(slope, 1.0))
        stage.objective.bias[report] = intercept


@torch.inference_mode()
def pooled(stage: ImageStage, rows: np.ndarray) -> np.ndarray:
    """What the global vectors of images are projected from: float32 (rows, features)."""
    chunks = (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
    seen = (stage.encoder.backbone(as_they_are(stage.pictures[chunk], stage.size))[2] for chunk in chunks)
    return torch.cat(list(seen)).numpy()


def answers(
    stage: ImageStage, rows: np.ndarray, statements: list[Statement]
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each statement holds of each image, as the difference from its source's mean, 0 where that is
    unknown: (rows, statements); and what each image counts, on average 1: (rows,)."""
    pairs, entries = [stage.pairs[row] for row in rows], load_findings(stage.name)
    asked = [Description("", (statement,)) for statement in statements]
    targets = np.array([[entails(pair.facts, each) for each in asked] for pair in pairs], dtype=np.float32)
    sources = np.array([pair.source for pair in pairs])
    for source in np.unique(sources):
        mine = targets[sources == source]
        known = ~np.isnan(mine)
        mean = np.where(known, mine, 0).sum(0) / np.maximum(known.sum(0), 1)
        targets[sources == source] = np.where(known, mine - mean, 0)
    ill = np.array([any(not entries[finding].normal for finding in pair.told) for pair in pairs])
    weights = np.where(ill, 1, NORMAL)
    return targets, weights / weights.mean()


def ridge(features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ridge regression of more features than rows: (features, targets)."""
    kernel = features @ features.T
    kernel.flat[:: len(kernel) + 1] += IMAGES / weights
    return features.T @ linalg.solve(kernel, targets, assume_a="pos", overwrite_a=True).astype(np.float32)


def text_side(stage: ImageStage, statements: list[Statement]) -> np.ndarray:
    """What turns answers to statements into a vector whose products with the statements' texts they are:
    (statements, D). Each statement is said in many ways, which together count as one."""
    rng, entries, wordings = random.Random(stage.seed), load_findings(stage.name), load_wordings(stage.name)
    sums, total = [], 0
    for statement in statements:
        entry = entries[statement.finding_id]
        texts = {stage.sampler.phrase(statement, rng).text for _ in range(PHRASINGS)}
        texts |= set(wordings.get(statement, ()))
        texts |= {entry.name, entry.simple} if statement.status == AFFIRMED else set()
        vectors = stage.texts(sorted(texts)).report.double().numpy()
        total = total + vectors.T @ vectors / len(vectors)
        sums.append(vectors.mean(0))
    return np.linalg.solve(total + TEXTS * np.eye(len(total)), np.stack(sums, 1)).T.astype(np.float32)
