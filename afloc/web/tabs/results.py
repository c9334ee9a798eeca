"""The Results tab: what was answered, for the coordinator, and its export.

A study's coordinator sees that study; the coordinator of the page (AFLOC_COORDINATOR_CODE) sees every study
and the feedback of the Probe tab. Nobody else is told anything, not even a count. Every call brings the code.
"""

import io
import zipfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pandas as pd
from plotly.offline import get_plotlyjs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afloc.errors import DataError
from afloc.evaluation.figures.style import KINDS, draw
from afloc.feedback import erasure
from afloc.feedback.analysis.data_frames import kept_studies, overview, study_frame
from afloc.feedback.analysis.planning import guess, of_study, plan
from afloc.feedback.export import export
from afloc.feedback.export_formats import FORMATS
from afloc.feedback.publication.package import package
from afloc.feedback.publication.report import Publication, gather, write_report
from afloc.feedback.publication.study_plots import TITLES as PLOTS
from afloc.feedback.publication.study_plots import plot
from afloc.feedback.publication.tables import tables_of
from afloc.feedback.store.store import Store
from afloc.feedback.studies.access import Visitor, may_see_results, require
from afloc.feedback.studies.readings import progress
from afloc.feedback.studies.reference_standard import references
from afloc.feedback.studies.study import Study
from afloc.feedback.studies.versions import ALL, read_versions, select_versions
from afloc.files import temporary_folder
from afloc.web.messages import EraseRequest, ExportRequest, PowerRequest, ResultsRequest
from afloc.web.paths import EXPORT, PLOTLY
from afloc.web.routes.responses import answering, post_route
from afloc.web.state.study_sessions import StudySessions
from afloc.web.tabs.html import show_html
from afloc.web.tabs.result_parts import feedback_parts, show_part, study_parts

PROBE = "Feedback in the Probe tab"
PLANNED = (
    "Cases needed for a power of 0.8 at the 5% level, where every reader reads every case with and without "
    "the model; readers and cases are samples."
)
PUBLISHED = KINDS | {"table": "text/csv", "report": "text/html", "package": "application/zip"}
"""What is published of a study, with its media type: a figure of each kind, a table, and the whole."""


