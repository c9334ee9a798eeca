"""How long readers took, with and without the model; and readers and cases drawn anew for intervals."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from afloc.feedback.analysis import resampling
from afloc.feedback.studies.study import Study

ARMS = ("unaided", "aided")
TIME_WITH_AID = (
    "Reading time: each case is read unaided, then aided. The aided time is that of both looks together: the "
    "time until the unaided answer and the time added with the model, of the same reader on the same case. "
    "Cases without both are left out."
)


@dataclass(frozen=True, eq=False)
class Sample:
    """The cases and readers of a study, and the same resamples of them for every figure."""

    cases: pd.Index
    readers: pd.Index
    draws: resampling.Draws

    def matrix(self, frame: pd.DataFrame, column: str) -> np.ndarray:
        """(readers, cases) of a numeric column, NaN for missing."""
        values = np.full((len(self.readers), len(self.cases)), np.nan)
        indices = self.readers.get_indexer(frame["reader"]), self.cases.get_indexer(frame["case_id"])
        values[indices] = frame[column]
        return values

    def arms(self, frame: pd.DataFrame, column: str) -> dict[str, np.ndarray]:
        """The matrix of each arm that has a value."""
        found = {arm: self.matrix(frame[frame["arm"] == arm], column) for arm in ARMS}
        return {arm: values for arm, values in found.items() if not np.isnan(values).all()}


def draw_sample(frame: pd.DataFrame) -> Sample:
    cases, readers = (pd.Index(np.sort(frame[name].unique())) for name in ("case_id", "reader"))
    return Sample(cases, readers, resampling.draw(len(readers), len(cases)))


def explain_times(study: Study) -> str:
    """What the aided time is, where that is not the time of the aided reading alone; else ""."""
    return TIME_WITH_AID if study.design == "unaided_then_aided" else ""


def compare_times(study: Study, frame: pd.DataFrame, sample: Sample) -> pd.DataFrame:
    """measure (an arm, in seconds; "difference", aided over unaided minus 1), n, value, low, high.

    Where each case is read unaided and at once again aided, the second look is short because of the first:
    the aided time is that of both looks, and cases without both are left out.
    """
    arms = sample.arms(frame, "seconds")
    if study.design == "unaided_then_aided":
        arms = _add_first_look(arms)
    rows = [
        (arm, int((~np.isnan(values)).sum()), *vars(resampling.mean(values, sample.draws)).values())
        for arm, values in arms.items()
    ]
    if len(arms) == 2:
        both = ~np.isnan(arms["unaided"]) & ~np.isnan(arms["aided"])  # the same reader on the same case
        unaided, aided = (np.where(both, arms[arm], np.nan) for arm in ARMS)
        found = resampling.relative_difference(unaided, aided, sample.draws)
        rows.append(("difference", int(both.sum()), *vars(found).values()))
    return pd.DataFrame(rows, columns=["measure", "n", "value", "low", "high"])


def _add_first_look(arms: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The aided time with the time of the unaided look that came before it, where both are known."""
    if len(arms) < 2:
        return {}
    both = arms["unaided"] + arms["aided"]  # NaN without one of them
    unaided = np.where(np.isnan(both), np.nan, arms["unaided"])
    return {} if np.isnan(both).all() else {"unaided": unaided, "aided": both}
