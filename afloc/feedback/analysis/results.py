"""The tables of a study: agreement, overlap, reading time, ROC.

They are worked out from its readings alone, as `data_frames.study_frame` gives them, so that every figure can
be had again from an export.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from afloc.feedback.analysis import agreement, resampling
from afloc.feedback.analysis.data_frames import BOX
from afloc.feedback.analysis.reading_times import ARMS, Sample, compare_times, draw_sample
from afloc.feedback.store.regions import LARGEST_COORDINATE, sound_regions
from afloc.feedback.studies.questions import Question
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
    curves: pd.DataFrame


def analyse(study: Study, frame: pd.DataFrame, references: Mapping[str, Reference]) -> Results:
    """All tables of a study from its `study_frame` and the reference standard of its cases."""
    first = frame[frame["repeat"] == 0]
    sample = draw_sample(first)
    return Results(
        counts=count_answers(study, first),
        agreement=measure_agreement(study, first),
        pairs=compare_pairs(study, first),
        repeated=compare_repeats(study, frame),
        overlaps=measure_overlaps(first, references, sample),
        times=compare_times(study, first, sample),
        roc=compare_roc(study, first, references, sample),
        curves=trace_roc(study, first, references, sample),
    )


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


def measure_agreement(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """question, arm, description ("" for all), n_cases, n_readers, kappa (mean of pairs), fleiss, alpha, icc.

    A description of a single case has no row of its own.
    For ratings kappa is quadratically weighted, alpha ordinal and icc ICC(2,1); for choices nominal, icc NaN.
    """
    rows = []
    for question, arm, part in _parts(study, frame):
        ratings = _ratings(part, f"q_{question.id}")
        described = part.drop_duplicates("case_id").set_index("case_id")["description"][ratings.index]
        findings = described.value_counts(sort=False).loc[lambda count: count > 0]
        several = findings.index[findings > 1] if len(findings) > 1 else ()
        ordinal = question.scale == "ordinal"
        for description in ("", *several):
            group = ratings[(described == description).to_numpy()] if description else ratings
            values = group.dropna(axis=1, how="all").to_numpy()
            tables = agreement.cross_tables(values, len(question.labels))
            kappas, _, _ = agreement.cohen_kappas(tables, ordinal)
            rows.append(
                {
                    "question": question.id,
                    "arm": arm,
                    "description": description,
                    "n_cases": len(values),
                    "n_readers": values.shape[1],
                    "kappa": _mean(kappas[np.triu_indices(len(kappas), 1)]),
                    "fleiss": agreement.fleiss_kappa(values, len(question.labels)),
                    "alpha": agreement.krippendorff_alpha(values, question.scale or "ordinal"),
                    "icc": agreement.intraclass(values)["2,1"] if ordinal else np.nan,
                }
            )
    columns = ["question", "arm", "description", "n_cases", "n_readers", "kappa", "fleiss", "alpha", "icc"]
    return pd.DataFrame(rows, columns=columns)


def compare_pairs(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """question, arm, first, second (readers), n_cases, kappa with its 95% interval low … high."""
    rows = []
    for question, arm, part in _parts(study, frame):
        ratings = _ratings(part, f"q_{question.id}")
        tables = agreement.cross_tables(ratings.to_numpy(), len(question.labels))
        kappas = agreement.cohen_kappas(tables, question.scale == "ordinal")
        for first, second in itertools.combinations(range(len(tables)), 2):
            pair = ratings.columns[first], ratings.columns[second]
            figures = (each[first, second] for each in kappas)
            rows.append((question.id, arm, *pair, int(tables[first, second].sum()), *figures))
    columns = ["question", "arm", "first", "second", "n_cases", "kappa", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def compare_repeats(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Each reader against themselves on repeated cases: question, reader, n_cases, same (share), kappa."""
    key = ["reader", "case_id", "arm", "period"]
    both = frame[frame["repeat"] == 1].merge(frame[frame["repeat"] == 0], on=key, suffixes=("_2", "_1"))
    rows = []
    for question in study.scaled_questions:
        columns = [f"q_{question.id}_1", f"q_{question.id}_2"]
        for reader, part in both.dropna(subset=columns).groupby("reader"):
            first, second = (part[column].to_numpy(int) for column in columns)
            kappa = agreement.cohen_kappa(first, second, len(question.labels), question.scale == "ordinal")
            rows.append((question.id, reader, len(part), float((first == second).mean()), kappa))
    return pd.DataFrame(rows, columns=["question", "reader", "n_cases", "same", "kappa"])