def results_tab(sessions: StudySessions) -> None:
    """Build the tab inside the current `gr.Blocks`."""
    analysed = _remember(sessions.store)

    @answering(ResultsRequest)
    def results(request: ResultsRequest) -> dict:
        """{"choices", "study", "versions", "version", "key", "notes", "parts", "erasable"}.

        `choices` are [id, title] of what may be seen, `versions` [name, title] of the study where it was read
        in several, `key` the key figures ({"label", "value", "detail"}); a part is what `show_part` makes;
        `erasable` the readers and cases whose rows can be erased.
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
            "key": [],
            "notes": [],
            "erasable": {"readers": [], "cases": []},
        }
        if may_see_results(visitor, None):
            shown["notes"] = sessions.store.notices + (
                [sessions.store.problem] if sessions.store.problem else []
            )
        if study is None:
            return shown | {"parts": analysed(None, "", sessions.store.last_seq)["parts"]}
        found = analysed(study.id, request.version or "", sessions.store.last_seq)
        notes = shown["notes"] + found["notes"] + erasure.erasures(sessions.store, study.id)
        shown["erasable"] = {"readers": list(study.readers), "cases": [case.id for case in study.cases]}
        return shown | found | {"notes": notes, "parts": _show_progress(sessions, study) + found["parts"]}

    @answering(PowerRequest)
    def power(request: PowerRequest) -> dict:
        """A part as `show_part` makes it: how many cases so many readers need."""
        visitor, known = _enter(sessions, request.code)
        if request.pilot:
            require(may_see_results(visitor, request.pilot) and request.pilot in known)
            selected = select_versions(sessions.store, request.pilot)
            frame = study_frame(sessions.store, selected.study, selected.versions)
            found = of_study(selected.study, frame, references(sessions.store, selected.study))
        else:
            found = guess(request.area, request.positive, request.reader_range)
        table = plan(found, request.difference, cases=request.cases)
        return show_part("", table.dropna(axis=1, how="all"), note=PLANNED)

    @answering(EraseRequest)
    def erase(request: EraseRequest) -> dict:
        """{"rows", "said", "key", "done"}: what would be erased, or, where the request has its key, is."""
        visitor, known = _enter(sessions, request.code)
        require(may_see_results(visitor, request.study) and request.study in known)
        store = sessions.store
        if request.reader:
            wanted = erasure.of_reader(store, request.reader, request.study)
        else:  # of the image everywhere, where the whole page is one's own
            digests = erasure.digests_of_case(store, request.study, request.case)
            wanted = erasure.of_image(store, digests, visitor.study)
        done = bool(wanted.rows) and request.counted == wanted.key
        if done:
            erasure.erase(store, wanted)
        return {"rows": wanted.rows, "said": str(wanted), "key": wanted.key, "done": done}

    show_html("results", [results, power, erase], formats=list(FORMATS))


def results_routes(sessions: StudySessions) -> list[Route]:
    """POST /afloc/export {"code", "study" or "", "format", "version" or null, "name"}: a ZIP file of the
    export and what explains it; or one of PUBLISHED."""

    def pack(request: ExportRequest) -> Response:
        visitor, known = _enter(sessions, request.code)
        study, format = request.study or None, request.format
        require(may_see_results(visitor, study) and (study is None or study in known))
        if study is not None and format in PUBLISHED:
            published = _gather(sessions.store, study, request.version or "", sessions.store.last_seq)
            return _send(_publish(sessions.store, published, format, request.name), PUBLISHED[format])
        require(format in FORMATS)
        name = f"{study or 'afloc'}{FORMATS[format]}"
        out = io.BytesIO()
        with temporary_folder() as folder, zipfile.ZipFile(out, "w") as archive:
            for path in export(sessions.store, folder / name, format, study, request.version or None):
                archive.write(path, path.name, zipfile.ZIP_DEFLATED)
        return _send(out.getvalue(), "application/zip")

    async def send_plotly(_: Request) -> Response:
        cached = {"Cache-Control": "public, max-age=86400"}
        return Response(get_plotlyjs(), media_type="text/javascript", headers=cached)

    return [post_route(EXPORT, ExportRequest, pack), Route(PLOTLY, send_plotly)]


@lru_cache(4)
def _gather(store: Store, study_id: str, version: str, _last_seq: int) -> Publication:
    """Worked out anew only after something was saved."""
    return gather(store, study_id, version)


def _publish(store: Store, published: Publication, format: str, name: str) -> bytes:
    """One of PUBLISHED; `name`: of the figure or the table. DataError for one that the study has not."""
    if format == "package":
        return package(store, published)
    if format == "report":
        return write_report(store, published).html().encode()
    if format == "table":
        found = (tables_of(published.found) | {"flow": published.flow}).get(name)
        content = None if found is None else found.to_csv(index=False).encode()
    else:
        drawn = draw(lambda: plot(name, published.found), format) if name in PLOTS else None
        content = drawn
    if content is None:
        raise DataError(
            f"There is no {'table' if format == 'table' else 'figure'} of this name in the study."
        )
    return content


def _send(content: bytes, kind: str) -> Response:
    return Response(content, media_type=kind, headers={"Cache-Control": "no-store"})


def _enter(sessions: StudySessions, code: str) -> tuple[Visitor, dict[str, Study]]:
    """Who asks, and every study that has a file or answers; AccessError for anyone but a coordinator."""
    visitor = sessions.visitor(code)
    require(visitor.role == "coordinator")
    return visitor, {**kept_studies(sessions.store), **sessions.studies}


def _remember(store: Store) -> Callable[[str | None, str, int], dict[str, Any]]:
    """The parts of a study (None: of the Probe tab), worked out anew only after something was saved."""

    @lru_cache(8)
    def analysed(study_id: str | None, version: str, last_seq: int) -> dict[str, Any]:
        if study_id is None:
            return {"parts": feedback_parts(overview(store))}
        if study_id not in kept_studies(store):
            return {"notes": [], "parts": []}
        published = _gather(store, study_id, version, last_seq)
        shown = {"versions": _name_versions(store, study_id), "version": version}
        if published.frame.empty:
            return shown | {"notes": list(published.notes), "parts": []}
        key = [vars(figure) for figure in published.key_figures]
        return shown | {"key": key, "notes": list(published.notes), "parts": study_parts(published)}

    return analysed


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
    return [show_part("Progress", pd.DataFrame(rows), files=("", "flow"))]
