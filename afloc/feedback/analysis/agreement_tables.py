"""The tables of agreement: over all readers, of each pair, and of readers with themselves."""

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

from afloc.feedback.analysis import agreement
from afloc.feedback.analysis.sample import ARMS, Sample
from afloc.feedback.studies.questions import Question
from afloc.feedback.studies.study import Study

COEFFICIENTS = ("kappa", "fleiss", "alpha", "icc")


def measure_agreement(study: Study, frame: pd.DataFrame, sample: Sample) -> pd.DataFrame:
    """question, arm, description ("" for all), n_cases (read by two readers or more), n_readers, n_complete
    (cases that all of them have read), then kappa (mean of pairs), fleiss, alpha and icc, each with _low and
    _high.

    A description of a single case has no row of its own. For ratings kappa is quadratically weighted, alpha
    ordinal and icc ICC(2,1); for choices nominal, icc NaN.
    """
    rows = []
    described = frame.drop_duplicates("case_id").set_index("case_id")["description"].reindex(sample.cases)
    for question, arm, part in _parts(study, frame):
        ratings = sample.matrix(part, f"q_{question.id}").T
        read = ~np.isnan(ratings).all(1)
        findings = described[read].value_counts(sort=False).loc[lambda count: count > 0]
        several = findings.index[findings > 1] if len(findings) > 1 else ()
        for description in ("", *several):
            chosen = read & (described == description).to_numpy() if description else read
            mine = ratings[chosen]
            mine = mine[:, ~np.isnan(mine).all(0)]
            given = (~np.isnan(mine)).sum(1)
            row = {
                "question": question.id,
                "arm": arm,
                "description": description,
                "n_cases": int((given > 1).sum()),
                "n_readers": mine.shape[1],
                "n_complete": int((given == mine.shape[1]).sum()) if mine.shape[1] > 1 else 0,
            }
            clusters, groups = sample.clusters[chosen][given > 1], sample.groups[chosen]
            rows.append(row | _coefficients(question, mine, groups, len(np.unique(clusters))))
    columns = ["question", "arm", "description", "n_cases", "n_readers", "n_complete"]
    columns += [name + end for name in COEFFICIENTS for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=columns)


def _coefficients(
    question: Question, ratings: np.ndarray, groups: np.ndarray, clusters: int
) -> dict[str, float]:
    levels, ordinal = len(question.labels), question.scale == "ordinal"
    groups = np.unique(groups, return_inverse=True)[1] if len(groups) else groups
    figures = {
        "kappa": (
            agreement.cross_tables(ratings, levels, groups),
            lambda sums: agreement.mean_kappa(sums, ordinal),
        ),
        "fleiss": (agreement.fleiss_sums(ratings, levels, groups), agreement.fleiss_kappas),
        "alpha": (
            agreement.coincidences(ratings, levels, groups),
            lambda sums: agreement.alphas(sums, "ordinal" if ordinal else "nominal"),
        ),
    }
    if ordinal:
        figures["icc"] = agreement.icc_sums(ratings, groups), agreement.iccs
    found: dict[str, float] = {}
    for name, (sums, coefficient) in figures.items():
        value = float(coefficient(sums.total))
        low, high = agreement.interval(value, coefficient(sums.left_out), clusters)
        found |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return found


def compare_pairs(study: Study, frame: pd.DataFrame, sample: Sample) -> pd.DataFrame:
    """question, arm, first, second (readers), n_cases, kappa with its 95% interval low … high."""
    rows = []
    for question, arm, part in _parts(study, frame):
        ratings = sample.matrix(part, f"q_{question.id}").T
        ordinal = question.scale == "ordinal"
        sums = agreement.cross_tables(ratings, len(question.labels), sample.groups)
        tables = sums.total
        kappas, without = (agreement.cohen_kappas(each, ordinal) for each in (tables, sums.left_out))
        there = ~np.isnan(ratings)
        for first, second in itertools.combinations(np.flatnonzero(there.any(0)), 2):
            clusters = len(np.unique(sample.clusters[there[:, first] & there[:, second]]))
            kappa = float(kappas[first, second])
            ends = agreement.interval(kappa, without[:, first, second], clusters)
            pair = sample.readers[first], sample.readers[second]
            rows.append((question.id, arm, *pair, int(tables[first, second].sum()), kappa, *ends))
    columns = ["question", "arm", "first", "second", "n_cases", "kappa", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def compare_repeats(study: Study, frame: pd.DataFrame, sample: Sample) -> pd.DataFrame:
    """Each reader against themselves on repeated cases: question, reader, n_cases, same (share) and kappa,
    both with _low and _high."""
    key = ["reader", "case_id", "arm", "period"]
    both = frame[frame["repeat"] == 1].merge(frame[frame["repeat"] == 0], on=key, suffixes=("_2", "_1"))
    rows = []
    for question in study.scaled_questions:
        columns = [f"q_{question.id}_1", f"q_{question.id}_2"]
        for reader, part in both.dropna(subset=columns).groupby("reader"):
            ratings = part[columns].to_numpy(float)
            place = sample.cases.get_indexer(part["case_id"])
            groups = np.unique(sample.groups[place], return_inverse=True)[1]
            clusters = len(np.unique(sample.clusters[place]))
            tables = agreement.cross_tables(ratings, len(question.labels), groups)
            ordinal, figures = question.scale == "ordinal", []
            for coefficient in (
                agreement.same,
                lambda each, ordinal=ordinal: agreement.cohen_kappas(each, ordinal),
            ):
                value = float(coefficient(tables.total[0, 1]))
                ends = agreement.interval(value, coefficient(tables.left_out[:, 0, 1]), clusters)
                figures += [value, *ends]
            rows.append((question.id, reader, len(part), *figures))
    columns = ["same", "same_low", "same_high", "kappa", "kappa_low", "kappa_high"]
    return pd.DataFrame(rows, columns=["question", "reader", "n_cases", *columns])


def _parts(study: Study, frame: pd.DataFrame) -> Iterator[tuple[Question, str, pd.DataFrame]]:
    """(question, arm, its readings) for each that has any."""
    for question in study.scaled_questions:
        for arm in ARMS:
            part = frame[(frame["arm"] == arm) & frame[f"q_{question.id}"].notna()]
            if len(part):
                yield question, arm, part