def measure_overlaps(
    frame: pd.DataFrame, references: Mapping[str, Reference], sample: Sample
) -> pd.DataFrame:
    """arm, first, second, n_cases, iou, low, high: of what was drawn, mean over cases.

    Pairs of readers, each reader against the reference, and the model (at the study's threshold) against it.
    Between readers, cases on which both drew nothing count nowhere; against the reference, those with
    reference regions count. The interval is a bootstrap over cases.
    """
    known = [references[case].regions if case in references else () for case in sample.cases]
    located = agreement.drawn([regions or None for regions in known])
    pairs, values = [], []
    for arm in ARMS:
        part = frame[frame["arm"] == arm]
        drawn = {reader: _shapes(mine, "regions", sample.cases) for reader, mine in part.groupby("reader")}
        for first, second in itertools.combinations(drawn, 2):
            pairs.append((arm, first, second))
            values.append(agreement.overlap(drawn[first], drawn[second]))
        found = part.dropna(subset=["model_regions"]).drop_duplicates("case_id")
        for name, shapes in (drawn | {MODEL: _shapes(found, "model_regions", sample.cases)}).items():
            pairs.append((arm, name, REFERENCE))
            values.append(agreement.overlap(shapes, located))
    found = resampling.row_means(np.array(values), sample.draws) if values else []
    counts = [int((~np.isnan(each)).sum()) for each in values]
    rows = [
        (*pair, count, *vars(each).values())
        for pair, count, each in zip(pairs, counts, found, strict=True)
        if count
    ]
    return pd.DataFrame(rows, columns=["arm", "first", "second", "n_cases", "iou", "low", "high"])


def compare_roc(
    study: Study, frame: pd.DataFrame, references: Mapping[str, Reference], sample: Sample
) -> pd.DataFrame:
    """measure (an arm; "difference", aided minus unaided), reader ("" for the mean), auc, low, high."""
    rows, resampled, values = [], {}, {}
    arms, truth, draws = _rated(study, frame, references, sample)
    for arm, ratings in arms.items():
        areas, drawn = resampling.reader_aucs(ratings, truth), resampling.reader_aucs(ratings, truth, draws)
        values[arm] = resampling.average_readers(areas)[0]
        resampled[arm] = resampling.average_readers(drawn, draws)
        rows.append((arm, "", *vars(resampling.estimate(values[arm], resampled[arm])).values()))
        for reader, area, alone in zip(sample.readers, areas[0], drawn.T, strict=True):
            rows.append((arm, reader, *vars(resampling.estimate(area, alone)).values()))
    if len(values) == 2:
        difference = resampling.estimate(
            values["aided"] - values["unaided"], resampled["aided"] - resampled["unaided"]
        )
        rows.append(("difference", "", *vars(difference).values()))
    return pd.DataFrame(rows, columns=["measure", "reader", "auc", "low", "high"]).dropna(subset=["auc"])


def trace_roc(
    study: Study, frame: pd.DataFrame, references: Mapping[str, Reference], sample: Sample
) -> pd.DataFrame:
    """arm, false_positive_rate, true_positive_rate: the curve over all readers' ratings together."""
    columns = ["arm", "false_positive_rate", "true_positive_rate"]
    arms, truth, _ = _rated(study, frame, references, sample)
    points = [
        (arm, *point)
        for arm, ratings in arms.items()
        for point in zip(*resampling.roc_curve(ratings, truth), strict=True)
    ]
    return pd.DataFrame(points, columns=columns).dropna()


def _parts(study: Study, frame: pd.DataFrame) -> Iterator[tuple[Question, str, pd.DataFrame]]:
    """(question, arm, its readings) for each that has any."""
    for question in study.scaled_questions:
        for arm in ARMS:
            part = frame[(frame["arm"] == arm) & frame[f"q_{question.id}"].notna()]
            if len(part):
                yield question, arm, part


def _ratings(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Cases by readers, NaN for missing."""
    return frame.set_index(["case_id", "reader"])[column].unstack().astype(float)


def _rated(
    study: Study, frame: pd.DataFrame, references: Mapping[str, Reference], sample: Sample
) -> tuple[dict[str, np.ndarray], np.ndarray, resampling.Draws]:
    """Each arm's ratings of presence, (readers, cases whose truth is known), that truth, and the draws."""
    known = np.array([case in references for case in sample.cases], bool)
    truth = np.array([references[case].truth for case in sample.cases[known]], bool)
    draws = resampling.Draws(sample.draws.readers, sample.draws.cases[:, known])
    if study.presence is None or not known.any():
        return {}, truth, draws
    arms = sample.arms(frame, f"q_{study.presence}")
    return {arm: ratings[:, known] for arm, ratings in arms.items()}, truth, draws


def _shapes(frame: pd.DataFrame, column: str, cases: pd.Index) -> agreement.Drawn:
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
    return agreement.drawn(regions, boxes)


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else np.nan
