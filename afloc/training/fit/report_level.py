"""The report level in closed form, for a global vector that is read from the deep map on a grid.

Such a vector is projected from thousands of features per image, more than there are images. Ridge regression
generalises to other patients better here than gradient descent. The projection W is that of a bilinear ridge
regression (Romera-Paredes & Torr 2015, "An embarrassingly simple approach to zero-shot learning"). With the
features X of images, their weights A, the vectors T of descriptions, and the targets Y of `entails`:

    W = X' (X X' + IMAGES A^-1)^-1 Y T (T' T + TEXTS)^-1.
"""

import random
from typing import Any

import numpy as np
import torch
from scipy import linalg

from afloc.language.findings import load_findings
from afloc.language.phrases import load_wordings
from afloc.language.statements import AFFIRMED, DENIED, Statement
from afloc.training.data.facts import entails_statement
from afloc.training.fit.inputs import FitInputs

IMAGES, TEXTS = 5.0, 0.01  # the ridge penalties, for features and text vectors of length 1
NORMAL_WEIGHT = 0.3  # of an image without a pathology: there are many, and they differ little
PHRASINGS = 40  # drawn for each statement, besides its free wordings


def fit_report_level(inputs: FitInputs) -> None:
    """Set the projection of the encoder's global vectors, from the rows that it is trained on."""
    inputs.encoder.eval()
    statements = [
        Statement(finding, status)
        for finding in inputs.sampler.common
        for status in ((AFFIRMED,) if load_findings(inputs.modality)[finding].normal else (AFFIRMED, DENIED))
    ]
    rows = np.flatnonzero(inputs.sampler.chances)
    features = pooled(inputs, rows)
    mean, deviation = features.mean(0), features.std(0) + 1e-3
    features = (features - mean) / deviation
    length = np.sqrt((features**2).sum(1).mean())
    of_statements = ridge(features / length, *centered_targets(inputs, rows, statements))
    matrix = (of_statements @ text_projection(inputs, statements)) / (length * deviation)[:, None]
    projection = inputs.encoder.global_projection
    with torch.no_grad():
        projection.weight.copy_(torch.from_numpy(matrix.T))
        projection.bias.copy_(torch.from_numpy(-mean @ matrix))


@torch.inference_mode()
def pooled(inputs: FitInputs, rows: np.ndarray) -> np.ndarray:
    """The features that the global vectors of images are projected from: float32 (rows, features)."""
    seen = [inputs.encoder.backbone(pixels)[2].cpu() for pixels in inputs.encoder_inputs(rows)]
    return torch.cat(seen).numpy()


def centered_targets(
    inputs: FitInputs, rows: np.ndarray, statements: list[Statement]
) -> tuple[np.ndarray, np.ndarray]:
    """The targets (rows, statements): 1 or 0, minus the mean of the image's source; 0 where unknown. And the
    weights of the images (rows,), 1 on average."""
    pairs = [inputs.pairs[row] for row in rows]
    truths = [[entails_statement(pair.facts, each) for each in statements] for pair in pairs]
    targets = np.array(truths, dtype=np.float32)
    sources = np.array([pair.source for pair in pairs])
    for source in np.unique(sources):
        mine = targets[sources == source]
        known = ~np.isnan(mine)
        mean = np.where(known, mine, 0).sum(0) / np.maximum(known.sum(0), 1)
        targets[sources == source] = np.where(known, mine - mean, 0)
    weights = np.where([pair.has_pathology for pair in pairs], 1, NORMAL_WEIGHT)
    return targets, weights / weights.mean()


def ridge(features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ridge regression of more features than rows: (features, targets)."""
    kernel = features @ features.T
    kernel.flat[:: len(kernel) + 1] += IMAGES / weights
    return features.T @ linalg.solve(kernel, targets, assume_a="pos", overwrite_a=True).astype(np.float32)


def text_projection(inputs: FitInputs, statements: list[Statement]) -> np.ndarray:
    """The matrix Y -> Y T (T' T + TEXTS)^-1 of the regression: (statements, D). The texts of one statement,
    its many phrasings, together have the weight of one."""
    rng, entries, wordings = (
        random.Random(inputs.seed),
        load_findings(inputs.modality),
        load_wordings(inputs.modality),
    )
    sums: list[np.ndarray] = []
    total: Any = 0
    for statement in statements:
        entry = entries[statement.finding_id]
        texts = {inputs.sampler.phrase(statement, rng).text for _ in range(PHRASINGS)}
        texts |= set(wordings.get(statement, ()))
        texts |= {entry.name, entry.simple} if statement.status == AFFIRMED else set()
        vectors = inputs.vectors(sorted(texts)).report.double().numpy()
        total = total + vectors.T @ vectors / len(vectors)
        sums.append(vectors.mean(0))
    return np.linalg.solve(total + TEXTS * np.eye(len(total)), np.stack(sums, 1)).T.astype(np.float32)
