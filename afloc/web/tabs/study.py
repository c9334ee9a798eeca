"""The Reader study tab: sign in, read the cases, resume on any machine.

Nobody is signed in on the server: every call brings the reader's code, and what it may see is worked out
from the study and the store each time. In the unaided arm nothing the model says leaves the server.

POST /afloc/study {"code", "index"} answers with the pixels of a case, as `uploads` does, but under no token
that another tab could ask about.
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from afloc.feedback.store.store import Saved
from afloc.feedback.studies.access import may_see_model, show_slot
from afloc.feedback.studies.readings import (
    Waiting,
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
from afloc.web.routes.feedback import answer_columns, show_saved
from afloc.web.routes.images import pixels_response
from afloc.web.routes.responses import answering, describe, post_route
from afloc.web.state.desk import Desk
from afloc.web.tabs.html import show_viewer

PATH = "/afloc/study"
DEMO = "demo"  # the study that comes with AFLoc; its codes are no secret


def study_tab(desk: Desk) -> None:
    """Build the tab inside the current `gr.Blocks`."""
    store = desk.store
    trial = desk.studies.get(DEMO)
    hint = f"To try it: {', '.join(trial.readers.values())}." if trial and trial.folder == FOLDER else ""

    @answering
    def place(said: dict) -> dict:
        """{"code", "index" or null} to {"title", "reader"} and what `show_place` says."""
        study, reader = desk.reader(said)
        return {"title": study.title, "reader": reader} | show_place(desk, study, reader, said.get("index"))

    @answering
    def agree(said: dict) -> dict:
        study, reader = desk.reader(said)
        if not has_consented(store, study, reader):
            give_consent(store, study, reader, said.get("session"))
        return {}

    @answering
    def draft(said: dict) -> dict:
        """{"code", "id", "session", "index", "answers", "regions", "visible_ms"} to {"id", "time"}."""
        study, reader = desk.reader(said)

        def save() -> Saved:
            _, _, slot = desk.open_slot(said)
            fields = {name: said.get(name) for name in ("id", "session", "answers", "regions", "visible_ms")}
            return save_draft(store, study, reader, slot.index, **fields)

        return show_saved(save_once(store, study, reader, "draft", said.get("id"), save))

    @answering
    def answer(said: dict) -> dict:
        """The same with `display`: the reader's answer, kept with what the model said."""
        study, reader = desk.reader(said)

        def save() -> Saved:
            slot = desk.slot(study, reader, said.get("index"))
            fields = {name: said.get(name) for name in ("id", "session", "visible_ms", "display")}
            model = answer_columns(desk.model, *desk.look(study, slot.case), study.threshold)
            given = said.get("answers") or {}, said.get("regions") or ()
            return save_reading(store, study, reader, slot.index, *given, **fields, **model)

        return show_saved(save_once(store, study, reader, "reading", said.get("id"), save))

    show_viewer("study", [place, agree, draft, answer], hint=hint)


def study_routes(desk: Desk) -> list[Route]:
    """The route that the pixels of a case come by."""

    def pixels(said: Mapping[str, Any]) -> Response:
        study, _, slot = desk.open_slot(said)
        return pixels_response(desk.image(study, slot.case))

    return [post_route(PATH, pixels)]


def show_place(desk: Desk, study: Study, reader: str, index: int | None = None) -> dict[str, Any]:
    """What a reader who is signed in sees: {"stage": "consent" | "waiting" | "end" | "case", …}.

    `index`: a case they were at before; None for the one that comes next. AccessError where it is not theirs.
    """
    store = desk.store
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
        _, _, slot = desk.open_slot({"code": study.readers[reader], "index": index})
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
        shown["saved"] = _show_reading(resume(store, study, reader, before)) | {"visible_ms": 0}
    _, finding = desk.look(study, slot.case)
    return shown | {"finding": describe(finding)}


def _show_reading(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """A reader's own answers as their page shows them again; nothing else of the row."""
    row = row or {}
    return {
        "answers": row.get("answers") or {},
        "regions": row.get("regions") or [],
        "visible_ms": row.get("visible_ms") or 0,
    }
