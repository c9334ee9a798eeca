"""How long readers took, with and without the model.

Times are skewed, and one forgotten page can outweigh all others. So beside the plain mean stand the median
and the geometric mean, and the test is of the ratio of geometric means: logarithms of times in the mixed
model of Obuchowski and Rockette, in which readers and cases are crossed random effects (of complete readings
it is the three-way analysis of variance).
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from afloc.evaluation.bootstrap import FEWEST_CLUSTERS
from afloc.feedback.analysis.mrmc import merits
from afloc.feedback.analysis.mrmc.obuchowski_rockette import Inference, difference, single
from afloc.feedback.analysis.sample import ARMS, Sample
from afloc.feedback.studies.study import Study

TIME_WITH_AID = (
    "Reading time: each case is read unaided, then aided. The aided time is that of both looks together: the "
    "time until the unaided answer and the time added with the model (extra), of the same reader on the same "
    "case. Cases without both are left out."
)
IDLE_NOTED = 1.0  # seconds from which a reading is said to have stood idle
OUTLIER = 3.5  # median absolute deviations, scaled to a standard deviation (Iglewicz and Hoaglin, 1993)
COLUMNS = [
    *("measure", "n", "value", "low", "high", "geometric", "geometric_low", "geometric_high", "p", "median"),
    *("longest", "outliers", "n_readers", "n_cases", "sample"),
]
_NONE = Inference(*[math.nan] * 6)


def explain_times(study: Study) -> str:
    """What the aided time is, where that is not the time of the aided reading alone; else ""."""
    return TIME_WITH_AID if study.design == "unaided_then_aided" else ""


def explain_idle(frame: pd.DataFrame) -> list[str]:
    """Sentences on time that is left out because nobody was there, and on readings of which that is not
    known."""
    if "idle" not in frame:
        return []
    idle = frame["idle"]
    said = []
    if (stood := idle >= IDLE_NOTED).any():
        said.append(
            f"Reading time: in {int(stood.sum()):,} of {len(frame):,} readings the clock stopped, two "
            f"minutes after the last sign of pointer or key; {idle[stood].sum() / 60:,.1f} minutes are not "
            f"counted (the longest {idle.max() / 60:,.1f})."
        )
    unknown = int((idle.isna() & frame["seconds"].notna()).sum())
    if unknown:
        said.append(
            f"Reading time: {unknown:,} of {len(frame):,} readings are of an earlier AFLoc, which did not "
            "ask whether somebody was there; all the time for which the case was visible counts."
        )
    return said


def compare_times(study: Study, frame: pd.DataFrame, sample: Sample) -> pd.DataFrame:
    """measure (an arm, in seconds; "extra"; "difference", aided over unaided minus 1), n (readings), value
    (of the plain mean), low, high, geometric (of the geometric mean) with _low and _high, p (of the geometric
    difference), median, longest, outliers (readings), n_readers, n_cases, sample (what the interval takes for
    a sample: "readers and cases", or "cases" where there is one reader).

    Where each case is read unaided and at once again aided, the second look is short because of the first:
    the aided time is that of both looks, "extra" that of the second alone, and cases without both are left
    out.
    """
    arms = sample.arms(frame, "seconds")
    if study.design == "unaided_then_aided":
        arms = _add_first_look(arms)
    rows = [_describe(arm, values, sample) for arm, values in arms.items()]
    if set(ARMS) <= arms.keys():
        both = ~np.isnan(arms["unaided"]) & ~np.isnan(arms["aided"])  # the same reader on the same case
        unaided, aided = (np.where(both, arms[arm], np.nan) for arm in ARMS)
        rows.append(_compare(unaided, aided, sample))
    return pd.DataFrame(rows, columns=COLUMNS)


def _add_first_look(arms: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The aided time with the time of the unaided look that came before it, where both are known."""
    if len(arms) < 2:
        return {}
    both = arms["unaided"] + arms["aided"]  # NaN without one of them
    if np.isnan(both).all():
        return {}
    known = [np.where(np.isnan(both), np.nan, arms[arm]) for arm in ARMS]
    return {"unaided": known[0], "aided": both, "extra": known[1]}


