"""What turns a trained model's cosines into maps, scores and verdicts on fixed scales, from training rows
alone."""

import numpy as np
import torch

from afloc.findings import load_findings
from afloc.model.afloc import AFLoc
from afloc.model.similarity import LEVELS, report_cosines, text_vectors
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.objective import SigmoidObjective
from afloc.training.pairs import Description, Pair, entails
from afloc.training.statements import Statement

ROWS = 1500
SPECIFICITY = 0.9
CHUNK = 50


@torch.inference_mode()
def calibrate(
    network: AFLoc,
    tokenizer: WordPieceTokenizer,
    objective: SigmoidObjective,
    features: np.ndarray,
    pairs: list[Pair],
    common: list[str],
    seed: int,
) -> dict:
    """The `calibration` of `afloc.native`.

    The simple sentence of each of the `common` findings is asked of ROWS training images. Platt's slope and
    intercept are fitted to all answers; the operating point is the probability that a share SPECIFICITY of
    the absent findings stays under. `features` are those of the images as they are, at stride 8.
    """
    network.eval()
    scales, biases = objective.log_scale.exp().tolist(), objective.bias.tolist()
    levels = {
        level: {"scale": round(scale, 4), "bias": round(bias, 4)}
        for level, scale, bias in zip(LEVELS, scales, biases, strict=True)
    }
    entries = load_findings(pairs[0].modality)
    asked = [f for f in common if not entries[f].normal]
    vectors = text_vectors(network.encode_texts([tokenizer(entries[f].simple) for f in asked]))
    rows = np.sort(np.random.default_rng(seed).choice(len(pairs), min(ROWS, len(pairs)), replace=False))
    logits = []
    for start in range(0, len(rows), CHUNK):
        shallow = np.stack([features[row] for row in rows[start : start + CHUNK]])
        shallow = torch.from_numpy(shallow).float().permute(0, 3, 1, 2)
        encoder = network.image_encoder
        cosines = report_cosines(encoder.project(shallow, *encoder.backbone.forward_deep(shallow)), vectors)
        logits.append((levels["report"]["scale"] * cosines + levels["report"]["bias"]).numpy())
    asked = [Description(entries[f].simple, (Statement(f, "affirmed"),)) for f in asked]
    targets = np.array([[entails(pairs[row].facts, description) for description in asked] for row in rows])
    known = ~np.isnan(targets)
    logits, targets = np.concatenate(logits)[known].astype(np.float64), targets[known]
    slope, intercept = fit_platt(logits, targets)
    threshold = np.quantile(slope * logits[targets == 0] + intercept, SPECIFICITY)
    presence = {
        "slope": round(slope, 4),
        "intercept": round(intercept, 4),
        "threshold": round(float(1 / (1 + np.exp(-threshold))), 4),
    }
    return {"levels": levels, "presence": presence}


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
