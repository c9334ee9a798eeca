"""The report level in closed form, for a global vector that is read from the deep map on a grid.

Such a vector is projected from thousands of features per image, more than there are images. Ridge regression
generalises to other patients better here than gradient descent. The projection W is that of a bilinear ridge
regression (Romera-Paredes & Torr 2015, "An embarrassingly simple approach to zero-shot learning"). With the
features X of images, their weights A, the vectors T of descriptions, and the targets Y of `entails`:

    W = X' (X X' + IMAGES A^-1)^-1 Y T (T' T + TEXTS)^-1.
"""

import random
from dataclasses import dataclass
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
MOST_ROWS = 8000  # the kernel of so many images takes 256 MB; of a longer table, as many are drawn
PHRASINGS = 40  # drawn for each statement, besides its free wordings


def fit_report_level(inputs: FitInputs, correct: bool = False) -> None:
    """Set the projection of the encoder's global vectors, from the rows that it is trained on.

    `correct`: start from the projection that is there, and fit what it leaves open (the ridge then draws
    towards that projection instead of 0)."""
    inputs.encoder.eval()
    statements = [
        Statement(finding, status)
        for finding in inputs.sampler.common
        for status in ((AFFIRMED,) if load_findings(inputs.modality)[finding].normal else (AFFIRMED, DENIED))
    ]
    rows = np.flatnonzero(inputs.sampler.chances)
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(inputs.seed).choice(rows, MOST_ROWS, replace=False))
    features = pooled(inputs, rows)
    texts = StatementTexts.of(inputs, statements)
    projection = inputs.encoder.global_projection
    weight, bias = (each.detach().cpu().numpy() for each in (projection.weight, projection.bias))
    predicted = (features @ weight.T + bias) @ texts.means if correct else None
    mean, deviation = features.mean(0), features.std(0) + 1e-3
    features = (features - mean) / deviation
    length = np.sqrt((features**2).sum(1).mean())
    of_statements = ridge(features / length, *centered_targets(inputs, rows, statements, predicted))
    matrix = (of_statements @ texts.projection) / (length * deviation)[:, None]
    fitted, shift = matrix.T, -mean @ matrix
    if correct:
        fitted, shift = weight + fitted, bias + shift
    with torch.no_grad():
        projection.weight.copy_(torch.from_numpy(fitted))
        projection.bias.copy_(torch.from_numpy(shift))


@torch.inference_mode()
def pooled(inputs: FitInputs, rows: np.ndarray) -> np.ndarray:
    """The features that the global vectors of images are projected from: float32 (rows, features)."""
    seen = [inputs.encoder.backbone(pixels)[2].cpu() for pixels in inputs.encoder_inputs(rows)]
    return torch.cat(seen).numpy()


def centered_targets(
    inputs: FitInputs, rows: np.ndarray, statements: list[Statement], predicted: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The targets (rows, statements): 1 or 0, less what is `predicted`, minus the mean of the image's source;
    0 where unknown. And the weights of the images (rows,), 1 on average."""
    pairs = [inputs.pairs[row] for row in rows]
    truths = [[entails_statement(pair.facts, each) for each in statements] for pair in pairs]
    targets = np.array(truths, dtype=np.float32)
    if predicted is not None:
        targets -= predicted
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


@dataclass(frozen=True)
class StatementTexts:
    """The texts of statements. `means` (D, statements): the mean vector of each. `projection` (statements,
    D): the matrix Y -> Y T (T' T + TEXTS)^-1 of the regression. The texts of one statement, its many
    phrasings, together have the weight of one."""

    means: np.ndarray
    projection: np.ndarray

    @classmethod
    def of(cls, inputs: FitInputs, statements: list[Statement]) -> "StatementTexts":
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
        means = np.stack(sums, 1)
        projection = np.linalg.solve(total + TEXTS * np.eye(len(total)), means).T
        return cls(means, projection.astype(np.float32))
