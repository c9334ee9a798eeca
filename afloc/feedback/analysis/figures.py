"""Plotly figures of the tables in `results`; each is a function of its table alone."""

import math

import pandas as pd
import plotly.graph_objects as go

from afloc.feedback.studies.questions import Question
from afloc.text import figure_label

COLOURS = {"unaided": "#6b7280", "aided": "#c2410c"}
MODEL_COLOUR = "#1d4ed8"


def overview_figure(overview: pd.DataFrame, title: str = "Answers in the Probe tab") -> go.Figure:
    """Counts of each answer to a question of the Probe tab, by description (the twenty most asked)."""
    top = overview.groupby("description")["count"].sum().nlargest(20).index[::-1]
    figure = go.Figure()
    for answer, part in overview.groupby("answer"):
        counts = part.groupby("description")["count"].sum().reindex(top, fill_value=0)
        figure.add_bar(
            y=list(map(figure_label, top)), x=counts.tolist(), name=figure_label(str(answer)), orientation="h"
        )
    figure = _finish(figure, title, "answers").update_layout(barmode="stack", yaxis_type="category")
    figure.update_yaxes(range=[-0.5, max(len(top), 6) - 0.5])  # no bar is a slab
    return _count_on(figure, "xaxis", int(overview.groupby("description")["count"].sum().max()))


def counts_figure(counts: pd.DataFrame, question: Question) -> go.Figure:
    """Answers to a question along its scale, by arm."""
    figure, most = go.Figure(), 0
    part = counts[counts["question"] == question.id]
    for arm, colour in COLOURS.items():
        numbers = (
            part[part["arm"] == arm].groupby("answer")["count"].sum().reindex(question.labels, fill_value=0)
        )
        if numbers.sum():
            most = max(most, int(numbers.max()))
            figure.add_bar(
                x=list(map(figure_label, question.labels)), y=numbers.tolist(), name=arm, marker_color=colour
            )
    figure = _finish(figure, "Answers", None, "readings").update_xaxes(type="category")
    return _count_on(figure, "yaxis", most).update_layout(bargap=0.35)


def agreement_figure(pairs: pd.DataFrame, question: Question) -> go.Figure:
    """Kappa of each pair of readers with its interval, by arm."""
    part = pairs[pairs["question"] == question.id].dropna(subset=["kappa"])
    figure = go.Figure()
    for arm, mine in part.groupby("arm", sort=False):
        names = [figure_label(f"{row.first} – {row.second}") for row in mine.itertuples(index=False)]
        _add_points(figure, arm, names, mine, "kappa")
    return _finish(figure, "Agreement of pairs of readers", "kappa").update_xaxes(range=[-1.02, 1.02])


def overlap_figure(overlaps: pd.DataFrame) -> go.Figure:
    """Mean IoU between readers, and of readers and the model with the reference, by arm."""
    figure = go.Figure()
    for arm, mine in overlaps.groupby("arm", sort=False):
        names = [figure_label(f"{row.first} – {row.second}") for row in mine.itertuples(index=False)]
        _add_points(figure, arm, names, mine, "iou")
    return _finish(figure, "Overlap of what was drawn", "IoU").update_xaxes(range=[-0.02, 1.02])


def times_figure(times: pd.DataFrame) -> go.Figure:
    """Geometric mean of the seconds a case was visible, by arm; their ratio in the title."""
    figure = go.Figure()
    for row in times[times["measure"].isin(COLOURS)].itertuples(index=False):
        ends = (row.geometric_high - row.geometric, row.geometric - row.geometric_low)
        error = dict(
            zip(("array", "arrayminus"), ([0 if math.isnan(end) else end] for end in ends), strict=True)
        )
        colour = COLOURS[row.measure]
        figure.add_bar(x=[row.measure], y=[row.geometric], width=0.4, error_y=error, marker_color=colour)
    title = "Reading time"
    differences = times[times["measure"] == "difference"].dropna(subset=["geometric"])
    for row in differences.itertuples(index=False):
        title += f": {row.geometric:+.1%} aided"
        if not math.isnan(row.geometric_low):
            title += f" (95% interval {row.geometric_low:+.1%} to {row.geometric_high:+.1%})"
    return _finish(figure, title, None, "seconds").update_layout(showlegend=False)


def roc_figure(curves: pd.DataFrame, roc: pd.DataFrame) -> go.Figure:
    """The ROC curve of each arm, its readers' mean area in the legend."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": "#d1d5db"}, showlegend=False)
    for arm, part in curves[curves["reader"] == ""].groupby("arm", sort=False):
        area = roc[(roc["measure"] == arm) & (roc["reader"] == "")]
        name = arm + "".join(
            f", AUC {a.auc:.2f}" + (f" ({a.low:.2f} to {a.high:.2f})" if not math.isnan(a.low) else "")
            for a in area.itertuples()
        )
        figure.add_scatter(
            x=part["false_positive_rate"].tolist(),
            y=part["true_positive_rate"].tolist(),
            name=name,
            mode="lines+markers",
            line={"color": COLOURS.get(arm, MODEL_COLOUR)},
        )
    return _finish(figure, "ROC", "1 - specificity", "sensitivity")


def _add_points(figure: go.Figure, arm: str, names: list[str], table: pd.DataFrame, column: str) -> None:
    error = {
        "array": (table["high"] - table[column]).fillna(0).tolist(),
        "arrayminus": (table[column] - table["low"]).fillna(0).tolist(),
    }
    figure.add_scatter(
        x=table[column].tolist(),
        y=names,
        error_x=error,
        name=arm,
        mode="markers",
        marker_color=COLOURS[arm],
        orientation="h",
    )
    figure.update_layout(scattermode="group")  # the arms one above the other


def _count_on(figure: go.Figure, axis: str, most: int) -> go.Figure:
    """Whole numbers on an axis of counts."""
    step = {"dtick": 1} if most < 8 else {}
    return figure.update_layout({axis: {"tickformat": ",d", "rangemode": "tozero", **step}})


def _finish(figure: go.Figure, title: str, x: str | None, y: str | None = None) -> go.Figure:
    figure.update_layout(
        title={"text": title, "font": {"size": 14}},
        template="plotly_white",
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        legend={"orientation": "h", "y": -0.2},
    )
    return figure.update_xaxes(title=x, automargin=True).update_yaxes(title=y, automargin=True)
