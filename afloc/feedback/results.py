"""Tables of what readers said: over all feedback, and of one study.

`overview` counts everything in the store. `analyse` works on the readings of a study as `study_frame` gives
them and on nothing else, so that every figure can be had again from an export.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from afloc.errors import DataError
from afloc.feedback import agreement, resampling
from afloc.feedback.reference import Reference
from afloc.feedback.resampling import Estimate
from afloc.feedback.store import Store
from afloc.feedback.study import Study, study_from_definition

ARMS = ("unaided", "aided")
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


def overview(store: Store) -> pd.DataFrame:
    """How often each answer to the Probe tab's question was given: modality, description, model, answer,
    count."""
    return store.frame(
        "SELECT modality, description, model, answers ->> '$.agreement' AS answer, count(*) AS count "
        "FROM answers WHERE kind = 'feedback' GROUP BY ALL ORDER BY count DESC, description, answer"
    )


def kept_studies(store: Store) -> dict[str, Study]:
    """The studies that have answers, by id, as they were when the last version was first answered."""
    rows = store.rows("SELECT definition FROM studies ORDER BY time, version")
    studies = (study_from_definition(row["definition"]) for row in rows)
    return {study.id: study for study in studies}


def kept_study(store: Store, study_id: str) -> Study:
    """DataError where the store holds no answer to it."""
    studies = kept_studies(store)
    if study_id not in studies:
        known = f"; it has {', '.join(studies)}" if studies else ""
        raise DataError(f"The store has no answer to a study {study_id!r}{known}.")
    return studies[study_id]


def study_frame(store: Store, study: Study) -> pd.DataFrame:
    """The readings of a study that stand, one a row.

    Columns reader, case_id, description, arm, period, repeat, seconds (visible), score, regions and
    model_regions (JSON text), and `q_ID` for each question: the level of a rating or choice from 1, else text.
    """
    columns, parameters = [], []
    for question in study.questions:
        value = "answers ->> ?"
        parameters.append(f'$."{question.id}"')
        if question.kind == "rating":
            value = f"TRY_CAST({value} AS INTEGER)"
        elif question.kind == "choice":
            value = f"nullif(list_position(?::VARCHAR[], {value}), 0)"
            parameters[-1:] = [list(question.labels), parameters[-1]]
        elif question.kind == "regions":
            parameters.pop()
            continue
        columns.append(f'{value} AS "q_{question.id}"')
    extra = "".join(", " + column for column in columns)
    return store.frame(
        "SELECT reader, case_id, description, arm, period, repeat, visible_ms / 1000.0 AS seconds, score, "
        f"regions, model_regions{extra} FROM answers WHERE kind = 'reading' AND study = ? ORDER BY seq",
        [*parameters, study.id],
    )


def analyse(study: Study, frame: pd.DataFrame, references: Mapping[str, Reference]) -> Results:
    """All tables of a study from its `study_frame` and the reference standard of its cases."""
    first = frame[frame["repeat"] == 0]
    return Results(
        counts=count_answers(study, first),
        agreement=measure_agreement(study, first),
        pairs=compare_pairs(study, first),
        repeated=compare_repeats(study, frame),
        overlaps=measure_overlaps(first, references),
        times=compare_times(first),
        roc=compare_roc(study, first, references),
        curves=trace_roc(study, first, references),
    )


def count_answers(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """question, description, arm, answer (its label), count."""
    parts = []
    for question in _scaled(study):
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
        findings = part.groupby("description")["case_id"].nunique()
        several = findings.index[findings > 1] if len(findings) > 1 else ()
        scale = question.kind == "rating"
        for description in ("", *several):
            group = part[part["description"] == description] if description else part
            values = _matrix(group, f"q_{question.id}").to_numpy()
            pairs = itertools.combinations(values.T, 2)
            kappas = [_kappa(first, second, len(question.labels), scale)[0] for first, second in pairs]
            rows.append(
                {
                    "question": question.id,
                    "arm": arm,
                    "description": description,
                    "n_cases": len(values),
                    "n_readers": values.shape[1],
                    "kappa": _mean(kappas),
                    "fleiss": agreement.fleiss_kappa(values, len(question.labels)),
                    "alpha": agreement.krippendorff_alpha(values, "ordinal" if scale else "nominal"),
                    "icc": agreement.intraclass(values)["2,1"] if scale else np.nan,
                }
            )
    columns = "question arm description n_cases n_readers kappa fleiss alpha icc".split()
    return pd.DataFrame(rows, columns=columns)


def compare_pairs(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """question, arm, first, second (readers), n_cases, kappa with its 95% interval low … high."""
    rows = []
    for question, arm, part in _parts(study, frame):
        ratings = _matrix(part, f"q_{question.id}")
        for first, second in itertools.combinations(ratings.columns, 2):
            both = ratings[[first, second]].dropna().to_numpy().T
            found = _kappa(*both, len(question.labels), question.kind == "rating")
            rows.append((question.id, arm, first, second, both.shape[1], *found))
    columns = ["question", "arm", "first", "second", "n_cases", "kappa", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def compare_repeats(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Each reader against themselves on the repeated cases: question, reader, n_cases, same (share), kappa."""
    key = ["reader", "case_id", "arm", "period"]
    both = frame[frame["repeat"] == 1].merge(frame[frame["repeat"] == 0], on=key, suffixes=("_2", "_1"))
    rows = []
    for question in _scaled(study):
        columns = [f"q_{question.id}_1", f"q_{question.id}_2"]
        for reader, part in both.dropna(subset=columns).groupby("reader"):
            first, second = (part[column].to_numpy(int) for column in columns)
            kappa = _kappa(first, second, len(question.labels), question.kind == "rating")[0]
            rows.append((question.id, reader, len(part), float((first == second).mean()), kappa))
    return pd.DataFrame(rows, columns=["question", "reader", "n_cases", "same", "kappa"])


