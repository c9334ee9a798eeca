"""The Results tab: what was answered, for the coordinator, and its export.

A study's coordinator sees that study; the coordinator of the page (AFLOC_COORDINATOR_CODE) sees every study
and the feedback of the Probe tab. Nobody else is told anything, not even a count. Every call brings the code.
"""

import io
import json
import zipfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afloc.feedback.analysis import figures
from afloc.feedback.analysis.agreement_tables import COEFFICIENTS
from afloc.feedback.analysis.data_frames import (
    PROBE_QUESTIONS,
    double_readings,
    kept_studies,
    overview,
    study_frame,
)
from afloc.feedback.analysis.planning import guess, of_study, plan
from afloc.feedback.analysis.reading_times import explain_times
from afloc.feedback.analysis.results import analyse, explain
from afloc.feedback.export import export
from afloc.feedback.export_formats import FORMATS
from afloc.feedback.store.store import Store
from afloc.feedback.studies.access import Visitor, may_see_results, require
from afloc.feedback.studies.questions import Question
from afloc.feedback.studies.readings import progress
from afloc.feedback.studies.reference_standard import references
from afloc.feedback.studies.study import Study
from afloc.feedback.studies.versions import ALL, Selection, read_versions, select_versions
from afloc.files import temporary_folder
from afloc.web.messages import ExportRequest, PowerRequest, ResultsRequest
from afloc.web.paths import EXPORT, PLOTLY
from afloc.web.routes.responses import answering, post_route
from afloc.web.state.study_sessions import StudySessions
from afloc.web.tabs.html import show_html

PROBE = "Feedback in the Probe tab"
PLANNED = (
    "Cases needed for a power of 0.8 at the 5% level, where every reader reads every case with and without "
    "the model; readers and cases are samples."
)
MOST_ROWS = 200  # of a table on the page; the export has all


def results_tab(sessions: StudySessions) -> None:
    """Build the tab inside the current `gr.Blocks`."""
    analysed = _remember(sessions.store)

    @answering(ResultsRequest)
    def results(request: ResultsRequest) -> dict:
        """{"choices", "study", "versions", "version", "notes", "parts"}.

        `choices` are [id, title] of what may be seen, `versions` [name, title] of the study where it was read
        in several; a part is what `_part` makes.
        """
        visitor, known = _enter(sessions, request.code)
        choices = [[name, study.title] for name, study in known.items() if may_see_results(visitor, name)]
        if may_see_results(visitor, None):
            choices.append(["", PROBE])
        chosen = choices[0][0] if request.study is None else request.study
        require(may_see_results(visitor, chosen or None) and chosen in dict(choices))
        study = known.get(chosen)
        shown: dict[str, Any] = {
            "choices": choices,
            "study": chosen,
            "versions": [],
            "version": "",
            "notes": [],
        }
        if may_see_results(visitor, None):
            shown["notes"] = sessions.store.notices + (
                [sessions.store.problem] if sessions.store.problem else []
            )
        if study is None:
            return shown | {"parts": analysed(None, "", sessions.store.last_seq)["parts"]}
        found = analysed(study.id, request.version or "", sessions.store.last_seq)
        notes = shown["notes"] + double_readings(sessions.store, study.id) + found["notes"]
        return shown | found | {"notes": notes, "parts": _show_progress(sessions, study) + found["parts"]}

    @answering(PowerRequest)
    def power(request: PowerRequest) -> dict:
        """A part as `_part` makes it: how many cases so many readers need."""
        visitor, known = _enter(sessions, request.code)
        if request.pilot:
            require(may_see_results(visitor, request.pilot) and request.pilot in known)
            selected = select_versions(sessions.store, request.pilot)
            frame = study_frame(sessions.store, selected.study, selected.versions)
            found = of_study(selected.study, frame, references(sessions.store, selected.study))
        else:
            found = guess(request.area, request.positive, request.reader_range)
        table = plan(found, request.difference, cases=request.cases)
        return _part("", table.dropna(axis=1, how="all"), note=PLANNED)

    show_html("results", [results, power], formats=list(FORMATS))


def results_routes(sessions: StudySessions) -> list[Route]:
    """POST /afloc/export {"code", "study" or "", "format", "version" (of iMRMC) or null}: a ZIP file of the
    export and what explains it."""

    def pack(request: ExportRequest) -> Response:
        visitor, known = _enter(sessions, request.code)
        study, format = request.study or None, request.format
        require(may_see_results(visitor, study) and (study is None or study in known) and format in FORMATS)
        name = f"{study or 'afloc'}{FORMATS[format]}"
        out = io.BytesIO()
        with temporary_folder() as folder, zipfile.ZipFile(out, "w") as archive:
            for path in export(sessions.store, folder / name, format, study, request.version or None):
                archive.write(path, path.name, zipfile.ZIP_DEFLATED)
        return Response(out.getvalue(), media_type="application/zip", headers={"Cache-Control": "no-store"})

    async def send_plotly(_: Request) -> Response:
        cached = {"Cache-Control": "public, max-age=86400"}
        return Response(get_plotlyjs(), media_type="text/javascript", headers=cached)

    return [post_route(EXPORT, ExportRequest, pack), Route(PLOTLY, send_plotly)]


