"""How many readers and cases a study needs to find what an aid changes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from afloc.errors import DataError
from afloc.feedback.analysis.accuracy import pilot_components, rate
from afloc.feedback.analysis.mrmc.power import Variability, cases_needed, conjecture, of_pilot, power
from afloc.feedback.analysis.sample import draw_sample
from afloc.feedback.studies.reference_standard import Reference
from afloc.feedback.studies.study import Study

READERS = (3, 4, 5, 6, 8, 10, 12, 15)
GUESSED_CASES = 200  # of the study whose variance is guessed; it is carried over to other numbers of cases


def guess(area: float, positive: float = 0.5, reader_range: float = 0.05) -> Variability:
    """As `conjecture`; DataError for a number out of its range."""
    for name, value, low, high in (
        ("area", area, 0.5, 1),
        ("share of positive cases", positive, 0, 1),
        ("range of readers", reader_range, 0, 1),
    ):
        if not low < value < high and not (name.startswith("range") and value == 0):
            raise DataError(f"The {name} lies between {low} and {high}.")
    return conjecture(area, GUESSED_CASES, positive, reader_range)


def of_study(study: Study, frame: pd.DataFrame, references: Mapping[str, Reference]) -> Variability:
    """From the AUCs of a study as a pilot; DataError without two readers who have read the same cases in both
    arms."""
    first = frame[frame["repeat"] == 0]
    found = pilot_components(rate(study, first, references, draw_sample(study, first), {}))
    if found is None:
        raise DataError(
            f"The study {study.id} is no pilot: that takes two readers or more, who have read the same cases "
            "with and without the model, and their truth."
        )
    return of_pilot(*found)


def plan(
    found: Variability, difference: float, wanted: float = 0.8, cases: int | None = None
) -> pd.DataFrame:
    """readers, cases_needed (for the power that is wanted; NA where no number of cases is enough), power
    (with `cases`, where that is given)."""
    if not 0 < difference < 0.5 or not 0 < wanted < 1 or (cases is not None and cases < 10):
        raise DataError(
            "The difference in area lies between 0 and 0.5, the power between 0 and 1; cases are 10 or more."
        )
    rows = [
        {
            "readers": readers,
            "cases_needed": cases_needed(found, readers, difference, wanted),
            "power": power(found, readers, cases, difference) if cases else np.nan,
        }
        for readers in READERS
    ]
    return pd.DataFrame(rows).astype({"cases_needed": "Int64"})
