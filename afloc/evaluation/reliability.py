"""Are the probabilities right? Reliability curve, Brier score and calibration error, by modality and family.

A probability is compared with how often the finding is there, over all labelled images; what a label does
not say counts as absent. How often that is differs from set to set, and a probability knows nothing of it.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from afloc.evaluation.bootstrap import FEWEST_CLUSTERS, bootstrap
from afloc.evaluation.columns import figure, numbers, plain, where
from afloc.language.findings import find_by_label

BINS = 10
"""Of equal width, from 0 to 1."""


def calibration(scores: pa.Table) -> dict:
    """By modality: the figures of `reliability` over all findings, and under `families` of each family.

    Answers without a probability, and labels that the findings list does not know, count nowhere.
    """
    found = {}
    for modality in sorted(set(scores["modality"].to_pylist())):
        part = where(scores, "modality", modality)
        entries = {label: find_by_label(label, modality) for label in set(part["label"].to_pylist())}
        families = np.array(
            [entry.family if (entry := entries[label]) else "" for label in part["label"].to_pylist()], object
        )
        probability, positive = numbers(part, "probability"), numbers(part, "positive") == 1
        patients = np.array(part["patient"].to_pylist(), object)
        known = ~np.isnan(probability) & (families != "")
        if known.any():
            found[modality] = reliability(probability[known], positive[known], patients[known]) | {
                "families": {
                    family: reliability(probability[rows], positive[rows], patients[rows])
                    for family in sorted(set(families[known]))
                    if (rows := known & (families == family)).any()
                }
            }
    return found


def reliability(probability: np.ndarray, positive: np.ndarray, patients: Sequence[str] | np.ndarray) -> dict:
    """`n`, `n_positive`; `brier`, beside `brier_of_frequency`, which a single probability for all would have;
    `ece`; and `curve`: in each of BINS that holds any, their number, mean probability and frequency.

    `probability` (n,) 0 … 1, `positive` bool (n,). The intervals draw patients.
    """
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    member = np.eye(BINS)[bins]
    each = np.column_stack(
        [(probability - positive) ** 2, member, member * positive[:, None], member * probability[:, None]]
    )
    names, owners = np.unique(np.asarray(patients, object).astype(str), return_inverse=True)
    sums = np.zeros((len(names), each.shape[1]))  # of each patient
    np.add.at(sums, owners, each)

    def statistic(weights: np.ndarray) -> np.ndarray:
        """(k, patients) weights to (k, 2 + BINS): Brier score, calibration error, frequency in each bin."""
        squared, counts, there, expected = np.split(weights @ sums, [1, 1 + BINS, 1 + 2 * BINS], axis=1)
        total = counts.sum(1, keepdims=True)
        frequency = np.divide(there, counts, out=np.full(counts.shape, np.nan), where=counts > 0)
        error = np.abs(there - expected).sum(1, keepdims=True)
        return np.hstack([squared / total, error / total, frequency])

    whole = statistic(np.ones((1, len(names))))[0]
    figures = [figure(*pair) for pair in zip(whole, bootstrap(statistic, names), strict=True)]
    share = float(positive.mean())
    return {
        "n": len(probability),
        "n_positive": int(positive.sum()),
        "brier": figures[0],
        "brier_of_frequency": plain(share * (1 - share)),
        "ece": figures[1],
        "curve": [
            {
                "from": number / BINS,
                "to": (number + 1) / BINS,
                "n": int(inside.sum()),
                "probability": plain(probability[inside].mean()),
                "frequency": _few(figures[2 + number], owners[inside]),
            }
            for number in range(BINS)
            if (inside := bins == number).any()
        ],
    }


def _few(found: dict, patients: np.ndarray) -> dict:
    """A figure of these patients, without its interval where they are too few."""
    return found if len(set(patients)) >= FEWEST_CLUSTERS else found | {"ci95": None}
