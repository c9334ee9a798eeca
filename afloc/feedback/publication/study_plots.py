"""The figures of a study as a journal takes them; `style.draw` makes SVG, PDF or PNG (300 dots an inch)."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from afloc.evaluation.figures.style import COLOURS, COLUMN, GRID, PAGE, SMALL, SOFT, shorten
from afloc.feedback.analysis.results import Results
from afloc.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARM_COLOURS = {"unaided": SOFT, "aided": COLOURS[1], "model": COLOURS[0]}
TITLES = {
    "roc": "ROC curves: readers together (thick), each reader (thin) and the model alone",
    "afroc": "AFROC curves: readers together (thick) and each reader (thin)",
    "auc": "Area under the ROC curve of each reader, with 95% intervals, beside the model alone",
    "times": "Reading time: geometric means with 95% intervals",
    "agreement": "Cohen's kappa of each pair of readers, with 95% intervals",
    "overlap": "Intersection over union of what was drawn, with 95% intervals",
}
"""What each figure is, by its name; the order is that of a report."""


def plot(name: str, found: Results) -> "Figure | None":
    """The figure called `name` in TITLES; None where the study has nothing to show in it."""
    if name == "roc":
        return _plot_curves(found.curves, "1 − specificity", "Sensitivity")
    if name == "afroc":
        return _plot_curves(found.afroc_curves, "Normal cases marked", "Lesions found")
    if name == "auc":
        return _plot_auc(found.roc)
    if name == "times":
        return _plot_times(found.times)
    if name == "agreement":
        table = found.pairs.assign(
            name=found.pairs["first"].astype(str) + " – " + found.pairs["second"].astype(str)
        )
        return _plot_points(table.rename(columns={"kappa": "value"}), "Kappa", (-1, 1))
    table = found.overlaps
    table = table.assign(name=table["first"].astype(str) + " – " + table["second"].astype(str))
    return _plot_points(table.rename(columns={"iou": "value"}), "IoU", (0, 1))


def _plot_curves(curves: pd.DataFrame, x: str, y: str) -> "Figure | None":
    if curves.empty:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN, COLUMN), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=0.8)
    for (arm, reader), part in curves.groupby(["arm", "reader"], sort=False):
        thick = reader == "" or arm == "model"
        axes.plot(
            part["false_positive_rate"],
            part["true_positive_rate"],
            color=ARM_COLOURS[arm],
            linewidth=1.6 if thick else 0.5,
            alpha=1 if thick else 0.6,
            marker="o" if thick and arm != "model" else None,
            markersize=2.5,
            label=str(arm) if thick else None,
        )
    axes.set(xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.legend(loc="lower right")
    return figure


def _plot_auc(roc: pd.DataFrame) -> "Figure | None":
    table = roc[roc["measure"].isin(ARM_COLOURS)]
    if table.empty:
        return None
    names = table["reader"].astype(str).where(table["reader"] != "", "mean of readers")
    names = names.where(table["measure"] != "model", "model alone")
    table = table.assign(name=names, arm=table["measure"], value=table["auc"])
    return _plot_points(table, "AUC", (min(0.5, table["low"].min(), table["auc"].min()), 1))


def _plot_times(times: pd.DataFrame) -> "Figure | None":
    table = times[times["measure"].isin(ARM_COLOURS)]
    if table.empty:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN, COLUMN * 0.75), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(table.itertuples(index=False)):
        axes.bar(place, row.geometric, width=0.45, color=ARM_COLOURS[row.measure])
        if not math.isnan(row.geometric_low):
            ends = [[row.geometric - row.geometric_low], [row.geometric_high - row.geometric]]
            axes.errorbar(place, row.geometric, yerr=ends, color="black", linewidth=0.8, capsize=3)
    axes.set_xticks(range(len(table)), table["measure"].tolist())
    axes.set(ylabel="Seconds per case", xlim=(-0.7, len(table) - 0.3))
    axes.grid(axis="y")
    return figure


def _plot_points(table: pd.DataFrame, label: str, ends: tuple[float, float]) -> "Figure | None":
    """`name`, `arm`, `value`, `low`, `high`: a row for each name, a point for each arm."""
    table = table.dropna(subset=["value"])
    if table.empty:
        return None
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(table["name"]))
    figure = Figure(figsize=(PAGE * 0.7, 0.75 + 0.24 * len(names)), layout="constrained")
    axes: Axes = figure.add_subplot()
    arms = [arm for arm in ARM_COLOURS if (table["arm"] == arm).any()]
    for number, arm in enumerate(arms):
        part = table[table["arm"] == arm]
        rows = [names.index(name) + 0.22 * (number - (len(arms) - 1) / 2) for name in part["name"]]
        below, above = (part["value"] - part["low"]).fillna(0), (part["high"] - part["value"]).fillna(0)
        axes.errorbar(
            part["value"], rows, xerr=[below, above], fmt="o", markersize=3, linewidth=0.9, capsize=0,
            color=ARM_COLOURS[arm], label=arm,
        )  # fmt: skip
    axes.set_yticks(range(len(names)), [shorten(one_line(name, 80), 1.6, SMALL) for name in names])
    axes.set(xlabel=label, xlim=(ends[0] - 0.02, ends[1] + 0.02), ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="x")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure
