"""What turns a trained model's cosines into maps, scores and verdicts on fixed scales, from training rows
alone: those of the patients held back from training."""

from collections import defaultdict

import numpy as np
import torch

from afloc.findings import load_findings
from afloc.model.similarity import LEVELS, report_cosines
from afloc.training.images import ImageStage
from afloc.training.pairs import Description, entails
from afloc.training.pictures import as_they_are
from afloc.training.statements import AFFIRMED, Statement

SPECIFICITY = 0.9
ENOUGH = 12  # present cases a family needs for an operating point of its own
CHUNK = 32


def calibrate(stage: ImageStage) -> dict:
    """The calibration of one modality, as `afloc.native` reads it.

    Each common finding is asked of the held-back images, by its name and by its simple sentence. Platt's
    slope and intercept are fitted for each family of findings, and for all findings outside those families
    ("other"); the operating point is the probability that a share SPECIFICITY of the absent findings stays
    under.
    """
    scales, biases = stage.objective.log_scale.exp().tolist(), stage.objective.bias.tolist()
    levels = {
        level: {"scale": round(scale, 4), "bias": round(bias, 4)}
        for level, scale, bias in zip(LEVELS, scales, biases, strict=True)
    }
    entries = load_findings(stage.name)
    asked = [
        (entries[finding].family, Description(text, (Statement(finding, AFFIRMED),)))
        for finding in stage.sampler.common
        if not entries[finding].normal
        for text in (entries[finding].name, entries[finding].simple)
    ]
    logits, targets = ask(stage, [description for _, description in asked])
    families = np.array([family for family, _ in asked])
    known = ~np.isnan(targets)
    present = defaultdict(int)
    for family, column in zip(families, targets.T, strict=True):
        present[family] += int((column == 1).sum())
    presence = {}
    for family in [*sorted(f for f in present if present[f] >= 2 * ENOUGH), "other"]:
        mine = known & ((families == family) | (family == "other"))
        presence[family] = operating_point(logits[mine], targets[mine])
    return {"levels": levels, "presence": presence}


@torch.inference_mode()
def ask(stage: ImageStage, descriptions: list[Description]) -> tuple[np.ndarray, np.ndarray]:
    """Report logits and targets (0, 1, NaN) of each description on each held-back image: (rows, texts)."""
    stage.modules.eval()
    rows = np.flatnonzero([pair.held_back for pair in stage.pairs])
    vectors = stage.texts([description.text for description in descriptions])
    scale, bias = stage.objective.log_scale.exp()[2], stage.objective.bias[2]
    logits = []
    for start in range(0, len(rows), CHUNK):
        images = stage.encoder(as_they_are(stage.pictures[rows[start : start + CHUNK]], stage.size))
        logits.append(scale * report_cosines(images, vectors) + bias)
    targets = [[entails(stage.pairs[row].facts, each) for each in descriptions] for row in rows]
    return torch.cat(logits).double().numpy(), np.array(targets)


def operating_point(logits: np.ndarray, targets: np.ndarray) -> dict:
    """Platt's slope and intercept, the threshold on the probability, and what it reaches on these answers."""
    slope, intercept = fit_platt(logits, targets)
    scaled = slope * logits + intercept
    threshold = np.quantile(scaled[targets == 0], SPECIFICITY)
    return {
        "slope": round(slope, 4),
        "intercept": round(intercept, 4),
        "threshold": round(float(1 / (1 + np.exp(-threshold))), 4),
        "sensitivity": round(float((scaled[targets == 1] >= threshold).mean()), 3),
        "specificity": SPECIFICITY,
    }


def fit_platt(logits: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of a logistic regression of `targets` (0 or 1) on `logits`, by Newton's method."""
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
