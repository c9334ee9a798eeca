"""Finding and placing at once: LROC and FROC of a finding over images with and without it.

A case is an image with ground truth; its negatives are the labelled images of the same source without the
finding. Images that have the label and no ground truth count nowhere: nobody knows the place.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from afloc.evaluation.bootstrap import FEWEST_CLUSTERS, bootstrap
from afloc.evaluation.columns import figure, nanmean, where
from afloc.evaluation.datasets.rows import canonical_label, is_pathology
from afloc.evaluation.metrics import auroc

RATES = (0.25, 0.5, 1, 2, 4, 8)
"""False positive marks an image, at which FROC is read (as CAMELYON16 does)."""


@dataclass(frozen=True, eq=False)
class Detection:
    """A finding asked of n images of a source.

    `rows` (n,): which image each is. `scores` (n,): of the finding on the image. `located` (n,): how much of
    the map's maximum lies in the ground truth, 0 … 1; NaN for an image without. `regions` (n,): how many
    regions the ground truth has. `ratings` (m,): of all marks on all images; `images` (m,), 0 … n - 1: the
    image of each; `hits` (m,): the number of the region that it lies in, 0 for none.
    """

    rows: np.ndarray
    scores: np.ndarray
    located: np.ndarray
    regions: np.ndarray
    ratings: np.ndarray
    images: np.ndarray
    hits: np.ndarray


def lroc_area(found: Detection, weights: np.ndarray) -> np.ndarray:
    """The area under the LROC curve (Swensson 1996), (k,): the chance that an image with the finding scores
    above one without, ties counting half, and its place is right.

    `weights` (k, n): how often each image counts. NaN without images of both kinds.
    """
    positive = ~np.isnan(found.located)
    return auroc(found.scores, positive, weights, np.where(positive, found.located, 1))


def froc(found: Detection, weights: np.ndarray) -> np.ndarray:
    """The share of regions that are found at each of RATES, (k, rates).

    The lowest threshold is taken at which no more false marks than that are left, over all images. A region
    is found if one of its marks is rated above it. `weights` as of `lroc_area`; NaN without regions.
    """
    weights = np.asarray(weights, np.float32)
    wrong = found.hits == 0
    levels, group = np.unique(-found.ratings[wrong], return_inverse=True)  # falling ratings
    false = np.zeros((len(levels), len(weights)), np.float32)
    np.add.at(false, group, weights[:, found.images[wrong]].T)
    false = false.cumsum(0)
    keys = np.stack([found.images, found.hits])[:, ~wrong]
    (images, _), inverse = np.unique(keys, axis=1, return_inverse=True)
    best = np.full(len(images), -np.inf)
    np.maximum.at(best, inverse.reshape(-1), found.ratings[~wrong])
    order = np.argsort(-best, kind="stable")
    right = np.zeros((len(images) + 1, len(weights)), np.float32)
    right[1:] = weights[:, images[order]].T.cumsum(0)
    above = np.append(np.searchsorted(-best[order], levels, side="left"), len(images))
    total = weights @ found.regions.astype(np.float32)
    samples = np.arange(len(weights))
    shares = np.full((len(weights), len(RATES)), np.nan)
    for column, rate in enumerate(RATES):
        allowed = (false <= rate * weights.sum(1)).sum(0)  # levels that may be passed
        np.divide(right[above[allowed], samples], total, out=shares[:, column], where=total > 0)
    return shares


def detection(cases: pa.Table, scores: pa.Table) -> dict:
    """By source: `labels`, the figures of each label with ground truth, and `pathology`, their mean over
    pathologies. Each has `lroc`, `froc` (the mean over RATES) and `regions_found`, by false marks an image,
    with intervals; a label also `n_positive`, `n_negative` (images) and `n_regions`."""
    return {
        source: _of_source(where(cases, "source", source), where(scores, "source", source))
        for source in sorted(set(cases["source"].to_pylist()))
    }


def _of_source(cases: pa.Table, scores: pa.Table) -> dict:
    patients = dict(zip(cases["row"].to_pylist(), cases["patient"].to_pylist(), strict=True))
    patients |= dict(zip(scores["row"].to_pylist(), scores["patient"].to_pylist(), strict=True))
    place = {row: number for number, row in enumerate(patients)}
    found = {label: _gather(asked, place) for label, asked in _by_label(cases, scores).items()}
    means = np.array([is_pathology(label) for label in found], bool)
    centres = None

    def statistic(weights: np.ndarray) -> np.ndarray:
        """(k, images) weights to the figures of all labels and of their mean, (k, (labels + 1) * figures)."""
        each = [_figures(label, weights[:, label.rows]) for label in found.values()]
        stacked = np.stack(each, axis=1)
        # A small label is missing from some samples; there it counts as it is.
        filled = stacked if centres is None else np.where(np.isnan(stacked), centres, stacked)
        mean = nanmean(filled[:, means], axis=1)[:, None]
        return np.concatenate([stacked, mean], axis=1).reshape(len(weights), -1)

    shape = len(found) + 1, 2 + len(RATES)
    whole = statistic(np.ones((1, len(patients)), np.float32))[0].reshape(shape)
    centres = whole[:-1]
    intervals = bootstrap(statistic, list(patients.values())).reshape(*shape, 2)
    names = np.array(list(patients.values()), dtype=object)
    ill = {label: set(names[each.rows[~np.isnan(each.located)]]) for label, each in found.items()}
    labels = {
        label: {
            "n_positive": int((~np.isnan(each.located)).sum()),
            "n_negative": int(np.isnan(each.located).sum()),
            "n_regions": int(each.regions.sum()),
            **_describe(whole[number], intervals[number], ill[label]),
        }
        for number, (label, each) in enumerate(found.items())
    }
    of_pathologies = set().union(*(ill[label] for label in found if is_pathology(label)))
    return {"labels": labels, "pathology": _describe(whole[-1], intervals[-1], of_pathologies)}


def _figures(found: Detection, weights: np.ndarray) -> np.ndarray:
    """(k, 2 + rates): the LROC area, the FROC score and the regions found at each rate."""
    at = froc(found, weights)
    return np.column_stack([lroc_area(found, weights), at.mean(1), at])


def _describe(values: np.ndarray, intervals: np.ndarray, patients: set) -> dict:
    """Without intervals where too few `patients` have the finding."""
    enough = len(patients) >= FEWEST_CLUSTERS
    area, score, *at = (
        figure(value, ends if enough else None) for value, ends in zip(values, intervals, strict=True)
    )
    return {"lroc": area, "froc": score, "regions_found": dict(zip(map(str, RATES), at, strict=True))}


def _by_label(cases: pa.Table, scores: pa.Table) -> dict[str, list[dict]]:
    """By label, its cases and the images without the finding that were asked for it in the same words."""
    columns = ["row", "label", "modality", "score", "marks"]
    asked = cases.select([*columns, "pointing", "regions", "marked_regions"]).to_pylist()
    asked += scores.filter(pa.compute.is_valid(scores["marks"])).select(columns).to_pylist()
    labels: dict[tuple[str, str], str] = {}
    found: dict[str, list[dict]] = {}
    for each in asked:
        key = each["modality"], canonical_label(each["label"], each["modality"])
        if "pointing" in each:
            labels.setdefault(key, each["label"])
        if key in labels:
            found.setdefault(labels[key], []).append(each)
    return dict(sorted(found.items()))


def _gather(asked: list[dict], place: dict[int, int]) -> Detection:
    counts = [len(each["marks"]) for each in asked]
    hits = [each.get("marked_regions", [0] * count) for each, count in zip(asked, counts, strict=True)]
    return Detection(
        rows=np.array([place[each["row"]] for each in asked]),
        scores=np.array([each["score"] for each in asked], float),
        located=np.array([each.get("pointing", np.nan) for each in asked], float),
        regions=np.array([each.get("regions", 0) for each in asked]),
        ratings=np.array([rating for each in asked for rating in each["marks"]], float),
        images=np.repeat(np.arange(len(asked)), counts),
        hits=np.array([hit for each in hits for hit in each], int),
    )
