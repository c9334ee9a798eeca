"""The tables of a study: agreement, overlap, reading time, ROC.

They are worked out from its readings alone, as `data_frames.study_frame` gives them, so that every figure can
be had again from an export.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from afloc.evaluation.bootstrap import FEWEST_CLUSTERS
from afloc.feedback.analysis import overlap, resampling
from afloc.feedback.analysis.accuracy import (
    compare_arms,
    compare_roc,
    measure_accuracy,
    measure_afroc,
    rate,
    trace_roc,
)
from afloc.feedback.analysis.afroc import rate_lesions
from afloc.feedback.analysis.agreement_tables import compare_pairs, compare_repeats, measure_agreement
from afloc.feedback.analysis.data_frames import BOX
from afloc.feedback.analysis.reading_times import compare_times, explain_idle
from afloc.feedback.analysis.sample import ARMS, Sample, draw_sample
from afloc.feedback.store.regions import LARGEST_COORDINATE, sound_regions
from afloc.feedback.studies.reference_standard import Reference
from afloc.feedback.studies.study import Study
from afloc.imaging.regions import Region

MODEL, REFERENCE = "model", "reference"


@dataclass(frozen=True)
class Results:
    """A study's tables, each a DataFrame with one row for what its first columns name; see `analyse`."""

    counts: pd.DataFrame
    agreement: pd.DataFrame
    pairs: pd.DataFrame
    repeated: pd.DataFrame
    overlaps: pd.DataFrame
    times: pd.DataFrame
    roc: pd.DataFrame
    mrmc: pd.DataFrame
    accuracy: pd.DataFrame
    curves: pd.DataFrame
    afroc_curves: pd.DataFrame


def analyse(study: Study, frame: pd.DataFrame, references: Mapping[str, Reference]) -> Results:
    """All tables of a study from its `study_frame` and the reference standard of its cases."""
    first = frame[frame["repeat"] == 0]
    sample = draw_sample(study, first)
    drawn = _draw(first, sample)
    rated = rate(study, first, references, sample, _hits(references, sample, drawn))
    lesions, accuracy = rate_lesions(first, references, sample), measure_accuracy(study, rated)
    if lesions:
        accuracy = pd.concat([measure_afroc(lesions), accuracy], ignore_index=True)
    return Results(
        counts=count_answers(study, first),
        agreement=measure_agreement(study, first, sample),
        pairs=compare_pairs(study, first, sample),
        repeated=compare_repeats(study, frame, sample),
        overlaps=measure_overlaps(first, references, sample, drawn),
        times=compare_times(study, first, sample),
        roc=compare_roc(rated),
        mrmc=compare_arms(rated, lesions),
        accuracy=accuracy,
        curves=trace_roc(rated),
        afroc_curves=trace_roc(lesions) if lesions else trace_roc(rated).iloc[:0],
    )


def explain(study: Study, frame: pd.DataFrame) -> list[str]:
    """Sentences on how the figures are to be read: who is left out, what is drawn together, whose answers the
    model's are."""
    first = frame[frame["repeat"] == 0]
    sample = draw_sample(study, first)
    sentences = []
    for arm in ARMS:
        counts = sample.count(~np.isnan(sample.matrix(first[first["arm"] == arm].assign(read=1), "read")))
        begun = [
            f"{name} ({count})"
            for name, count in zip(sample.readers, counts, strict=True)
            if 0 < count < FEWEST_CLUSTERS <= counts.max()
        ]
        if begun:
            sentences.append(
                f"Not in the means over readers, as they have just begun {arm}: {', '.join(begun)}. Who has "
                f"read {FEWEST_CLUSTERS} patients or images is in."
            )
    clusters = int(sample.clusters.max(initial=-1)) + 1
    if clusters < len(sample.cases):
        sentences.append(
            f"The {len(sample.cases)} cases are of {clusters} patients or images; those of one are drawn "
            "together, and count as one for the intervals."
        )
    if 0 < clusters < FEWEST_CLUSTERS:
        sentences.append(f"Intervals need {FEWEST_CLUSTERS} patients or images; there are {clusters}.")
    sentences += explain_idle(first)
    models = first.dropna(subset=["score"])[["model", "model_fingerprint"]].drop_duplicates().dropna()
    if len(models) > 1:
        names = ", ".join(sorted(f"{model} ({mark})" for model, mark in models.itertuples(index=False)))
        sentences.append(f"The model's own figures are of its latest answer to each case; there are {names}.")
    return sentences


