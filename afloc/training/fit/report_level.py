"""The report level in closed form, for a global vector that is read from the deep map on a grid.

Such a vector comes from thousands of numbers an image, more than there are images, and what of them holds for
other patients is found by shrinkage rather than by gradient. Its projection W is that of a bilinear ridge
regression (Romera-Paredes & Torr 2015, "An embarrassingly simple approach to zero-shot learning"): of the
features X of images, weighted by A, the vectors T of descriptions, and the targets Y of `entails`,

    W = X' (X X' + IMAGES A^-1)^-1 Y T (T' T + TEXTS)^-1.
"""

import random

import numpy as np
import torch
from scipy import linalg

from afloc.language.findings import load_findings
from afloc.language.phrases import load_wordings
from afloc.language.statements import AFFIRMED, DENIED, Statement
from afloc.training.data.facts import entails_statement
from afloc.training.stages.images import ImageStage

IMAGES, TEXTS = 5.0, 0.01  # the shrinkage of either side, where an image has length 1, a statement's texts 1
NORMAL = 0.3  # what an image without a finding counts: there are many, and they differ little
PHRASINGS = 40  # drawn for each statement; the free wordings join them


def fit_report_level(stage: ImageStage) -> None:
    """Set the projection of `stage`'s global vectors from the images it trains on."""
    stage.modules.eval()
    statements = [
        Statement(finding, status)
        for finding in stage.sampler.common
        for status in ((AFFIRMED,) if load_findings(stage.name)[finding].normal else (AFFIRMED, DENIED))
    ]
    rows = np.flatnonzero(stage.sampler.chances)
    features = pooled(stage, rows)
    mean, deviation = features.mean(0), features.std(0) + 1e-3
    features = (features - mean) / deviation
    length = np.sqrt((features**2).sum(1).mean())
    of_statements = ridge(features / length, *answers(stage, rows, statements))
    matrix = (of_statements @ text_side(stage, statements)) / (length * deviation)[:, None]
    projection = stage.encoder.global_projection
    with torch.no_grad():
        projection.weight.copy_(torch.from_numpy(matrix.T))
        projection.bias.copy_(torch.from_numpy(-mean @ matrix))


@torch.inference_mode()
def pooled(stage: ImageStage, rows: np.ndarray) -> np.ndarray:
    """What the global vectors of images are projected from: float32 (rows, features)."""
    return torch.cat([stage.encoder.backbone(pixels)[2] for pixels in stage.inputs(rows)]).numpy()


def answers(
    stage: ImageStage, rows: np.ndarray, statements: list[Statement]
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each statement holds of each image, as the difference from its source's mean, 0 where that is
    unknown: (rows, statements); and what each image counts, on average 1: (rows,)."""
    pairs = [stage.pairs[row] for row in rows]
    targets = [[entails_statement(pair.facts, each) for each in statements] for pair in pairs]
    targets = np.array(targets, dtype=np.float32)
    sources = np.array([pair.source for pair in pairs])
    for source in np.unique(sources):
        mine = targets[sources == source]
        known = ~np.isnan(mine)
        mean = np.where(known, mine, 0).sum(0) / np.maximum(known.sum(0), 1)
        targets[sources == source] = np.where(known, mine - mean, 0)
    weights = np.where([pair.ill for pair in pairs], 1, NORMAL)
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
