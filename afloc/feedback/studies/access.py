"""Who sees what.

Anyone may give feedback. A reader signs in with a code and sees their own cases and answers. A coordinator
sees everybody's progress, the results and the export of their study. Results over all feedback are for the
coordinator of the whole page (the setting AFLOC_COORDINATOR_CODE).
"""

import hmac
import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afloc.errors import AccessError
from afloc.feedback.studies.schedule import AIDED, TRAINING, Slot, schedule, training_slots
from afloc.feedback.studies.study import CLOSED, DRAFT, OPEN, PAUSED, Study
from afloc.files import folder_beside

NOT_OPEN = {
    DRAFT: "This study has not begun yet: please come back when you are told that it has.",
    PAUSED: "This study is paused. What you answered is kept; please come back later.",
    CLOSED: "This study is closed. Thank you for taking part.",
}
_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # none that looks like another
_CODE_FILE = ".coordinator-code"


@dataclass(frozen=True)
class Visitor:
    """Somebody at the page. `role`: anonymous, reader or coordinator; `study` None: of the whole page."""

    role: str = "anonymous"
    study: str | None = None
    reader: str | None = None


def sign_in(
    code: str, studies: Iterable[Study], page_code: str | None = None, drafts: Mapping[str, str] | None = None
) -> Visitor:
    """Who a code stands for; AccessError where it stands for nobody.

    `drafts`: the coordinators' codes of the drafts that are no studies yet, by the name of the file; such a
    coordinator's `Visitor.study` is that name behind a colon, which no study has for its id.

    Every code is compared, each in constant time, so that the answer's delay tells nothing.
    """
    found = Visitor()
    if _same(code, page_code or ""):
        found = Visitor("coordinator")
    for study in studies:
        if _same(code, study.coordinator):
            found = Visitor("coordinator", study.id)
        for name, expected in study.readers.items():
            if _same(code, expected):
                found = Visitor("reader", study.id, name)
    for draft, expected in (drafts or {}).items():
        if _same(code, expected):
            found = Visitor("coordinator", f":{draft}")
    if found.role == "anonymous":
        raise AccessError("No reader and no coordinator has this code: check it and try again.")
    return found


def may_read(visitor: Visitor, study: str, reader: str) -> bool:
    """Take part in `study` as `reader`, and see that reader's own answers."""
    return visitor == Visitor("reader", study, reader)


def may_see_results(visitor: Visitor, study: str | None) -> bool:
    """See the progress, the results and the export of `study`, or of everything (None)."""
    return visitor.role == "coordinator" and visitor.study in (None, study)


def require_open(study: Study) -> None:
    """AccessError, with the reason, unless readers may read the study now."""
    if study.state != OPEN:
        raise AccessError(NOT_OPEN[study.state])


def make_code() -> str:
    """A code that cannot be guessed (some 78 bits) and can be typed: four groups of four letters."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def keep_code(folder: Path) -> str | None:
    """The code of the page's coordinator that lies in the folder of the studies, made where there is none.

    So all processes that share the folder have one code, and who may read the server's files knows it. None
    where it cannot be kept.
    """
    path = folder / _CODE_FILE
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with folder_beside(path) as beside:
                made = beside / path.name
                made.touch(mode=0o600)
                made.write_text(make_code() + "\n", encoding="utf-8")
                with suppress(FileExistsError):  # another process was faster
                    os.link(made, path)
        return path.read_text(encoding="utf-8").strip() or None
    return None


def may_see_model(slot: Slot) -> bool:
    """See the model's map, score and verdict on a case."""
    return slot.arm == AIDED


def may_see_truth(study: Study, slot: Slot) -> bool:
    """See the reference standard of a case, after the answer to it: of training cases, if the study wants it.

    Where a case is read unaided and then aided, after the second answer.
    """
    if not study.training_feedback or slot.period != TRAINING:
        return False
    return not any(case == slot.case for case, _ in training_slots(study)[slot.index + 1 :])


def show_truth(slot: Slot) -> dict[str, Any]:
    """{"truth" (None where it is not known), "regions", "explanation"} of a case."""
    case = slot.case
    boxes = [box.as_json() for box in case.boxes]
    return {"truth": case.truth, "regions": boxes, "explanation": case.explanation}


def describe_study(study: Study, reader: str) -> dict[str, Any]:
    """What a reader is told of the study before they begin: whose it is, whom to ask, and how much there is.

    `minutes`: 0 where the study does not say. `training`, `cases`: how many answers of each are asked for.
    """
    trained, total = len(training_slots(study)), len(schedule(study, reader))
    return {
        "by": study.by,
        "contact": study.contact,
        "minutes": study.minutes,
        "training": trained,
        "cases": total - trained,
        "feedback": study.training_feedback,
    }


def require(allowed: bool) -> None:
    """AccessError unless allowed."""
    if not allowed:
        raise AccessError("This is not yours to see: sign in with a code that allows it.")


def show_slot(study: Study, slot: Slot, total: int) -> dict[str, Any]:
    """All that a reader's page may be told of a case beside its pixels.

    Not the case's id, its file, its truth, whether it is a repeat, or the other arm. `number` and `of` count
    the training cases and those that count apart.
    """
    trained = len(training_slots(study))
    training = slot.period == TRAINING
    return {
        "index": slot.index,
        "total": total,
        "training": training,
        "number": slot.index + 1 if training else slot.index + 1 - trained,
        "of": trained if training else total - trained,
        "arm": slot.arm,
        "description": slot.case.description,
        "questions": [vars(question) | {"labels": list(question.labels)} for question in study.questions],
        "back": study.back,
        "edit": study.edit,
    }


def _same(given: str, expected: str) -> bool:
    given = given.strip() if isinstance(given, str) else ""
    return bool(expected) & hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
