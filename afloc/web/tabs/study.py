"""The Reader study tab: sign in, read the cases, resume on any machine.

Nobody is signed in on the server: every call brings the reader's code, and what it may see is worked out
from the study and the store each time. In the unaided arm nothing the model says leaves the server.

POST /afloc/study {"code", "index"} answers with the pixels of a case, as `routes/images` does, but under no
token that another tab could ask about.
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from afloc.feedback.store.store import Saved
from afloc.feedback.studies.access import (
    describe_study,
    may_see_model,
    may_see_truth,
    show_slot,
    show_truth,
)
from afloc.feedback.studies.readings import (
    Waiting,
    answer_kind,
    give_consent,
    has_consented,
    may_edit,
    may_open,
    next_slot,
    resume,
    save_draft,
    save_once,
    save_reading,
)
from afloc.feedback.studies.schedule import schedule
from afloc.feedback.studies.study import Study
from afloc.feedback.studies.study_file import FOLDER
from afloc.web.messages import AgreeRequest, AnswerRequest, CaseRequest, DraftRequest, PlaceRequest
from afloc.web.paths import STUDY
from afloc.web.routes.feedback import answer_columns, show_saved
from afloc.web.routes.images import measures_of, pixels_response, show_pixels
from afloc.web.routes.responses import answering, describe, post_route
from afloc.web.state.study_sessions import StudySessions
from afloc.web.tabs.html import show_viewer

COORDINATORS = "Coordinators make and run studies here, with a code of their own."
DEMO = "demo"  # the study that comes with AFLoc; its codes are no secret


def study_tab(sessions: StudySessions) -> None:
    """Build the tab inside the current `gr.Blocks`."""
    store = sessions.store
    trial = sessions.studies.get(DEMO)
    hint = f"To try it: {', '.join(trial.readers.values())}." if trial and trial.folder == FOLDER else ""
    if sessions.folder is not None:
        hint += f"\n\n{COORDINATORS}"

    @answering(PlaceRequest)
    def place(request: PlaceRequest) -> dict:
        """{"title", "reader", "about"} and what `show_place` says; of a coordinator's code only {"stage"}."""
        if sessions.folder is not None and sessions.visitor(request.code).role == "coordinator":
            return {"stage": "coordinator"}
        study, reader = sessions.reader(request.code)
        shown = show_place(sessions, study, reader, request.index)
        about = describe_study(study, reader)
        return {"title": study.title, "reader": reader, "about": about} | shown

    @answering(AgreeRequest)
    def agree(request: AgreeRequest) -> dict:
        study, reader = sessions.reader(request.code)
        if not has_consented(store, study, reader):
            give_consent(store, study, reader, request.session)
        return {}

    @answering(DraftRequest)
    def draft(request: DraftRequest) -> dict:
        """{"id", "time"}."""
        study, reader = sessions.reader(request.code)

        def save() -> Saved:
            _, _, slot = sessions.open_slot(request.code, request.index)
            fields = request.model_dump(exclude={"code", "index"})
            return save_draft(store, study, reader, slot.index, **fields)

        return show_saved(save_once(store, study, reader, "draft", request.id, save))

    @answering(AnswerRequest)
    def answer(request: AnswerRequest) -> dict:
        """{"id", "time"}, and "truth" after an answer for training, as `show_truth` has it; the reader's
        answer is kept with the model's."""
        study, reader = sessions.reader(request.code)

        def save() -> Saved:
            slot = sessions.slot(study, reader, request.index)
            fields = request.model_dump(include={"id", "session", "visible_ms", "active_ms", "display"})
            found = sessions.model_answer(study, reader, slot.case)
            model = answer_columns(sessions.model, *found, study.threshold)
            answers, regions = request.answers or {}, request.regions or ()
            return save_reading(store, study, reader, slot.index, answers, regions, **fields, **model)

        kind = answer_kind(study, request.index)
        shown: dict[str, Any] = dict(show_saved(save_once(store, study, reader, kind, request.id, save)))
        slot = sessions.slot(study, reader, request.index)
        return shown | ({"truth": show_truth(slot)} if may_see_truth(study, slot) else {})

    show_viewer("study", [place, agree, draft, answer], hint=hint)


def study_routes(sessions: StudySessions) -> list[Route]:
    """The route that the pixels of a case come by."""

    def pixels(request: CaseRequest) -> Response:
        study, _, slot = sessions.open_slot(request.code, request.index)
        image, orientation = sessions.image(study, slot.case), sessions.orientation(study, slot.case)
        measures = vars(measures_of(image))
        return pixels_response(image, show_pixels(image), orientation=vars(orientation), **measures)

    return [post_route(STUDY, CaseRequest, pixels)]


def show_place(
    sessions: StudySessions, study: Study, reader: str, index: int | None = None
) -> dict[str, Any]:
    """What a reader who is signed in sees: {"stage": "consent" | "waiting" | "end" | "case", …}.

    `index`: a case they were at before; None for the one that comes next. AccessError where it is not theirs.
    """
    store = sessions.store
    if not has_consented(store, study, reader):
        return {"stage": "consent", "text": study.consent}
    slots = schedule(study, reader)
    if index is None:
        following = next_slot(store, study, reader)
        if isinstance(following, Waiting):
            return {"stage": "waiting", "until": f"{following.until.isoformat()}Z"}
        if following is None:
            last = len(slots) - 1
            back = last if may_open(store, study, reader, last) else None
            return {"stage": "end", "text": study.end, "back": back}
        slot = following
    else:
        _, _, slot = sessions.open_slot(study.readers[reader], index)
    before = slot.index - 1
    saved = resume(store, study, reader, slot.index)
    answered = index is not None and slot != next_slot(store, study, reader)
    shown = {
        "stage": "case",
        "slot": show_slot(study, slot, len(slots)),
        "back": before if study.back and may_open(store, study, reader, before) else None,
        "answered": answered,
        "open": not answered or may_edit(store, study, reader, slot.index),
        "saved": _show_reading(saved),
    }
    if not may_see_model(slot):
        return shown
    if saved is None and study.design == "unaided_then_aided":  # the same case, now with the model
        first = _show_reading(resume(store, study, reader, before))
        shown["saved"] = first | {"visible_ms": 0, "active_ms": 0}
    view, finding = sessions.model_answer(study, reader, slot.case)
    return shown | {
        "finding": describe(finding),
        "remarks": sessions.remarks(study, reader, view, finding),
        "doubt": view.doubt and view.doubt.as_json(),
    }


def _show_reading(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """A reader's own answers as their page shows them again; nothing else of the row."""
    row = row or {}
    return {
        "answers": row.get("answers") or {},
        "regions": row.get("regions") or [],
        "visible_ms": row.get("visible_ms") or 0,
        "active_ms": row.get("active_ms") or 0,
    }