def _enter(sessions: StudySessions, code: str) -> tuple[Visitor, dict[str, Study]]:
    """Who asks, and every study that has a file or answers; AccessError for anyone but a coordinator."""
    visitor = sessions.visitor(code)
    require(visitor.role == "coordinator")
    return visitor, {**kept_studies(sessions.store), **sessions.studies}


def _remember(store: Store) -> Callable[[str | None, str, int], dict[str, Any]]:
    """The parts of a study (None: of the Probe tab), worked out anew only after something was saved."""

    @lru_cache(8)
    def analysed(study_id: str | None, version: str, _last_seq: int) -> dict[str, Any]:
        if study_id is None:
            return {"parts": _show_feedback(overview(store))}
        if study_id not in kept_studies(store):
            return {"notes": [], "parts": []}
        selected = select_versions(store, study_id, version)
        return {
            "versions": _name_versions(store, study_id),
            "version": version,
            **_show_study(store, selected),
        }

    return analysed


def _show_feedback(table: pd.DataFrame) -> list[dict[str, Any]]:
    parts = []
    for name, title in PROBE_QUESTIONS.items():
        mine = table[table["question"] == name].drop(columns="question")
        if len(mine):
            parts.append(_part(title, mine, figures.overview_figure(mine, title)))
    return parts


def _name_versions(store: Store, study_id: str) -> list[list[str]]:
    """[name, title] of what can be chosen, the newest version first; nothing where there is one alone."""
    read = [each for each in read_versions(store, study_id) if each.readings]
    if len(read) < 2:
        return []
    titles = [
        [each.name, f"{each.name or 'unknown'}, {each.readings:,} readings" + (" (newest)" if n == 0 else "")]
        for n, each in enumerate(reversed(read))
    ]
    titles[0][0] = ""
    return [*titles, [ALL, "all, pooled"]]


def _show_progress(sessions: StudySessions, study: Study) -> list[dict[str, Any]]:
    if study.id not in sessions.studies:
        return []
    rows = [
        {
            "reader": each.reader,
            "agreed": "yes" if each.consented else "no",
            "done": each.done,
            "of": each.total,
            "last answer (UTC)": f"{each.last:%Y-%m-%d %H:%M}" if each.last else "",
        }
        for each in progress(sessions.store, study)
    ]
    return [_part("Progress", pd.DataFrame(rows))]


def _show_study(store: Store, selected: Selection) -> dict[str, Any]:
    """{"notes", "parts"}"""
    study = selected.study
    frame = study_frame(store, study, selected.versions)
    if frame.empty:
        return {"notes": list(selected.notes), "parts": []}
    found = analyse(study, frame, references(store, study))
    parts = []
    for question in study.scaled_questions:
        figure = figures.counts_figure(found.counts, question)
        parts.append(_part(question.text, _of(found.counts, question), figure))
    for question in study.scaled_questions:
        figure = figures.agreement_figure(found.pairs, question)
        table = _list_coefficients(_of(found.agreement, question), question)
        parts.append(_part(f"Agreement: {question.text}", table, figure))
    parts.append(_part("Readers against themselves, on repeated cases", found.repeated))
    for table, figure, note in (
        (found.overlaps, figures.overlap_figure(found.overlaps), ""),
        (found.times, figures.times_figure(found.times), explain_times(study)),
        (found.roc, figures.roc_figure(found.curves, found.roc), ""),
    ):
        parts.append(_part(figure.layout.title.text, table, figure, note))
    parts.append(_part("The difference that the aid makes: multi-reader multi-case analysis", found.mrmc))
    parts.append(_part("Sensitivity and specificity, and LROC where regions are drawn", found.accuracy))
    notes = [*selected.notes, *explain(study, frame)]
    return {"notes": notes, "parts": [part for part in parts if part["rows"]]}


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


def _part(title: str, table: pd.DataFrame, figure: go.Figure | None = None, note: str = "") -> dict[str, Any]:
    """{"title", "note", "columns", "rows", "more": rows left out, "figure": Plotly's data and layout, or
    null}."""
    shown = json.loads(table.head(MOST_ROWS).to_json(orient="split", double_precision=3, index=False))
    return {
        "title": title,
        "note": note,
        "columns": [str(name).replace("_", " ") for name in shown["columns"]],
        "rows": shown["data"],
        "more": max(0, len(table) - MOST_ROWS),
        "figure": json.loads(figure.to_json()) if figure and figure.data else None,
    }
