"""The figures of a run with their intervals, from its cases and scores."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from afloc.evaluation.baselines import BASELINES
from afloc.evaluation.bootstrap import FEWEST_CLUSTERS, bootstrap
from afloc.evaluation.columns import figure, nanmean, numbers, plain, weighted_means, where
from afloc.evaluation.datasets.rows import is_pathology
from afloc.evaluation.detection import detection
from afloc.evaluation.measure import FIXED_THRESHOLDS, LOCALIZATION
from afloc.evaluation.metrics import auroc, sensitivity, specificity
from afloc.evaluation.reliability import calibration


def summarise(cases: pa.Table, scores: pa.Table, normals: pa.Table) -> dict:
    """The part of `summary.json` that is figures.

    `categories`: by label. `mean`: over the categories. `overall`: the same with intervals, over `all`
    categories and over those that are a `pathology` (a lung, a tube or an optic disc is none). `sources`:
    the same for each source that has two patients or more. `classification`, `detection` (LROC and FROC) and
    `normal_images`: by source. `calibration` of the probabilities: by modality and family.
    """
    whole = localization(cases)
    overall = whole["overall"]["all"]
    return {
        "categories": whole["categories"],
        "mean": {metric: overall[metric]["mean"] for metric in LOCALIZATION},
        "overall": whole["overall"],
        "honest": whole["honest"],
        "sources": {
            source: localization(where(cases, "source", source)) for source in _several_sources(cases)
        },
        "classification": classification(scores),
        "detection": detection(cases, scores),
        "calibration": calibration(scores),
        "normal_images": false_positives(normals),
    }


def _several_sources(cases: pa.Table) -> list[str]:
    """The sources that have two patients or more; none where all cases are of one source."""
    patients: dict[str, set] = {}
    for source, patient in zip(cases["source"].to_pylist(), cases["patient"].to_pylist(), strict=True):
        patients.setdefault(source, set()).add(patient)
    return sorted(s for s, each in patients.items() if len(each) > 1) if len(patients) > 1 else []


def localization(cases: pa.Table) -> dict:
    """Means per category (label) and over categories, each with its interval.

    Beside them: the baseline maps (`blind`), the paired differences to these, and the figures at a held-out
    threshold (`honest`).
    """
    labels = np.array(cases["label"].to_pylist(), dtype=object)
    patients = cases["patient"].to_pylist()
    values, thresholds = _case_values(cases, labels, patients)
    return {"n_cases": len(labels), **category_figures(values, labels, patients), "honest": thresholds}


def paired_differences(cases: pa.Table, others: pa.Table) -> dict:
    """`cases` less `others`: the same cases, asked of another model or in other words. As `localization`, and
    as `sources` in `summarise`."""
    keys = [list(zip(t["row"].to_pylist(), t["truth"].to_pylist(), strict=True)) for t in (cases, others)]
    row_of = {key: row for row, key in enumerate(keys[1])}
    shared = [(row, row_of[key]) for row, key in enumerate(keys[0]) if key in row_of]
    first, second = (list(rows) for rows in zip(*shared, strict=True)) if shared else ([], [])
    cases, others = cases.take(first), others.take(second)
    sources = {
        source: _differences(where(cases, "source", source), where(others, "source", source))
        for source in _several_sources(cases)
    }
    return _differences(cases, others) | {"sources": sources}


def _differences(cases: pa.Table, others: pa.Table) -> dict:
    """The same of two tables of the same cases in the same order."""
    values = {("", metric): numbers(cases, metric) - numbers(others, metric) for metric in LOCALIZATION}
    labels = np.array(cases["label"].to_pylist(), dtype=object)
    return {"n_cases": len(labels), **category_figures(values, labels, cases["patient"].to_pylist())}


def category_figures(values: dict[tuple[str, str], np.ndarray], labels: np.ndarray, patients: list) -> dict:
    """`categories` and `overall` of columns (n,), NaN where a case has no such figure.

    A column is named (group, name), "" for no group; the figures of a group are nested below it.
    """
    names = sorted(set(labels))
    columns = list(values)
    matrix = np.stack([values[column] for column in columns], axis=1)
    members = [np.flatnonzero(labels == name) for name in names]
    groups = {
        "all": np.arange(len(names)),
        "pathology": np.array([i for i, name in enumerate(names) if is_pathology(name)], int),
    }
    centres = None

    def means(weights: np.ndarray) -> np.ndarray:
        """(k, n) weights to (k, categories and groups, columns)."""
        each = [weighted_means(matrix[rows], weights[:, rows]) for rows in members]
        stacked = np.stack(each, axis=1) if each else np.empty((len(weights), 0, len(columns)))
        # A small category is missing from some samples; there it counts as it is, or it would tilt the mean.
        filled = stacked if centres is None else np.where(np.isnan(stacked), centres[: len(names)], stacked)
        over = [nanmean(filled[:, chosen], axis=1)[:, None] for chosen in groups.values()]
        return np.concatenate([stacked, *over], axis=1)

    centres = means(np.ones((1, len(labels)), np.float32))[0]
    intervals = np.full((*centres.shape, 2), np.nan)
    if names:
        flat = bootstrap(lambda weights: means(weights).reshape(len(weights), -1), patients)
        intervals = flat.reshape(intervals.shape)

    owners = np.unique(np.array(patients, dtype=object).astype(str), return_inverse=True)[1]

    def figures(position: int, cases: Sequence[int] | np.ndarray) -> dict:
        known = ~np.isnan(matrix[cases])
        several = [len(np.unique(owners[cases][each])) >= FEWEST_CLUSTERS for each in known.T]
        found = {
            column: figure(centres[position, i], intervals[position, i] if several[i] else None)
            for i, column in enumerate(columns)
        }
        return _nested(found)

    everyone = np.arange(len(labels))
    return {
        "categories": {
            name: {"n": len(rows), "pathology": is_pathology(name), **figures(position, rows)}
            for position, (name, rows) in enumerate(zip(names, members, strict=True))
        },
        "overall": {group: figures(len(names) + i, everyone) for i, group in enumerate(groups)},
    }


def _case_values(cases: pa.Table, labels: np.ndarray, patients: list[str]) -> tuple[dict, dict | None]:
    """The columns that are averaged, (n,) each with NaN for what is missing, by (group, name)."""
    values = {
        ("", metric): numbers(cases, metric) for metric in (*LOCALIZATION, "center_distance", "coverage")
    }
    values["", "present"] = numbers(cases, "present")
    for reader in ("iou", "dice"):
        values["readers", reader] = numbers(cases, f"reader_{reader}")
        values["at_readers", reader] = numbers(cases, f"at_readers_{reader}")
    held_out, thresholds = at_held_out_threshold(cases, labels, patients)
    for name, column in held_out.items():
        values["honest", name] = column
    for baseline in BASELINES:
        for metric in LOCALIZATION:
            other = numbers(cases, f"{baseline}_{metric}")
            values[f"blind/{baseline}", metric] = other
            values[f"difference/{baseline}", metric] = values["", metric] - other
    return values, thresholds


def at_held_out_threshold(
    cases: pa.Table, labels: np.ndarray, patients: list[str]
) -> tuple[dict[str, np.ndarray], dict | None]:
    """IoU, Dice and coverage on the fixed scale, at a threshold that was chosen on other patients.

    The patients are split into two halves. The threshold with the best mean IoU over categories on one half
    is applied to the other. All is NaN for a protocol without a fixed scale.
    """
    count = len(labels)
    empty = {name: np.full(count, np.nan) for name in ("iou", "dice", "coverage")}
    curves = cases["fixed_iou"].to_pylist()
    if not count or any(each is None for each in curves):
        return empty, None
    curves = np.array(curves, float).reshape(count, len(FIXED_THRESHOLDS))
    areas = np.array(cases["fixed_area"].to_pylist(), float).reshape(curves.shape)
    order = np.random.default_rng(0).permutation(names := sorted(set(patients)))
    first = set(order[: len(names) // 2])
    half = np.array([patient in first for patient in patients])
    chosen = []
    for part in (half, ~half):
        other = ~part
        if not other.any() or not part.any():
            return empty, None
        means = [np.nanmean(curves[other & (labels == name)], axis=0) for name in sorted(set(labels[other]))]
        best = int(np.argmax(nanmean(np.array(means), axis=0)))
        chosen.append(FIXED_THRESHOLDS[best])
        empty["iou"][part] = curves[part, best]
        empty["coverage"][part] = areas[part, best] > 0
    empty["dice"] = 2 * empty["iou"] / (1 + empty["iou"])
    return empty, {"thresholds": chosen}


def classification(scores: pa.Table) -> dict:
    """AUROC of the score, sensitivity and specificity of the verdict, by source and label.

    Of the images of a source that carry labels, those without this one are its negatives.
    """
    found: dict[str, dict] = {}
    for source in sorted(set(scores["source"].to_pylist())):
        part = where(scores, "source", source)
        labels = np.array(part["label"].to_pylist(), dtype=object)
        patients = np.array(part["patient"].to_pylist(), dtype=object)
        positive = np.array(part["positive"].to_pylist(), bool)
        score, present = numbers(part, "score"), numbers(part, "present")
        found[source] = {}
        for label in sorted(set(labels)):
            rows = labels == label
            found[source][label] = _classify(score[rows], positive[rows], present[rows], patients[rows])
    return found


def _classify(score: np.ndarray, positive: np.ndarray, present: np.ndarray, patients: np.ndarray) -> dict:
    counts = {"n_positive": int(positive.sum()), "n_negative": int((~positive).sum())}
    area, interval = float("nan"), None
    if all(counts.values()) and not np.isnan(score).any():
        area = auroc(score, positive)
        interval = bootstrap(lambda weights: auroc(score, positive, weights)[:, None], patients)[0]
    known = ~np.isnan(present)  # an image in doubt is not judged
    judged, judgeable = present[known] == 1, positive[known]
    return {
        **counts,
        "auroc": figure(area, interval),
        "sensitivity": plain(sensitivity(judged, judgeable)) if known.any() else None,
        "specificity": plain(specificity(judged, judgeable)) if known.any() else None,
    }


def false_positives(normals: pa.Table) -> dict:
    """Of images without any finding, by source: the share of the common findings that are judged present, and
    the share of the image that is painted for them."""
    found = {}
    for source in sorted(set(normals["source"].to_pylist())):
        part = where(normals, "source", source)
        patients = part["patient"].to_pylist()
        columns = np.stack([numbers(part, "present"), numbers(part, "painted")], axis=1)
        centre = weighted_means(columns, np.ones((1, len(columns)), np.float32))[0]
        interval = bootstrap(partial(weighted_means, columns), patients)
        found[source] = {
            "n_images": len(set(part["row"].to_pylist())),
            "findings": sorted(set(part["finding"].to_pylist())),
            "judged_present": figure(centre[0], interval[0]),
            "painted_area": figure(centre[1], interval[1]),
        }
    return found


def _nested(found: dict[tuple[str, str], dict]) -> dict:
    """{("blind/center", "iou"): figure} as {"blind": {"center": {"iou": figure}}}."""
    nested: dict = {}
    for (path, name), each in found.items():
        level = nested
        for step in filter(None, path.split("/")):
            level = level.setdefault(step, {})
        level[name] = each
    return nested