def measure_overlaps(frame: pd.DataFrame, references: Mapping[str, Reference]) -> pd.DataFrame:
    """arm, first, second, n_cases, iou, low, high: of what was drawn, mean over cases.

    Pairs of readers, each reader against the reference, and the model (at the study's threshold) against it.
    Between readers, cases on which both drew nothing count nowhere; against the reference, those with
    reference regions count. The interval is a bootstrap over cases.
    """
    located = {case: agreement.shape(r.regions) for case, r in references.items() if r.regions}
    rows = []
    for arm in ARMS:
        part = frame[frame["arm"] == arm]
        drawn = {reader: _shapes(mine, "regions") for reader, mine in part.groupby("reader")}
        for first, second in itertools.combinations(drawn, 2):
            rows.append((arm, first, second, *_overlap(drawn[first], drawn[second])))
        for reader, shapes in drawn.items():
            rows.append((arm, reader, REFERENCE, *_overlap(shapes, located, located)))
        found = part.dropna(subset=["model_regions"]).drop_duplicates("case_id")
        if len(found):
            rows.append((arm, MODEL, REFERENCE, *_overlap(_shapes(found, "model_regions"), located, located)))
    table = pd.DataFrame(rows, columns=["arm", "first", "second", "n_cases", "iou", "low", "high"])
    return table[table["n_cases"] > 0].reset_index(drop=True)


def compare_times(frame: pd.DataFrame) -> pd.DataFrame:
    """measure (an arm, in seconds; "difference", aided over unaided minus 1), n, value, low, high."""
    arrays, draws = _arrays(frame, "seconds")
    rows = [
        (arm, int((~np.isnan(values)).sum()), *vars(resampling.mean(values, draws)).values())
        for arm, values in arrays.items()
        if not np.isnan(values).all()
    ]
    if len(rows) == 2:
        unaided, aided = arrays["unaided"], arrays["aided"]
        both = ~np.isnan(unaided) & ~np.isnan(aided)  # the same reader on the same case
        unaided, aided = (np.where(both, values, np.nan) for values in (unaided, aided))
        found = resampling.relative_difference(unaided, aided, draws)
        rows.append(("difference", int(both.sum()), *vars(found).values()))
    return pd.DataFrame(rows, columns=["measure", "n", "value", "low", "high"])


