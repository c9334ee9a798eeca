"""What the Results tab shows: its parts, each a table with its heading and a figure, and their files."""

import json
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from afloc.feedback.analysis import figures
from afloc.feedback.analysis.agreement_tables import COEFFICIENTS
from afloc.feedback.analysis.data_frames import PROBE_QUESTIONS
from afloc.feedback.analysis.reading_times import explain_times
from afloc.feedback.publication.report import Publication
from afloc.feedback.publication.tables import column_title
from afloc.feedback.studies.questions import Question

MOST_ROWS = 200  # of a table on the page; its file has all


def study_parts(published: Publication) -> list[dict[str, Any]]:
    """The parts of a study's results that have something to show, those that it is about first."""
    study, found = published.study, published.found
    roc, times = figures.roc_figure(found.curves, found.roc), figures.times_figure(found.times)
    parts = [
        show_part("ROC", found.roc, roc, files=("roc", "roc")),
        show_part(
            "Difference that the aid makes: multi-reader multi-case analysis",
            found.mrmc,
            files=("auc", "mrmc"),
        ),
        show_part(times.layout.title.text, found.times, times, explain_times(study), ("times", "times")),
        show_part(
            "Sensitivity and specificity; LROC and AFROC where regions are drawn",
            found.accuracy,
            files=("afroc" if len(found.afroc_curves) else "", "accuracy"),
        ),
    ]
    for question in study.scaled_questions:
        figure = figures.agreement_figure(found.pairs, question)
        table = _list_coefficients(_of(found.agreement, question), question)
        parts.append(
            show_part(f"Agreement: {question.text}", table, figure, files=("agreement", "agreement"))
        )
    parts.append(
        show_part("Readers against themselves, on repeated cases", found.repeated, files=("", "repeated"))
    )
    overlaps = figures.overlap_figure(found.overlaps)
    parts.append(
        show_part(overlaps.layout.title.text, found.overlaps, overlaps, files=("overlap", "overlaps"))
    )
    for question in study.scaled_questions:
        figure = figures.counts_figure(found.counts, question)
        table = _of(found.counts, question)
        parts.append(show_part(question.text, table, figure, files=("", "counts")))
    return [part for part in parts if part["rows"]]


def feedback_parts(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The answers to each question of the Probe tab."""
    parts = []
    for name, title in PROBE_QUESTIONS.items():
        mine = table[table["question"] == name].drop(columns="question")
        if len(mine):
            parts.append(show_part(title, mine, figures.overview_figure(mine, title)))
    return parts


def show_part(
    title: str,
    table: pd.DataFrame,
    figure: go.Figure | None = None,
    note: str = "",
    files: tuple[str, str] = ("", ""),
) -> dict[str, Any]:
    """{"title", "note", "columns", "rows", "more": rows left out, "figure": Plotly's data and layout or null,
    "plot", "table": what the figure and the table are called as files, "" for none}."""
    shown = json.loads(table.head(MOST_ROWS).to_json(orient="split", double_precision=3, index=False))
    return {
        "title": title,
        "note": note,
        "columns": [column_title(str(name)) for name in shown["columns"]],
        "rows": shown["data"],
        "more": max(0, len(table) - MOST_ROWS),
        "figure": json.loads(figure.to_json()) if figure and figure.data else None,
        "plot": files[0],
        "table": files[1],
    }


def _list_coefficients(table: pd.DataFrame, question: Question) -> pd.DataFrame:
    """A row for each coefficient, by its full name."""
    ordinal = question.scale == "ordinal"
    names = {
        "kappa": f"Cohen's kappa{', quadratic weights' if ordinal else ''}, mean of pairs",
        "fleiss": "Fleiss' kappa",
        "alpha": f"Krippendorff's alpha, {'ordinal' if ordinal else 'nominal'}",
        "icc": "ICC(2,1), of single readers",
    }
    rows = [
        {
            "arm": row["arm"],
            "description": row["description"] or "all",
            "coefficient": names[name],
            **{
                end: row[name + suffix] for end, suffix in (("value", ""), ("low", "_low"), ("high", "_high"))
            },
            "cases of 2 readers or more": row["n_cases"],
            "cases of all": row["n_complete"],
            "readers": row["n_readers"],
        }
        for row in table.to_dict("records")
        for name in COEFFICIENTS
        if not pd.isna(row[name])
    ]
    return pd.DataFrame(rows)


def _of(table: pd.DataFrame, question: Question) -> pd.DataFrame:
    return table[table["question"] == question.id].drop(columns="question")
