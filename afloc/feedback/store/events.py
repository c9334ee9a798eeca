"""One row of the store: an event, and what its columns mean.

`COLUMNS` is the one place that says what is kept. The table, the import, the export and the data dictionary
follow it.
"""

import hashlib
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from afloc.errors import StoreError
from afloc.feedback.store.regions import fit_regions, sound_regions
from afloc.language.modalities import MODALITIES
from afloc.text import clean_text, clean_values

KINDS = ("feedback", "reading", "draft", "consent", "withdrawal", "reference", "training", "erasure")
LONGEST_TEXT = 20_000  # characters of a description or comment
LONGEST_JSON = 500_000  # characters of drawn regions and the like

SLOT = ("study", "reader", "period", "case_id", "arm", "repeat")  # the columns that name a reading's slot


class SlotTakenError(StoreError):
    """Another reading of the same slot was saved first; this one is not saved."""

    def __init__(self):
        super().__init__("Another window has saved an answer for this case; reload to go on from there.")


class ErasedError(StoreError):
    """A row that was erased is not taken in again."""

    def __init__(self):
        super().__init__("Not saved: this was erased on request, and is not taken in again.")


@dataclass(frozen=True)
class Column:
    """A column: its name, its type in the database, what it means."""

    name: str
    type: str
    meaning: str


# fmt: off
COLUMNS = (
    Column("seq", "BIGINT", "Place in the order of saving, from 1."),
    Column("id", "UUID", "Name of the row; saving the same id twice keeps one row."),
    Column("time", "TIMESTAMP", "When the server received it, UTC."),
    Column("kind", "VARCHAR", "feedback (on any image), reading (one reader on one case of a study), draft "
           "(a reading not finished), consent, withdrawal (takes back the row in `replaces`), reference (the "
           "reference standard of a case), training (an answer to a case that does not count), "
           "erasure (rows were taken out for good: `answers` has how many, and their ids)."),
    Column("session", "VARCHAR", "Random name of the open page."),
    Column("reader", "VARCHAR", "The reader's name in the study (never the code they sign in with); of "
           "feedback, the user name of who signed in with Hugging Face."),
    Column("study", "VARCHAR", "The study's id."),
    Column("study_version", "VARCHAR", "12 hexadecimal digits that stand for the study as it was then, its "
           "images too; its definition is in the study.json beside the export."),
    Column("case_id", "VARCHAR", "The case's id in the study."),
    Column("arm", "VARCHAR", "unaided (no map, no score) or aided."),
    Column("period", "INTEGER", "1 or 2: before or after the wash-out. 0: training."),
    Column("repeat", "INTEGER", "0, or 1 where the case is shown a second time to measure the reader against "
           "themselves."),
    Column("image_digest", "VARCHAR", "SHA-256 (hex) of the image's pixels and window."),
    Column("image_width", "INTEGER", "Width of the image in pixels."),
    Column("image_height", "INTEGER", "Height of the image in pixels."),
    Column("modality", "VARCHAR", f"{' or '.join(', '.join(MODALITIES).rsplit(', ', 1))}."),
    Column("description", "VARCHAR", "The finding as described."),
    Column("model", "VARCHAR", "Name and version of the model."),
    Column("model_fingerprint", "VARCHAR", "12 hexadecimal digits that stand for the model's files."),
    Column("protocol", "VARCHAR", "native or paper."),
    Column("threshold", "DOUBLE", "Of the map, for its regions, 0 to 1."),
    Column("display", "JSON", "How the image was shown: window, invert, zoom, opacity and the like."),
    Column("score", "DOUBLE", "The model's score of the description, 0 to 1."),
    Column("probability", "DOUBLE", "Its calibrated probability, 0 to 1."),
    Column("present", "BOOLEAN", "The model's verdict; of a reference, whether the finding is there."),
    Column("model_regions", "JSON", "The model's regions at the threshold, whether or not they were shown."),
    Column("answers", "JSON", "What the reader answered: an object of question id and value."),
    Column("comment", "VARCHAR", "Free text."),
    Column("regions", "JSON", "What was drawn, a list of {\"box\": [x, y, width, height]} and {\"outline\": "
           "[[x, y], …]}, in pixels of the image from its top left corner."),
    Column("visible_ms", "BIGINT", "Milliseconds the case was visible before the answer. In a study of "
           "design unaided_then_aided an aided reading has those after the unaided answer alone: the time "
           "with the aid is the sum of the two readings."),
    Column("replaces", "UUID", "The row that this one corrects or takes back."),
    Column("there", "VARCHAR", "Feedback: whether the finding is there: yes, no or unsure."),
    Column("place", "VARCHAR", "Feedback: whether the place that the map showed is right: yes, partly or "
           "elsewhere. Empty where no place was shown, or nothing was said of it."),
    Column("asked", "JSON", "What the description was read as: status, finding, side and the like, and the "
           "same of each statement."),
    Column("holds", "BOOLEAN", "Whether what the description says holds, as the model has it."),
    Column("side", "JSON", "The side that was named, the one that the model sees, and whether they agree."),
    Column("doubt", "VARCHAR", "Whether the image was one that the model may not know: none, unusual "
           "(answered with a caution) or stopped (not answered at first)."),
    Column("active_ms", "BIGINT", "Of visible_ms, those in which somebody was there: the clock stops two "
           "minutes after the last sign of pointer or key. Empty in rows of earlier versions."),
)
ADDED = ("there", "place", "asked", "holds", "side", "doubt", "active_ms")
"""Columns that earlier versions did not have: empty in their rows, missing in their exports."""
# fmt: on
NAMES = tuple(column.name for column in COLUMNS)
JSON_NAMES = tuple(column.name for column in COLUMNS if column.type == "JSON")


