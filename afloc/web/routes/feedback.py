"""Feedback in the Probe tab: what a reader says of an answer, kept with all that the answer was.

The page sends what was said; what the model answered is worked out here again, not taken from the page.
"""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from afloc.errors import AccessError, StoreError
from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Saved, Store
from afloc.inference.finding import Finding
from afloc.inference.model import Model
from afloc.inference.view import View
from afloc.web.routes.responses import GONE, answering, read_description
from afloc.web.security.oauth import user
from afloc.web.state.open_images import ImageStore

AGREEMENTS = ("yes", "partly", "elsewhere", "absent")
MOST_CONFIDENT = 5


def feedback_functions(model: Model, images: ImageStore, store: Store) -> list[Callable[[dict], dict]]:
    """The server functions `feedback` and `withdraw`, which the Probe tab's script calls."""

    @answering
    def feedback(said: dict) -> dict:
        """{"token", "modality" or null, "description", …} as `save_feedback` takes it, to {"id", "time"}.

        {"gone": true}: send the image again.
        """
        if saved := _find_saved(store, said, "feedback"):
            return show_saved(saved)
        opened = images.get(str(said.get("token")))
        if opened is None:
            return GONE
        view = opened.view(model, said.get("modality"))
        return show_saved(save_feedback(store, model, view, said, user.get()))

    @answering
    def withdraw(said: dict) -> dict:
        """{"id", "session", "replaces"} to {"id", "time"}: takes back the row `replaces` of the session."""
        if saved := _find_saved(store, said, "withdrawal"):
            return show_saved(saved)
        replaced = own_row(store, said)
        event = Event(
            "withdrawal", session=said["session"], reader=user.get(), replaces=replaced, id=said.get("id")
        )
        return show_saved(store.record(event))

    return [feedback, withdraw]


def save_feedback(
    store: Store, model: Model, view: View, said: Mapping[str, Any], reader: str | None = None
) -> Saved:
    """Save feedback on the model's answer to `said["description"]`; returns after the commit.

    `said`: description, agreement (one of `AGREEMENTS`), confidence (1 to 5), comment, regions, threshold,
    display, visible_ms, session, id, and in `replaces` the row of the same session that this one corrects.
    """
    agreement, confidence = said.get("agreement"), said.get("confidence")
    if agreement not in AGREEMENTS:
        raise StoreError(f"Not saved: please answer with one of {', '.join(AGREEMENTS)}.")
    if confidence is not None and confidence not in range(1, MOST_CONFIDENT + 1):
        raise StoreError(f"Not saved: how sure you are goes from 1 to {MOST_CONFIDENT}.")
    finding = view.locate(read_description(said.get("description", "")))
    answers = {"agreement": agreement} | ({} if confidence is None else {"confidence": int(confidence)})
    kept = ("session", "comment", "regions", "display", "visible_ms")
    named = {"id": said["id"]} if said.get("id") else {}
    event = Event(
        "feedback",
        reader=reader,
        description=finding.text,
        answers=answers,
        replaces=own_row(store, said) if said.get("replaces") else None,
        **named,
        **{name: said.get(name) for name in kept},
        **answer_columns(model, view, finding, said.get("threshold", 0.5)),
    )
    return store.record(event)


def answer_columns(model: Model, view: View, finding: Finding, threshold: float) -> dict[str, Any]:
    """The columns of an `Event` that say on which image the model answered what; not the description."""
    if type(threshold) not in (int, float) or not 0 <= threshold <= 1:
        raise StoreError("Not saved: the threshold of the map is a number from 0 to 1.")
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
        "model_regions": [region.as_json() for region in finding.regions(threshold)],
    }


def show_saved(saved: Saved) -> dict[str, str]:
    """What the page is told of a row that is on the disk; the time in ISO 8601, UTC."""
    return {"id": saved.id, "time": f"{saved.time.isoformat(timespec='milliseconds')}Z"}


def _find_saved(store: Store, said: Mapping[str, Any], kind: str) -> Saved | None:
    """The row of this session that was sent before, under the same id."""
    return store.find(said.get("id"), kind=kind, session=str(said.get("session")))


def own_row(store: Store, said: Mapping[str, Any]) -> str:
    """The id in `replaces`; AccessError unless feedback of the same session has it."""
    try:
        name = str(uuid.UUID(str(said.get("replaces"))))
    except ValueError:
        raise AccessError("There is no such feedback to change.") from None
    query = "SELECT 1 FROM events WHERE kind = 'feedback' AND id = ? AND session = ?"
    if not said.get("session") or not store.rows(query, [name, str(said["session"])]):
        raise AccessError("There is no such feedback to change.")
    return name
