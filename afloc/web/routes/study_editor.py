"""Making and running studies from the page: everything a coordinator asks for, each as POST with their code.

POST /afloc/studies/list, new, open, save, state, delete, cases, truth, codes, progress, preview, power
{"code", …} answer with JSON; /afloc/studies/picture with a PNG, /afloc/studies/pixels with the pixels of a
case as a reader gets them. The coordinator of the page makes studies; that of a study sees and changes this
study.
"""

import hmac
import io
from collections.abc import Callable
from typing import Any

from PIL import Image as Picture
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from afloc.errors import AccessError, SettingsError
from afloc.feedback.analysis.planning import guess, plan
from afloc.feedback.studies.access import (
    Visitor,
    describe_study,
    make_code,
    may_see_model,
    may_see_truth,
    require,
    show_slot,
    show_truth,
)
from afloc.feedback.studies.new_cases import cases_of_images, cases_of_set
from afloc.feedback.studies.readings import progress
from afloc.feedback.studies.reference_standard import read_truths
from afloc.feedback.studies.schedule import schedule
from afloc.feedback.studies.study import Case, Study, read_case
from afloc.feedback.studies.study_editing import StudyEditing
from afloc.feedback.studies.study_file import FOLDER
from afloc.feedback.studies.study_folder import StudyText
from afloc.imaging.regions import Box
from afloc.web.messages import (
    AddCasesRequest,
    ChangeStudyRequest,
    CodesRequest,
    EditorRequest,
    M,
    NewStudyRequest,
    OpenStudyRequest,
    PictureRequest,
    PowerRequest,
    PreviewRequest,
    SaveStudyRequest,
    StudyStateRequest,
    TruthRequest,
)
from afloc.web.paths import EDITOR
from afloc.web.routes.images import pixels_response, show_pixels
from afloc.web.routes.responses import describe, post_route
from afloc.web.security.study_only import cookie
from afloc.web.state.dataset_runs import Sets
from afloc.web.state.study_sessions import StudySessions

LARGEST_PICTURE = 1600  # pixels of the longer side
ONLY_THE_PAGES = "Only the coordinator of the page makes and deletes studies."


