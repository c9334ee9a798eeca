"""The Reader study tab: sign in, read the cases, resume on any machine.

Nobody is signed in on the server: every call brings the reader's code, and what it may see is worked out
from the study and the store each time. In the unaided arm nothing the model says leaves the server.

POST /afloc/study {"code", "index"} answers with the pixels of a case, as `uploads` does, but under no token
that another tab could ask about.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from afloc.errors import AccessError
from afloc.feedback.access import Visitor, may_read, may_see_model, require, show_slot, sign_in
from afloc.feedback.readings import (
    Waiting,
    give_consent,
    has_consented,
    may_edit,
    may_open,
    next_slot,
    require_open,
    resume,
    save_draft,
    save_once,
    save_reading,
)
from afloc.feedback.schedule import Slot, schedule
from afloc.feedback.store import Saved, Store
from afloc.feedback.study import FOLDER, Case, Study, load_image
from afloc.images import Image
from afloc.locate import Finding, Model, View
from afloc.web.answers import answering, describe, post_route
from afloc.web.feedback import answer_columns, show_saved
from afloc.web.limits import Limit, wrong_tries
from afloc.web.uploads import pixels_response
from afloc.web.viewer import show_viewer

PATH = "/afloc/study"
DEMO = "demo"  # the study that comes with AFLoc; its codes are no secret
IMAGES_KEPT = 4
SCRIPTS = ("images.js", "keysheet.js", "verdict.js", "reading.js", "questions.js")
STYLES = ("probe.css", "sheet.css", "feedback.css", "card.css")


@dataclass(frozen=True)
class Desk:
    """Where readers sign in: the studies by id, the store, and the model that aids them.

    `page_code`: the coordinator's of the whole page, or None.
    """

    model: Model
    studies: Mapping[str, Study]
    store: Store
    page_code: str | None = None
    tries: Limit = field(default_factory=wrong_tries, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "_read", lru_cache(IMAGES_KEPT)(self._load))

    def visitor(self, said: Mapping[str, Any]) -> Visitor:
        """Who has the code in `said`; AccessError for nobody, and for a new one after too many wrong."""
        code = said.get("code")
        with self.tries.attempt(code):
            return sign_in(code, self.studies.values(), self.page_code)

    def reader(self, said: Mapping[str, Any]) -> tuple[Study, str]:
        """The study and the name of the reader whose code is in `said`; AccessError for any other code."""
        visitor = self.visitor(said)
        if visitor.role == "coordinator":
            raise AccessError("This is a coordinator's code: progress and results are in the Results tab.")
        require(may_read(visitor, visitor.study, visitor.reader))
        return self.studies[visitor.study], visitor.reader

    def open_slot(self, said: Mapping[str, Any]) -> tuple[Study, str, Slot]:
        """The case `said["index"]` of the reader; AccessError where it is not open to them."""
        study, reader = self.reader(said)
        slot = self.slot(study, reader, said.get("index"))
        require_open(self.store, study, reader, slot.index)
        return study, reader, slot

    def slot(self, study: Study, reader: str, index: Any) -> Slot:
        """The case `index` of a reader who agreed to take part, open to them or not; AccessError for none."""
        slots = schedule(study, reader)
        require(type(index) is int and 0 <= index < len(slots) and has_consented(self.store, study, reader))
        return slots[index]

    def image(self, study: Study, case: Case) -> Image:
        return self._read(study.id, case.id)

    def look(self, study: Study, case: Case) -> tuple[View, Finding]:
        """What the model makes of a case."""
        view = self.model.encode(self.image(study, case), modality=case.modality)
        return view, view.locate(case.description)

    def _load(self, study_id: str, case_id: str) -> Image:
        study = self.studies[study_id]
        return load_image(study, study.case(case_id))


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

    show_viewer("study", [place, agree, draft, answer], SCRIPTS, STYLES, hint=hint)


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
