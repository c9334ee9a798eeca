"""Feedback in the Probe tab: what a reader says of an answer, kept with all that the answer was.

The page sends what the reader says; the model answers here again, so that nothing of its answer is taken from
the page.
"""

import uuid
from collections.abc import Callable
from typing import Any

from afloc.errors import AccessError, StoreError
from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Saved, Store
from afloc.inference.finding import Finding
from afloc.inference.model import Model
from afloc.inference.view import View
from afloc.web.messages import PLACES, FeedbackRequest, Judgement, WithdrawRequest
from afloc.web.routes.responses import GONE, answering
from afloc.web.security.oauth import user
from afloc.web.state.fair_queue import FairQueue
from afloc.web.state.open_images import OpenImages


def feedback_functions(
    model: Model, open_images: OpenImages, queue: FairQueue, store: Store
) -> list[Callable[[object], dict]]:
    """The server functions `feedback` and `withdraw`, which the Probe tab's script calls."""

    @answering(FeedbackRequest)
    def feedback(request: FeedbackRequest) -> dict:
        """{"id", "time"}. {"gone": true}: send the image again."""
        if saved := _find_saved(store, request, "feedback"):
            return show_saved(saved)
        opened = open_images.get(request.token)
        if opened is None:
            return GONE
        with queue.turn(request.token):
            view = opened.view(model, request.modality)
            finding = view.locate(request.description)
        return show_saved(save_feedback(store, model, view, finding, request, user.get()))

    @answering(WithdrawRequest)
    def withdraw(request: WithdrawRequest) -> dict:
        """{"id", "time"}."""
        if saved := _find_saved(store, request, "withdrawal"):
            return show_saved(saved)
        replaced = own_row(store, request)
        event = Event(
            "withdrawal", session=request.session, reader=user.get(), replaces=replaced, id=request.id or ""
        )
        return show_saved(store.record(event))

    return [feedback, withdraw]


def save_feedback(
    store: Store, model: Model, view: View, finding: Finding, judgement: Judgement, reader: str | None = None
) -> Saved:
    """Save what a reader says of `finding`, the model's answer; returns after the commit."""
    there, place, agreement = both_ways(judgement, finding)
    said = {"agreement": agreement, "confidence": judgement.confidence}
    event = Event(
        "feedback",
        session=judgement.session,
        reader=reader,
        description=finding.text,
        answers={name: value for name, value in said.items() if value is not None},
        there=there,
        place=place,
        comment=judgement.comment,
        regions=judgement.regions,
        display=judgement.display,
        visible_ms=judgement.visible_ms,
        replaces=own_row(store, judgement) if judgement.replaces else None,
        id=judgement.id or "",
        **answer_columns(model, view, finding, judgement.threshold),
    )
    return store.record(event)


def both_ways(judgement: Judgement, finding: Finding) -> tuple[str | None, str | None, str | None]:
    """What a reader said, as `there` and `place` and as `agreement`, whichever of them was given.

    `agreement` means what it always did: yes, the answer and the place are right; partly, some of it is;
    elsewhere, it is there but not where the answer has it, or though the answer has it nowhere; absent, it is
    not there. It is None of a reader who is unsure, or says nothing of a place that is shown.
    """
    there, place, agreement = judgement.there, judgement.place, judgement.agreement
    answered_there = not finding.holds if finding.says_normal else finding.present is not False
    if there is None and place is None:
        there = {"yes": "yes" if answered_there else "no", "absent": "no"}.get(str(agreement), "yes")
        shown = there == "yes" and not finding.says_normal
        place = agreement if shown and agreement in PLACES else None
    elif there == "no":
        agreement, place = "absent", None
    elif there != "unsure":
        agreement = place or (None if answered_there else "elsewhere")
    return there, place, agreement


def answer_columns(model: Model, view: View, finding: Finding, threshold: float) -> dict[str, Any]:
    """The columns of an `Event` that say on which image the model answered what; not the description."""
    if type(threshold) not in (int, float) or not 0 <= threshold <= 1:
        raise StoreError("Not saved: the threshold of the map is a number from 0 to 1.")
    said = finding.as_json()
    return {
        "image_digest": view.image.digest,
        "image_width": view.image.width,
        "image_height": view.image.height,
        "modality": view.modality,
        "model": f"{model.name} {model.config.version}",
        "model_fingerprint": model.fingerprint,
        "protocol": view.protocol,
        "threshold": threshold,
        "score": finding.score,
        "probability": finding.probability,
        "present": finding.present,
        "asked": said["asked"],
        "holds": finding.holds,
        "side": said["side"],
        "doubt": view.doubt.degree if view.doubt else "none",
        "model_regions": [region.as_json() for region in finding.regions(threshold)],
    }


def show_saved(saved: Saved) -> dict[str, str]:
    """What the page is told of a row that is on the disk; the time in ISO 8601, UTC."""
    return {"id": saved.id, "time": f"{saved.time.isoformat(timespec='milliseconds')}Z"}


def _find_saved(store: Store, request: FeedbackRequest | WithdrawRequest, kind: str) -> Saved | None:
    """The row of this session that was sent before, under the same id."""
    return store.find(request.id, kind=kind, session=str(request.session))


def own_row(store: Store, request: Judgement | WithdrawRequest) -> str:
    """The id in `replaces`; AccessError unless feedback of the same session has it."""
    try:
        name = str(uuid.UUID(request.replaces))
    except ValueError:
        raise AccessError("There is no such feedback to change.") from None
    query = "SELECT 1 FROM events WHERE kind = 'feedback' AND id = ? AND session = ?"
    if not request.session or not store.rows(query, [name, request.session]):
        raise AccessError("There is no such feedback to change.")
    return name