def study_editor_routes(sessions: StudySessions, sets: Sets, framed: bool = False) -> list[Route]:
    """`framed`: the page stands in another site's frame."""
    if sessions.folder is None:
        return []
    folder, editing = sessions.folder, StudyEditing(sessions.folder, sessions.store)

    def enter(request: EditorRequest) -> Visitor:
        visitor = sessions.visitor(request.code)
        require(visitor.role == "coordinator")
        return visitor

    def open_file(request: OpenStudyRequest) -> StudyText:
        """The study that is asked for, if it is the visitor's to change."""
        visitor, file = enter(request), folder.open(request.name)
        require(visitor.study is None or _is_code_of(request.code, file))
        return file

    def show(file: StudyText) -> dict[str, Any]:
        return editing.describe(file)

    def list_studies(request: EditorRequest) -> dict[str, Any]:
        """{"studies": [{"name", "title", "state", "problem"}], "all": whether studies can be made, "sets",
        "template"}"""
        visitor = enter(request)
        files = [folder.open(name) for name in folder.names()]
        seen = [file for file in files if visitor.study is None or _is_code_of(request.code, file)]
        return {
            "studies": [editing.summarise(file) for file in seen],
            "all": visitor.study is None,
            "sets": sets.names(),
            "template": (FOLDER / "demo.toml").read_text(encoding="utf-8"),
        }

    def new(request: NewStudyRequest) -> dict[str, Any]:
        if enter(request).study is not None:
            raise AccessError(ONLY_THE_PAGES)
        if request.copy_of is not None:
            return show(editing.copy(request.name, request.title, folder.open(request.copy_of)))
        return show(editing.create(request.name, request.title, request.text))

    def save(request: SaveStudyRequest) -> dict[str, Any]:
        """As `open`, with "lost": the comments that went with what was removed."""
        before, of_page = open_file(request), enter(request).study is None
        values = dict(request.values)
        if not of_page and "coordinator" in before.values:
            values["coordinator"] = before.values["coordinator"]
        after, lost = editing.save(before, request.token, values, request.reason)
        return show(after) | {"lost": lost}

    def change_state(request: StudyStateRequest) -> dict[str, Any]:
        return show(editing.change_state(open_file(request), request.token, request.state))

    def delete(request: ChangeStudyRequest) -> dict[str, Any]:
        if enter(request).study is not None:
            raise AccessError(ONLY_THE_PAGES)
        editing.delete(open_file(request), request.token)
        return {}

    def add_cases(request: AddCasesRequest) -> dict[str, Any]:
        """{"cases", "names", "problems"}: cases that are not in the study yet; the page puts them there."""
        name = open_file(request).name
        uploaded, taken = sets.uploads.folder(request.set), set(request.taken)

        def keep(path):
            return folder.add_image(name, path)

        path = sets.uploads.table(request.set) if uploaded else None
        try:
            if path is not None and path.is_dir():  # images without a table
                files = [each for each in sorted(path.rglob("*")) if each.is_file()]
                found = cases_of_images(files, keep, taken)
            else:
                found = cases_of_set(sets.dataset(request.set), keep, taken, request.finding)
        finally:
            if uploaded:
                sets.uploads.drop(request.set)
        return vars(found)

    def read_table(request: TruthRequest) -> dict[str, Any]:
        """{"truths": {case: {"truth", "boxes"}}, "faults"}: the page puts them into the study, or shows what
        is wrong."""
        open_file(request)
        told = read_truths(request.table, request.cases)
        truths = {
            case: {"truth": each.truth, "boxes": [list(box) for box in each.regions if isinstance(box, Box)]}
            for case, each in told.references.items()
        }
        return {"truths": truths, "faults": list(told.faults)}

    def codes(request: CodesRequest) -> dict[str, Any]:
        enter(request)
        return {"codes": [make_code() for _ in range(request.count)]}

    def show_progress(request: OpenStudyRequest) -> dict[str, Any]:
        """{"state", "token", "readers": [{"reader", "consented", "done", "total", "last"}]}"""
        file = open_file(request)
        study = editing.sound(file)
        rows = progress(sessions.store, study) if study else []
        shown = [vars(row) | {"last": row.last and f"{row.last.isoformat()}Z"} for row in rows]
        return {"state": editing.state_of(file), "token": file.token, "readers": shown}

    def preview(request: PreviewRequest) -> dict[str, Any]:
        """What the reader's page shows, as of `tabs/study`; nothing is saved.

        "truth": what is shown after the answer, null where nothing is.
        """
        study = _sound(editing, open_file(request))
        reader = request.reader or next(iter(study.readers))
        slots = schedule(study, reader)
        about = {"title": study.title, "reader": reader, "about": describe_study(study, reader)}
        if request.index < 0:
            return about | {"stage": "consent", "text": study.consent}
        if request.index >= len(slots):
            return about | {"stage": "end", "text": study.end, "back": len(slots) - 1}
        slot = slots[request.index]
        shown = about | {
            "stage": "case",
            "slot": show_slot(study, slot, len(slots)),
            "back": request.index - 1 if request.index else None,
            "answered": False,
            "open": True,
            "saved": {"answers": {}, "regions": [], "visible_ms": 0, "active_ms": 0},
            "truth": show_truth(slot) if may_see_truth(study, slot) else None,
        }
        if not may_see_model(slot):
            return shown
        view, finding = sessions.model_answer(study, reader, slot.case)
        return shown | {
            "finding": describe(finding),
            "remarks": sessions.remarks(study, reader, view, finding),
            "doubt": view.doubt and view.doubt.as_json(),
        }

    def send_pixels(request: PreviewRequest) -> Response:
        study = _sound(editing, open_file(request))
        slots = schedule(study, request.reader or next(iter(study.readers)))
        require(0 <= request.index < len(slots))
        case = slots[request.index].case
        image, orientation = sessions.image(study, case), sessions.orientation(study, case)
        return pixels_response(image, show_pixels(image), orientation=vars(orientation))

    def send_picture(request: PictureRequest) -> Response:
        file = open_file(request)
        folder.check_images(file.name, {"cases": [{"image": request.image}]})
        image = read_case(file.path.parent, Case("", request.image, ""))
        picture = Picture.fromarray(image.rgb())
        picture.thumbnail((min(max(request.size, 16), LARGEST_PICTURE),) * 2)
        out = io.BytesIO()
        picture.save(out, "PNG")
        headers = {"Cache-Control": "no-store", "X-AFLoc-Size": f"{image.width} {image.height}"}
        return Response(out.getvalue(), media_type="image/png", headers=headers)

    def power(request: PowerRequest) -> dict[str, Any]:
        """{"rows": [[readers, cases needed or null, power or null]]}"""
        require(sessions.visitor(request.code).role == "coordinator")
        found = guess(request.area, request.positive, request.reader_range)
        table = plan(found, request.difference, cases=request.cases)
        numbers = table.astype(object).where(table.notna(), None)
        return {"rows": numbers.values.tolist()}

    def route(name: str, message: type[M], function: Callable[[M], dict[str, Any]]) -> Route:
        headers = {"Cache-Control": "no-store"}
        return post_route(
            f"{EDITOR}/{name}", message, lambda sent: JSONResponse(function(sent), 200, headers)
        )

    listing = route("list", EditorRequest, list_studies).endpoint

    async def sign_in(request: Request) -> Response:
        """As `list_studies`, with the cookie that keeps the rest of the page open to a coordinator."""
        answer = await listing(request)
        if answer.status_code == 200:
            code = (await request.json())["code"]
            answer.headers["Set-Cookie"] = cookie(code, request.url.scheme == "https", framed)
        return answer

    return [
        Route(f"{EDITOR}/list", sign_in, methods=["POST"]),
        route("new", NewStudyRequest, new),
        route("open", OpenStudyRequest, lambda request: show(open_file(request))),
        route("save", SaveStudyRequest, save),
        route("state", StudyStateRequest, change_state),
        route("delete", ChangeStudyRequest, delete),
        route("cases", AddCasesRequest, add_cases),
        route("truth", TruthRequest, read_table),
        route("codes", CodesRequest, codes),
        route("progress", OpenStudyRequest, show_progress),
        route("preview", PreviewRequest, preview),
        route("power", PowerRequest, power),
        post_route(f"{EDITOR}/pixels", PreviewRequest, send_pixels),
        post_route(f"{EDITOR}/picture", PictureRequest, send_picture),
    ]


def _is_code_of(code: str, file: StudyText) -> bool:
    """Whether it is the code of this very study's coordinator."""
    own = file.values.get("coordinator")
    own = own.strip() if isinstance(own, str) else ""
    return bool(own) & hmac.compare_digest(code.strip().encode("utf-8", "replace"), own.encode())


def _sound(editing: StudyEditing, file: StudyText) -> Study:
    study = editing.sound(file)
    if study is None:
        raise SettingsError("Please mend what is wrong first: then this can be shown.")
    return study
