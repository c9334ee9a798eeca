"""How well readers, and the model alone, find what the reference standard has: ROC, LROC, sensitivity and
specificity, with the multi-reader multi-case analysis of the difference that the aid makes."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from afloc.evaluation.bootstrap import FEWEST_CLUSTERS
from afloc.feedback.analysis import resampling
from afloc.feedback.analysis.mrmc import merits
from afloc.feedback.analysis.mrmc.obuchowski_rockette import (
    Components,
    Inference,
    components,
    difference,
    difference_between_groups,
    single,
)
from afloc.feedback.analysis.sample import ARMS, Sample
from afloc.feedback.studies.questions import Question
from afloc.feedback.studies.reference_standard import Reference
from afloc.feedback.studies.study import Study
from afloc.intervals import wilson_interval

MODEL, DIFFERENCE = "model", "difference"
COLUMNS = ["figure", "measure", "reader", "value", "low", "high", "p", "se", "df"]
COLUMNS += ["n_readers", "n_cases", "n_positive", "sample"]
TESTS = {"readers and cases": (False, False), "cases": (True, False), "readers": (False, True)}  # fixed


@dataclass(frozen=True, eq=False)
class Rated:
    """Each arm's ratings of presence, (readers, cases whose truth is known), and that `truth` (cases,).

    `located`: the same ratings for LROC, where a positive case that is located wrongly is rated below all;
    empty where nothing is located. `scores`, `verdicts` (1, cases): of the model alone.
    """

    arms: Mapping[str, np.ndarray]
    located: Mapping[str, np.ndarray]
    truth: np.ndarray
    sample: Sample
    scores: np.ndarray
    verdicts: np.ndarray


@dataclass(frozen=True, eq=False)
class _Figure:
    """A figure of merit of (readers, cases) values: an area where there is a `truth`, else a share."""

    name: str
    truth: np.ndarray | None = None

    def of(self, values: np.ndarray, sample: Sample) -> merits.Merits:
        if self.truth is None:
            return merits.means(values, sample.clusters)
        return merits.areas(values, self.truth, sample.clusters)


def rate(
    study: Study,
    frame: pd.DataFrame,
    references: Mapping[str, Reference],
    sample: Sample,
    hits: Mapping[str, np.ndarray],
) -> Rated:
    """What accuracy is worked out from. `hits` (readers, cases) of each arm: whether what was drawn hits a
    lesion, NaN where that is not known; none where nothing is drawn."""
    known = np.array([case in references for case in sample.cases], bool)
    truth = np.array([references[case].truth for case in sample.cases[known]], bool)
    part = Sample(sample.cases[known], sample.readers, merits.number(sample.clusters[known]))
    arms = sample.arms(frame, f"q_{study.presence}") if study.presence is not None and known.any() else {}
    arms = {arm: ratings[:, known] for arm, ratings in arms.items()}
    located = {}
    for arm in arms.keys() & hits.keys():
        found = np.where(truth, hits[arm][:, known], 1)
        located[arm] = np.where(np.isnan(found), np.nan, np.where(found == 0, -np.inf, arms[arm]))
        located[arm][np.isnan(arms[arm])] = np.nan
    latest = frame.dropna(subset=["score"]).drop_duplicates("case_id", keep="last").set_index("case_id")
    scores, verdicts = (
        latest[name].reindex(part.cases).astype(float).to_numpy()[None] for name in ("score", "present")
    )
    return Rated(arms, {arm: located[arm] for arm in ARMS if arm in located}, truth, part, scores, verdicts)


def positive_from(question: Question) -> int:
    """The first answer above the middle of a rating."""
    levels = len(question.labels)
    return levels // 2 + 1 + levels % 2


def compare_roc(found: Rated) -> pd.DataFrame:
    """measure (an arm; "difference", aided minus unaided, of the same readers on the same cases; "model";
    "unaided - model" and "aided - model" on the same cases), reader ("" for the mean), auc, low, high, p (of
    a difference), se, df, n_readers, n_cases, n_positive, sample (as in `compare_times`)."""
    area = _Figure("AUC", found.truth)
    rows = [*_readers(area, found.arms, found), *_model(area, found)]
    table = pd.DataFrame(rows, columns=COLUMNS).drop(columns="figure").rename(columns={"value": "auc"})
    return table.dropna(subset=["auc"]).reset_index(drop=True)


def measure_accuracy(study: Study, found: Rated) -> pd.DataFrame:
    """figure ("LROC"; "sensitivity, from 4 probably" and the like, of each answer but the first; the model's
    at its own threshold), then as `compare_roc`, with `value` for the figure.

    Of each reader apart only at the answer `positive_from`.
    """
    rows = [*_readers(_Figure("LROC", found.truth), found.located, found)]
    sides = {"sensitivity": True, "specificity": False}
    for question in (each for each in study.questions if each.id == study.presence and found.arms):
        for level, (name, side) in (
            (n, s) for n in range(2, len(question.labels) + 1) for s in sides.items()
        ):
            right = {
                arm: np.where(np.isnan(ratings) | (found.truth != side), np.nan, (ratings >= level) == side)
                for arm, ratings in found.arms.items()
            }
            figure = _Figure(f"{name}, from {level} {question.labels[level - 1]}")
            mine = _readers(figure, right, found)
            apart = level == positive_from(question)
            rows += [each for each in mine if apart or not each["reader"]]
    for name, side in sides.items() if found.arms else ():
        wrong_side = np.isnan(found.verdicts) | (found.truth != side)
        verdicts = np.where(wrong_side, np.nan, found.verdicts == side)
        figure = _Figure(f"{name}, at the model's threshold")
        rows.append(_alone(figure, MODEL, "", verdicts, figure.of(verdicts, found.sample), found))
    return pd.DataFrame(rows, columns=COLUMNS).dropna(subset=["value"]).reset_index(drop=True)


def measure_afroc(found: Rated | None) -> pd.DataFrame:
    """The area under the AFROC curve of the ratings of `afroc.rate_lesions`, as `measure_accuracy` has it;
    n_cases counts lesions and normal cases, n_positive lesions."""
    rows = list(_readers(_Figure("AFROC", found.truth), found.arms, found)) if found else []
    return pd.DataFrame(rows, columns=COLUMNS).dropna(subset=["value"]).reset_index(drop=True)


def compare_arms(found: Rated, lesions: Rated | None = None) -> pd.DataFrame:
    """The difference that the aid makes, by what is taken for a sample: figure, sample ("readers and cases",
    "cases", "readers"), difference, low, high, p, se, df, n_readers, n_cases.

    `lesions`: of `afroc.rate_lesions`, for the area under the AFROC curve.
    """
    rows = []
    figures = [("AUC", found, found.arms), ("LROC", found, found.located)]
    figures += [("AFROC", lesions, lesions.arms)] if lesions else []
    for name, found, arms in figures:
        paired, mine = _pair(_Figure(name, found.truth), arms, found.sample)
        for sample, fixed in TESTS.items():
            if len(paired) > 1 or (len(paired) and sample == "cases"):
                each = difference(mine.values.reshape(2, -1), mine.covariance(), *fixed)
                row = {"figure": name, "sample": sample, "difference": each.estimate}
                counts = {"n_readers": len(paired), "n_cases": int(paired.notna().any().sum())}
                rows.append(row | _ends(each, paired.to_numpy(), found.sample, -1) | counts)
    columns = ["figure", "sample", "difference", "low", "high", "p", "se", "df", "n_readers", "n_cases"]
    return pd.DataFrame(rows, columns=columns)


def pilot_components(found: Rated) -> tuple[Components, int] | None:
    """What varies in the areas of a study, and its number of cases; None where that cannot be had."""
    paired, mine = _pair(_Figure("AUC", found.truth), found.arms, found.sample)
    covariance = mine.covariance()
    if len(paired) < 2 or np.isnan(covariance).any():
        return None
    return components(mine.values.reshape(2, -1), covariance), int(paired.notna().any().sum())


def trace_roc(found: Rated) -> pd.DataFrame:
    """arm ("model" for its own), reader ("" over all readers' ratings together), false_positive_rate,
    true_positive_rate: the points of the curves."""
    model = {MODEL: np.round(found.scores, 2)} if found.arms else {}  # a hundred steps are enough to draw
    curves = [(arm, "", ratings) for arm, ratings in (dict(found.arms) | model).items()]
    curves += [
        (arm, name, ratings[[place]])
        for arm, ratings in found.arms.items()
        for place, name in enumerate(found.sample.readers)
        if not np.isnan(ratings[place]).all()
    ]
    points = [
        (arm, reader, *point)
        for arm, reader, ratings in curves
        for point in zip(*resampling.roc_curve(ratings, found.truth), strict=True)
    ]
    columns = ["arm", "reader", "false_positive_rate", "true_positive_rate"]
    return pd.DataFrame(points, columns=columns).dropna()


def _readers(figure: _Figure, arms: Mapping[str, np.ndarray], found: Rated) -> Iterator[dict]:
    """The rows of each arm, of each reader in it, and of the difference."""
    sample = found.sample
    groups = []
    for arm, values in arms.items():
        everyone = figure.of(values, sample)
        who = _who(values, everyone.values, sample)
        mine = everyone.of(np.flatnonzero(who))
        groups.append(values[who])
        if who.any():
            result = single(mine.values, mine.covariance(), fixed_readers=who.sum() == 1)
            yield _row(figure, arm, "", result, values[who], found, 0)
        for reader, name in enumerate(sample.readers):
            yield _alone(figure, arm, name, values[[reader]], everyone.of(np.array([reader])), found)
    paired, mine = _pair(figure, arms, sample)
    if len(paired):
        values, covariance = mine.values.reshape(2, -1), mine.covariance()
        result = difference(values, covariance, fixed_readers=len(paired) == 1)
        yield _row(figure, DIFFERENCE, "", result, paired.to_numpy(), found)
        for place, name in enumerate(paired.index):
            rows = [place, len(paired) + place]
            result = difference(values[:, [place]], covariance[np.ix_(rows, rows)], fixed_readers=True)
            yield _row(figure, DIFFERENCE, name, result, paired.to_numpy()[[place]], found)
    elif len(groups) == 2 and min(map(len, groups)) > 1 and not _share_a_reader(arms):  # the split plot
        both, size = np.concatenate(groups), len(groups[0])
        mine = figure.of(both, sample)
        result = difference_between_groups(mine.values[:size], mine.values[size:], mine.covariance())
        row = _row(figure, DIFFERENCE, "", result, both, found)
        yield row | {"sample": "readers and cases, each reader in one arm"}


def _share_a_reader(arms: Mapping[str, np.ndarray]) -> bool:
    there = [(~np.isnan(values)).any(1) for values in arms.values()]
    return bool(np.logical_and(*there).any())


def _model(figure: _Figure, found: Rated) -> Iterator[dict]:
    """The model alone, and what readers are beyond it on the same cases."""
    sample = found.sample
    if not found.arms:
        return
    yield _alone(figure, MODEL, "", found.scores, figure.of(found.scores, sample), found)
    for arm, ratings in found.arms.items():
        values = np.where(np.isnan(found.scores), np.nan, ratings)
        who = np.flatnonzero(_who(values, figure.of(values, sample).values, sample))
        if len(who):
            values = values[who]
            both = figure.of(
                np.concatenate([values, np.where(np.isnan(values), np.nan, found.scores)]), sample
            )
            mine, other = both.of(np.arange(len(who))), both.of(np.arange(len(who), 2 * len(who)))
            beyond = merits.Merits(mine.values - other.values, mine.left_out - other.left_out)
            result = single(beyond.values, beyond.covariance(), fixed_readers=len(who) == 1)
            yield _row(figure, f"{arm} - {MODEL}", "", result, values, found)


def _pair(
    figure: _Figure, arms: Mapping[str, np.ndarray], sample: Sample
) -> tuple[pd.DataFrame, merits.Merits]:
    """The unaided values, and the figures of both arms, of the readers who count, where the same reader has
    both arms on the same case."""
    nobody = pd.DataFrame(np.empty((0, len(sample.cases)))), merits.Merits(np.empty(0), np.empty((0, 0)))
    if not set(ARMS) <= arms.keys():
        return nobody
    missing = np.isnan(arms[ARMS[0]]) | np.isnan(arms[ARMS[1]])
    values = [np.where(missing, np.nan, arms[arm]) for arm in ARMS]
    computed = figure.of(np.concatenate(values), sample)
    who = _who(values[0], computed.values.reshape(2, -1).sum(0), sample)
    rows = np.flatnonzero(np.tile(who, 2))
    return pd.DataFrame(values[0][who], sample.readers[who]), computed.of(rows)


def _who(values: np.ndarray, figures: np.ndarray, sample: Sample) -> np.ndarray:
    """The readers who count in a mean: under way, and with a figure."""
    has = ~np.isnan(figures)
    return sample.under_way(np.where(has[:, None], values, np.nan)) & has


def _alone(
    figure: _Figure, measure: str, reader: str, values: np.ndarray, mine: merits.Merits, found: Rated
) -> dict:
    """One reader, or the model. The interval of a share is Wilson's, of as many cases as its variance is
    worth."""
    result = single(mine.values, mine.covariance(), fixed_readers=True)
    if figure.truth is None and not math.isnan(result.estimate):
        result = _wilson(result, int(found.sample.count(~np.isnan(values))[0]))
    return _row(figure, measure, reader, result, values, found, 0)


def _wilson(found: Inference, clusters: int) -> Inference:
    share = found.estimate
    count = share * (1 - share) / found.se**2 if found.se > 0 else clusters
    return Inference(share, max(found.se, 1e-12), found.df, *wilson_interval(share, count), math.nan)


def _row(
    figure: _Figure,
    measure: str,
    reader: str,
    result: Inference,
    values: np.ndarray,
    found: Rated,
    least: int = -1,
) -> dict:
    """A row of a table, of (readers, cases) values. `least`: what the figure can be; -1 of a difference."""
    ends = _ends(result, values, found.sample, least)
    there = (~np.isnan(values)).any(0)
    return {
        "figure": figure.name,
        "measure": measure,
        "reader": reader,
        "value": result.estimate,
        **ends,
        "p": ends["p"] if least else math.nan,
        "n_readers": len(values) if measure != MODEL else 0,
        "n_cases": int(there.sum()),
        "n_positive": int(found.truth[there].sum()),
        "sample": "readers and cases" if len(values) > 1 else "cases",
    }


def _ends(result: Inference, values: np.ndarray, sample: Sample, least: int) -> dict[str, float]:
    """What surrounds the estimate, within `least` … 1; all NaN from too few clusters, or without variance."""
    enough = sample.count(~np.isnan(values)).min(initial=0 if not len(values) else FEWEST_CLUSTERS)
    if enough < FEWEST_CLUSTERS or not result.se > 0:
        return dict.fromkeys(("low", "high", "p", "se", "df"), math.nan)
    ends = {"low": max(result.low, least), "high": min(result.high, 1)}
    return ends | {"p": result.p, "se": result.se, "df": result.df}