@dataclass(frozen=True)
class Event:
    """What is saved; the fields are those of `COLUMNS` (`seq` is given when it is saved).

    JSON columns take plain Python values. An empty text is None; without an `id` it gets one. Of a region
    only its box or outline is kept. StoreError for a value that has no place in its column. The image itself,
    its name and its tags have no column.
    """

    kind: str
    session: str | None = None
    reader: str | None = None
    study: str | None = None
    study_version: str | None = None
    case_id: str | None = None
    arm: str | None = None
    period: int | None = None
    repeat: int | None = None
    image_digest: str | None = None
    image_width: int | None = None
    image_height: int | None = None
    modality: str | None = None
    description: str | None = None
    model: str | None = None
    model_fingerprint: str | None = None
    protocol: str | None = None
    threshold: float | None = None
    display: Mapping[str, Any] | None = None
    score: float | None = None
    probability: float | None = None
    present: bool | None = None
    model_regions: Sequence[Mapping[str, Any]] | None = None
    answers: Mapping[str, Any] | None = None
    comment: str | None = None
    regions: Sequence[Mapping[str, Any]] | None = None
    visible_ms: float | None = None
    replaces: str | None = None
    there: str | None = None
    place: str | None = None
    asked: Mapping[str, Any] | None = None
    holds: bool | None = None
    side: Mapping[str, Any] | None = None
    doubt: str | None = None
    active_ms: float | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    time: datetime = field(default_factory=lambda: datetime.now(UTC).replace(tzinfo=None))

    def __post_init__(self):
        if self.kind not in KINDS:
            raise StoreError(f"An event is one of {', '.join(KINDS)}, not {self.kind!r}.")
        if not self.id:
            object.__setattr__(self, "id", str(uuid.uuid4()))
        if self.regions is not None:
            object.__setattr__(self, "regions", fit_regions(self.regions))
        for name in _TYPES:
            object.__setattr__(self, name, _fit(name, getattr(self, name)))

    @property
    def erases(self) -> list[str]:
        """The ids of the rows that a tombstone takes out, [] of any other event."""
        return list((self.answers or {})["ids"]) if self.kind == "erasure" else []

    @property
    def claim(self) -> str | None:
        """`claim_of` the event; a tombstone claims to be the one that takes out its rows."""
        return _digest(["erasure", *sorted(self.erases)]) if self.erases else claim_of(vars(self))

    def row(self, seq: int) -> list[Any]:
        """The values in the order of `COLUMNS`, JSON as text."""
        values = vars(self) | {"seq": seq}
        return [_dump(values[name]) if name in JSON_NAMES else values[name] for name in NAMES]


def claim_of(row: Mapping[str, Any]) -> str | None:
    """What there may be once, as 64 hexadecimal digits; None for a row that claims nothing.

    A reading, and an answer for training, claims to replace this row of its slot, or to be the first there; a
    consent claims to be the reader's. Both stores have a unique key over it, so that of two windows only one
    can save. `schema.CLAIM` works out the same in SQL, of a reading.
    """
    kind = row["kind"]
    if kind in ("reading", "training"):
        parts = [*(row[name] for name in SLOT), row["replaces"] or ""]
    elif kind == "consent":
        parts = [kind, row["study"], row["reader"]]
    else:
        return None
    return None if None in parts else _digest(parts)


def _digest(parts: Sequence[Any]) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def event_from_row(row: Mapping[str, Any]) -> Event:
    """The event of a row as `Store.rows` gives it (JSON columns read); without regions that are none."""
    values = {f.name: row[f.name] for f in fields(Event)}
    if values["regions"]:
        values["regions"] = [region.as_json() for region in sound_regions(values["regions"])]
    return Event(**values)


_TYPES = {column.name: column.type for column in COLUMNS if column.name != "seq"}


def _fit(name: str, value: Any) -> Any:
    """`value` as its column takes it; StoreError where it does not fit."""
    if value is None or value == "":
        return None
    kind = _TYPES[name]
    try:
        if kind == "VARCHAR":
            if not isinstance(value, str) or len(value) > LONGEST_TEXT:
                raise ValueError
            return clean_text(value)
        if kind == "UUID":
            return str(uuid.UUID(str(value)))
        if kind == "TIMESTAMP":
            return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        if kind == "JSON":
            if len(_dump(value) or "") > LONGEST_JSON:
                raise ValueError
            return clean_values(value)
        if kind == "BOOLEAN":
            return bool(value)
        if kind == "DOUBLE":
            return float(value) if math.isfinite(value) else None
        number = int(value)
        if not 0 <= number < 2 ** (31 if kind == "INTEGER" else 63):
            raise ValueError
        return number
    except (TypeError, ValueError, OverflowError, AttributeError, RecursionError):
        raise StoreError(f"The value of {name} does not fit: it cannot be saved.") from None


def _dump(value: Any) -> str | None:
    """JSON text, ASCII only."""
    return None if value is None else json.dumps(value, allow_nan=False, separators=(",", ":"))
