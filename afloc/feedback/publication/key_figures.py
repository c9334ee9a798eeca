"""The few figures that a study is about: how far it is, and what the aid changes in accuracy and in time."""

import math
from dataclasses import dataclass

import pandas as pd

from afloc.feedback.analysis.results import Results


@dataclass(frozen=True)
class KeyFigure:
    """A figure as it is read: what it is, its value, and its interval, n and p in words."""

    label: str
    value: str
    detail: str


def key_figures(flow: pd.DataFrame, found: Results) -> list[KeyFigure]:
    """`flow`: as `report.count_flow` has it."""
    asked, given = int(flow["Asked for"].sum()), int(flow["Given"].sum())
    complete = int(((flow["Missing"] == 0) & (flow["Given"] > 0)).sum())
    done = f"{given / asked:.0%}" if asked else "–"
    figures = [
        KeyFigure(
            "Readings given", done, f"{given:,} of {asked:,}; {complete} of {len(flow)} readers have all"
        ),
        _auc(found),
        _time(found),
    ]
    return figures


def _auc(found: Results) -> KeyFigure:
    label = "Difference in AUC, aided − unaided"
    rows = found.roc[(found.roc["measure"] == "difference") & (found.roc["reader"] == "")]
    if rows.empty:
        return KeyFigure(label, "–", "needs the same cases rated in both arms, and their truth")
    row = rows.iloc[0]
    n = _numbers(row)
    return KeyFigure(label, _signed(row["auc"], 3), _detail(row["low"], row["high"], row["p"], n, 3))


def _time(found: Results) -> KeyFigure:
    label = "Difference in reading time, aided"
    rows = found.times[found.times["measure"] == "difference"].dropna(subset=["geometric"])
    if rows.empty:
        return KeyFigure(label, "–", "needs the same cases read in both arms")
    row = rows.iloc[0]
    n = f"{_numbers(row)}; ratio of geometric means"
    low, high = 100 * row["geometric_low"], 100 * row["geometric_high"]
    return KeyFigure(
        label, f"{_signed(100 * row['geometric'], 1)} %", _detail(low, high, row["p"], n, 1, " %")
    )


def _numbers(row: pd.Series) -> str:
    counts = ((row["n_readers"], "reader"), (row["n_cases"], "case"))
    return ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _detail(low: float, high: float, p: float, n: str, digits: int, unit: str = "") -> str:
    if math.isnan(low):
        return f"no interval; {n}"
    chance = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return f"95% {_signed(low, digits)} to {_signed(high, digits)}{unit}, {chance}; {n}"