def compare_roc(study: Study, frame: pd.DataFrame, references: Mapping[str, Reference]) -> pd.DataFrame:
    """measure (an arm; "difference", aided minus unaided), reader ("" for the mean), auc, low, high."""
    rows, resampled, values = [], {}, {}
    for arm, readers, ratings, truth, draws in _rated(study, frame, references):
        values[arm], resampled[arm] = resampling.auc(ratings, truth)[0], resampling.auc(ratings, truth, draws)
        rows.append((arm, "", *vars(resampling.estimate(values[arm], resampled[arm])).values()))
        for reader, mine in zip(readers, ratings, strict=True):
            alone = resampling.Draws(np.ones((len(draws.cases), 1)), draws.cases)
            areas = resampling.auc(mine[None], truth), resampling.auc(mine[None], truth, alone)
            rows.append((arm, reader, *vars(resampling.estimate(areas[0][0], areas[1])).values()))
    if len(values) == 2:
        difference = resampling.estimate(
            values["aided"] - values["unaided"], resampled["aided"] - resampled["unaided"]
        )
        rows.append(("difference", "", *vars(difference).values()))
    return pd.DataFrame(rows, columns=["measure", "reader", "auc", "low", "high"]).dropna(subset=["auc"])


def trace_roc(study: Study, frame: pd.DataFrame, references: Mapping[str, Reference]) -> pd.DataFrame:
    """arm, false_positive_rate, true_positive_rate: the curve over all readers' ratings together."""
    parts = []
    for arm, _, ratings, truth, _ in _rated(study, frame, references):
        false, true = resampling.roc_curve(ratings, truth)
        parts.append(pd.DataFrame({"arm": arm, "false_positive_rate": false, "true_positive_rate": true}))
    columns = ["arm", "false_positive_rate", "true_positive_rate"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _scaled(study: Study):
    return [question for question in study.questions if question.kind in ("rating", "choice")]


def _parts(study: Study, frame: pd.DataFrame):
    """(question, arm, its readings) for each that has any."""
    for question in _scaled(study):
        for arm in ARMS:
            part = frame[(frame["arm"] == arm) & frame[f"q_{question.id}"].notna()]
            if len(part):
                yield question, arm, part


def _matrix(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """(cases, readers) of a numeric column, NaN for missing."""
    return frame.pivot_table(index="case_id", columns="reader", values=column, aggfunc="last").astype(float)


def _arrays(frame: pd.DataFrame, column: str) -> tuple[dict[str, np.ndarray], resampling.Draws]:
    """For each arm the same readers and cases, (readers, cases), NaN for missing."""
    readers, cases = sorted(frame["reader"].unique()), sorted(frame["case_id"].unique())
    arrays = {
        arm: _matrix(frame[frame["arm"] == arm], column).reindex(index=cases, columns=readers).to_numpy().T
        for arm in ARMS
    }
    return arrays, resampling.draw(len(readers), len(cases))


def _rated(study: Study, frame: pd.DataFrame, references: Mapping[str, Reference]):
    """(arm, readers, ratings (readers, cases), truth (cases,), draws) for each arm with ratings on cases whose
    truth is known."""
    if study.presence is None:
        return
    known = frame[frame["case_id"].isin(references)]
    if known.empty:
        return
    arrays, draws = _arrays(known, f"q_{study.presence}")
    truth = np.array([references[case].truth for case in sorted(known["case_id"].unique())])
    for arm, ratings in arrays.items():
        if not np.isnan(ratings).all():
            yield arm, sorted(known["reader"].unique()), ratings, truth, draws


def _kappa(first: np.ndarray, second: np.ndarray, levels: int, weighted: bool) -> tuple[float, float, float]:
    both = ~np.isnan(first) & ~np.isnan(second)
    return agreement.cohen_kappa(first[both], second[both], levels, weighted)


def _shapes(frame: pd.DataFrame, column: str) -> dict[str, object]:
    regions = [json.loads(text) if isinstance(text, str) else [] for text in frame[column]]
    return {case: agreement.shape(each) for case, each in zip(frame["case_id"], regions, strict=True)}


def _overlap(first: dict, second: dict, cases: Mapping | None = None) -> tuple[int, float, float, float]:
    """Number of cases, mean overlap and its interval."""
    common = sorted(first.keys() & second.keys() & (cases or first).keys())
    if not common:
        return 0, np.nan, np.nan, np.nan
    values = agreement.overlap(*(np.array([side[case] for case in common]) for side in (first, second)))
    values = values[~np.isnan(values)][None]
    found = resampling.mean(values, resampling.draw(1, values.shape[1])) if values.size else Estimate(*[np.nan] * 3)
    return values.size, found.value, found.low, found.high


def _mean(values: list[float]) -> float:
    values = [value for value in values if not np.isnan(value)]
    return float(np.mean(values)) if values else np.nan