def _describe(measure: str, values: np.ndarray, sample: Sample) -> dict:
    mean = float(np.nanmean(values))
    raw, logs = _single(values, sample), _single(_logarithms(values), sample)
    return _row(measure, values, sample) | {
        "value": mean,
        "low": max(mean - (raw.high - raw.estimate), 0),
        "high": mean + (raw.high - raw.estimate),
        "geometric": math.exp(logs.estimate),
        "geometric_low": math.exp(logs.low),
        "geometric_high": math.exp(logs.high),
        "median": float(np.nanmedian(values)),
        "longest": float(np.nanmax(values)),
        "outliers": int(_outliers(values).sum()),
    }


def _compare(unaided: np.ndarray, aided: np.ndarray, sample: Sample) -> dict:
    found = _row("difference", unaided, sample)
    if not found["n"]:
        return found
    mean = float(np.nanmean(unaided))
    ratio = float(np.nanmean(aided)) / mean if mean else math.nan
    raw = _single((aided - ratio * unaided) / mean, sample)
    found |= {"value": ratio - 1, "low": ratio - 1 + raw.low - raw.estimate}
    found |= {"high": ratio - 1 + raw.high - raw.estimate}
    first, second = _logarithms(unaided), _logarithms(aided)
    missing = np.isnan(first + second)
    result = _paired(np.where(missing, np.nan, first), np.where(missing, np.nan, second), sample)
    ends = (result.estimate, result.low, result.high)
    names = ("geometric", "geometric_low", "geometric_high")
    found |= {name: math.exp(end) - 1 for name, end in zip(names, ends, strict=True)}
    outliers = int((_outliers(unaided) | _outliers(aided)).sum())
    return found | {"p": result.p, "outliers": outliers}


def _row(measure: str, values: np.ndarray, sample: Sample) -> dict:
    there = ~np.isnan(values)
    who = sample.under_way(values)
    return dict.fromkeys(COLUMNS, math.nan) | {
        "measure": measure,
        "n": int(there.sum()),
        "n_readers": int(there.any(1).sum()),
        "n_cases": int(there.any(0).sum()),
        "sample": "readers and cases" if who.sum() > 1 else "cases",
        "outliers": 0,
    }


def _single(values: np.ndarray, sample: Sample) -> Inference:
    """The mean over readers of their means of (readers, cases) values."""
    values = values[sample.under_way(values)]
    if not len(values):
        return _NONE
    found = merits.means(values, sample.clusters)
    result = single(found.values, found.covariance(), fixed_readers=len(values) == 1)
    return result if sample.count(~np.isnan(values)).min() >= FEWEST_CLUSTERS else _without(result)


def _paired(first: np.ndarray, second: np.ndarray, sample: Sample) -> Inference:
    who = sample.under_way(first)
    if not who.any():
        return _NONE
    found = merits.means(np.concatenate([first[who], second[who]]), sample.clusters)
    values = found.values.reshape(2, -1)
    result = difference(values, found.covariance(), fixed_readers=who.sum() == 1)
    return result if sample.count(~np.isnan(first[who])).min() >= FEWEST_CLUSTERS else _without(result)


def _without(found: Inference) -> Inference:
    """The estimate alone."""
    return Inference(found.estimate, *[math.nan] * 5)


def _logarithms(values: np.ndarray) -> np.ndarray:
    return np.log(np.where(values > 0, values, np.nan))


def _outliers(values: np.ndarray) -> np.ndarray:
    """Which readings are far from their reader's others, by the median and on the scale of logarithms."""
    found = np.zeros(values.shape, bool)
    for row, mine in enumerate(_logarithms(values)):
        known = mine[~np.isnan(mine)]
        if len(known):
            middle = np.median(known)
            spread = 1.4826 * np.median(np.abs(known - middle))
            if spread > 0:
                found[row] = np.abs(mine - middle) > OUTLIER * spread
    return found