def count_answers(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """question, description, arm, answer (its label), count."""
    parts = []
    for question in study.scaled_questions:
        column = f"q_{question.id}"
        groups = frame.dropna(subset=[column]).groupby(["description", "arm", column]).size()
        part = groups.reset_index(name="count").rename(columns={column: "answer"})
        part["answer"] = [question.labels[int(level) - 1] for level in part["answer"]]
        parts.append(part.assign(question=question.id))
    columns = ["question", "description", "arm", "answer", "count"]
    return pd.concat(parts)[columns].reset_index(drop=True) if parts else pd.DataFrame(columns=columns)


def measure_overlaps(
    frame: pd.DataFrame,
    references: Mapping[str, Reference],
    sample: Sample,
    drawn: Mapping[str, Mapping[str, overlap.Drawn]],
) -> pd.DataFrame:
    """arm, first, second, n_cases, iou, low, high: of what was drawn, mean over cases.

    Pairs of readers, each reader against the reference, and the model (at the study's threshold) against it.
    Between readers, cases on which both drew nothing count nowhere; against the reference, those with
    reference regions count.
    """
    known = [references[case].regions if case in references else () for case in sample.cases]
    located = overlap.drawn([regions or None for regions in known])
    pairs, values = [], []
    for arm in ARMS:
        for first, second in itertools.combinations(drawn[arm], 2):
            pairs.append((arm, first, second))
            values.append(overlap.overlap(drawn[arm][first], drawn[arm][second]))
        part = frame[frame["arm"] == arm]
        found = part.dropna(subset=["model_regions"]).drop_duplicates("case_id")
        shapes = dict(drawn[arm]) | {MODEL: _shapes(found, "model_regions", sample.cases)}
        for name, each in shapes.items():
            pairs.append((arm, name, REFERENCE))
            values.append(overlap.overlap(each, located))
    found = resampling.row_means(np.array(values), sample.clusters) if values else []
    counts = [int((~np.isnan(each)).sum()) for each in values]
    rows = [
        (*pair, count, *vars(each).values())
        for pair, count, each in zip(pairs, counts, found, strict=True)
        if count
    ]
    return pd.DataFrame(rows, columns=["arm", "first", "second", "n_cases", "iou", "low", "high"])


def _draw(frame: pd.DataFrame, sample: Sample) -> dict[str, dict[str, overlap.Drawn]]:
    """What each reader drew on the cases, by arm."""
    return {
        arm: {
            reader: _shapes(mine, "regions", sample.cases)
            for reader, mine in frame[frame["arm"] == arm].groupby("reader")
        }
        for arm in ARMS
    }


def _hits(
    references: Mapping[str, Reference],
    sample: Sample,
    drawn: Mapping[str, Mapping[str, overlap.Drawn]],
) -> dict[str, np.ndarray]:
    """Whether what each reader drew hits a lesion (IoU of overlap.HIT or more), (readers, cases) by arm; NaN
    where there is no reading, or where no lesion is known. None of it where nobody drew."""
    lesions = [references[case].regions if case in references else () for case in sample.cases]
    if not any(lesions) or not any((each.areas > 0).any() for arm in drawn.values() for each in arm.values()):
        return {}
    most = max(map(len, lesions))
    places = [overlap.drawn([[each[n]] if n < len(each) else None for each in lesions]) for n in range(most)]
    known = np.array([bool(each) for each in lesions])
    found = {}
    for arm, by_reader in drawn.items():
        found[arm] = np.full((len(sample.readers), len(sample.cases)), np.nan)
        for reader, shapes in by_reader.items():
            best = np.nan_to_num([overlap.overlap(shapes, place) for place in places]).max(0)
            hit = np.where(known & ~np.isnan(shapes.areas), best >= overlap.HIT, np.nan)
            found[arm][sample.readers.get_loc(reader)] = hit
    return found


def _shapes(frame: pd.DataFrame, column: str, cases: pd.Index) -> overlap.Drawn:
    """What was drawn on each of `cases`, unknown where there is no reading or a region in it is none."""
    indices, boxes = cases.get_indexer(frame["case_id"]), np.full((len(cases), len(BOX)), np.nan)
    found = frame[[f"{column}_{side}" for side in BOX]].to_numpy(float)
    others = ~(np.abs(found) <= LARGEST_COORDINATE).all(1)  # no box alone, or none that is sound
    boxes[indices[~others]] = found[~others]
    regions: list[list[Region] | None] = [None] * len(cases)
    texts = frame[column].to_numpy(object, na_value="[]")
    for index, text in zip(indices[others], texts[others], strict=True):
        kept = json.loads(text) if text != "[]" else ()
        sound = sound_regions(kept)
        regions[index] = sound if len(sound) == len(kept) else None
    return overlap.drawn(regions, boxes)
