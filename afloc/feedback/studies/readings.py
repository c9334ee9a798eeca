"""Taking part in a study: which case is next, saving its answers, and resuming anywhere.

A reader's position is worked out from the rows of the store each time. Nothing is kept in memory, so that a
reading begun on one machine goes on at another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from afloc.errors import AccessError, AFLocError, SettingsError
from afloc.feedback.store.events import Event, SlotTakenError
from afloc.feedback.store.store import Saved, Store
from afloc.feedback.studies.questions import Question
from afloc.feedback.studies.schedule import AIDED, TRAINING, Slot, schedule, training_slots
from afloc.feedback.studies.study import Study


@dataclass(frozen=True)
class Waiting:
    """The wash-out is not over: the second period opens at `until` (UTC)."""

    until: datetime


@dataclass(frozen=True)
class Progress:
    """How far a reader is. `last`: time of the last answer (UTC), None before the first."""

    reader: str
    consented: bool
    done: int
    total: int
    last: datetime | None


def has_consented(store: Store, study: Study, reader: str) -> bool:
    """Whether the reader agreed to the consent text, or the study has none."""
    return not study.consent or _consent(store, study, reader) is not None


def _consent(store: Store, study: Study, reader: str) -> Saved | None:
    query = "SELECT id, seq, time FROM events WHERE kind = 'consent' AND study = ? AND reader = ? LIMIT 1"
    return next((Saved(**row) for row in store.rows(query, [study.id, reader])), None)


def give_consent(store: Store, study: Study, reader: str, session: str | None = None) -> Saved:
    """Keep that the reader agreed; once, however often and from how many windows it is said."""
    schedule(study, reader)
    if saved := _consent(store, study, reader):
        return saved
    store.keep_study(study.version, study.id, study.definition())
    try:
        return store.record(Event("consent", session, reader, study.id, study.version))
    except SlotTakenError:
        if saved := _consent(store, study, reader):
            return saved
        raise


def next_slot(store: Store, study: Study, reader: str, now: datetime | None = None) -> Slot | Waiting | None:
    """The first case without an answer; Waiting during the wash-out; None at the end.

    `now`: UTC without time zone.
    """
    return _position(store, study, reader, now).following


def resume(store: Store, study: Study, reader: str, index: int) -> dict[str, Any] | None:
    """What the reader last saved on case `index` as a row of the store, or None.

    That is the answer that stands, or a draft begun since, where the answer may be changed.
    """
    position = _position(store, study, reader)
    slot = position.slots[index]
    if position.is_final(index):
        return store.rows("SELECT * FROM events WHERE id = ?", [position.done[slot.key]["id"]])[0]
    rows = store.rows(
        "SELECT * FROM events WHERE kind IN ('reading', 'draft', 'training') AND study = ? AND reader = ? "
        "AND period = ? AND case_id = ? AND arm = ? AND repeat = ? ORDER BY seq DESC LIMIT 1",
        [study.id, reader, *slot.key],
    )
    return rows[0] if rows else None


def may_open(store: Store, study: Study, reader: str, index: int) -> bool:
    """Whether the reader may look at case `index` now.

    That is the next one, or an earlier one of the same period if the study lets readers go back.
    """
    return _position(store, study, reader).may_open(index)


def require_open(store: Store, study: Study, reader: str, index: int) -> None:
    """AccessError, with the reason, unless `may_open`."""
    _require_turn(store, study, reader, index)


def may_edit(store: Store, study: Study, reader: str, index: int) -> bool:
    """Whether the answer on case `index` may be changed.

    Never one of an earlier period, and never one given unaided on a case that was then shown aided.
    """
    return _position(store, study, reader).may_edit(index)


def save_draft(store: Store, study: Study, reader: str, index: int, **fields: Any) -> Saved:
    """Keep an answer that is not finished; `fields` as in `save_reading`, none needed."""

    def save() -> Saved:
        slot = _require_turn(store, study, reader, index).slots[index]
        return store.record(_event("draft", study, reader, slot, fields))

    return save_once(store, study, reader, "draft", fields.get("id"), save)


def save_once(
    store: Store, study: Study, reader: str, kind: str, name: Any, save: Callable[[], Saved]
) -> Saved:
    """The reader's reading or draft with the id `name` if it is saved, else what `save` saves.

    What is saved is not refused when it is sent again because the reply was lost, whatever the turn is by
    now; nor where it is saved while the second sending is on its way.
    """
    mine = {"kind": kind, "study": study.id, "reader": reader}
    if saved := store.find(name, **mine):
        return saved
    if store.find(name):
        raise AccessError("Another answer has this id; please send this one under an id of its own.")
    try:
        return save()
    except AFLocError:
        if saved := store.find(name, **mine):
            return saved
        raise


def save_reading(
    store: Store,
    study: Study,
    reader: str,
    index: int,
    answers: Mapping[str, Any],
    regions: Sequence[Mapping[str, Any]] = (),
    **fields: Any,
) -> Saved:
    """Save a reader's answers on case `index`; returns after the commit.

    `fields`: further columns of the event (comment, visible_ms, session, what the model said, and an `id`
    that makes it safe to send twice). AccessError where it is not the reader's turn, where the study does not
    let the answer be changed, or where another window saves one at the same moment; an answer that can never
    be saved because there is one is kept as a draft. SettingsError for one that the questions do not allow.
    """

    def save() -> Saved:
        check_answers(study, answers, regions)
        given = fields | {"answers": dict(answers), "regions": list(regions)}
        try:
            return _save_in_turn(store, study, reader, index, given)
        except (AccessError, SlotTakenError) as error:
            position = _position(store, study, reader)
            if position.is_final(index):
                store.record(_event("draft", study, reader, position.slots[index], given | {"id": None}))
            raise AccessError(str(error)) from None

    return save_once(store, study, reader, answer_kind(study, index), fields.get("id"), save)


def answer_kind(study: Study, index: int | None) -> str:
    """What an answer on case `index` is saved as: one to a training case is no reading and counts nowhere."""
    return "training" if index is not None and 0 <= index < len(training_slots(study)) else "reading"


def _save_in_turn(store: Store, study: Study, reader: str, index: int, fields: Mapping[str, Any]) -> Saved:
    position = _require_turn(store, study, reader, index)
    if position.is_final(index):
        raise AccessError("This answer is final: the study does not let it be changed.")
    slot = position.slots[index]
    standing = position.done.get(slot.key)
    replaces = standing["id"] if standing else _last_withdrawal(store, study, reader, slot)
    store.keep_study(study.version, study.id, study.definition())
    kind = "training" if slot.period == TRAINING else "reading"
    return store.record(_event(kind, study, reader, slot, {**fields, "replaces": replaces}))


def progress(store: Store, study: Study) -> list[Progress]:
    """How far each reader is, in the order of the study."""
    found = []
    for reader in study.readers:
        position = _position(store, study, reader)
        last = max((row["time"] for row in position.done.values()), default=None)
        count = sum(slot.key in position.done for slot in position.slots)
        found.append(Progress(reader, has_consented(store, study, reader), count, len(position.slots), last))
    return found


def check_answers(study: Study, answers: Mapping[str, Any], regions: Sequence[Any]) -> None:
    """SettingsError that names the question whose answer is missing or not on its scale."""
    asked = {each.id for each in study.questions if not each.type.drawn or each.labels}
    if unknown := set(answers) - asked:
        raise SettingsError(f"The study has no question {sorted(map(str, unknown))[0]!r}.")
    for question in study.questions:
        if question.type.drawn and question.labels:
            _check_region_ratings(question, answers.get(question.id), len(regions))
        given = (regions if len(regions) else None) if question.type.drawn else answers.get(question.id)
        if given is None or given == "":
            if question.required:
                raise SettingsError(f"Please answer: {question.text}")
        elif not question.type.drawn and not question.accepts(given):
            raise SettingsError(f"The answer is not on the scale: {question.text}")


def _check_region_ratings(question: Question, ratings: Any, count: int) -> None:
    ratings = [] if ratings is None else ratings
    if not isinstance(ratings, list) or len(ratings) != count or None in ratings:
        raise SettingsError(f"Please rate each region that you drew: {question.text}")
    if not question.accepts(ratings):
        raise SettingsError(f"The answer is not on the scale: {question.text}")


@dataclass(frozen=True)
class _Position:
    """Where a reader stands: their sequence, the readings that stand by `Slot.key`, and what comes next."""

    study: Study
    slots: tuple[Slot, ...]
    done: Mapping[tuple, Mapping[str, Any]]
    following: Slot | Waiting | None

    def may_open(self, index: int) -> bool:
        if isinstance(self.following, Slot) and index == self.following.index:
            return True
        return self.study.back and self._in_period(index) and self.slots[index].key in self.done

    def may_edit(self, index: int) -> bool:
        if not (self.study.edit and self._in_period(index)):
            return False
        return self.study.design != "unaided_then_aided" or self.slots[index].arm == AIDED

    def is_final(self, index: int) -> bool:
        """Whether case `index` has an answer that may not be changed."""
        known = 0 <= index < len(self.slots) and self.slots[index].key in self.done
        return known and not self.may_edit(index)

    def _in_period(self, index: int) -> bool:
        if not 0 <= index < len(self.slots):
            return False
        period = self.following.period if isinstance(self.following, Slot) else self.slots[-1].period
        return not isinstance(self.following, Waiting) and self.slots[index].period == period


def _position(store: Store, study: Study, reader: str, now: datetime | None = None) -> _Position:
    slots = schedule(study, reader)
    rows = store.rows(
        "SELECT id, time, period, case_id, arm, repeat FROM ("
        "SELECT * FROM answers WHERE kind = 'reading' "
        "UNION ALL SELECT * FROM events WHERE kind = 'training') WHERE study = ? AND reader = ? ORDER BY seq",
        [study.id, reader],
    )
    done = {(row["period"], row["case_id"], row["arm"], row["repeat"]): row for row in rows}
    following: Slot | Waiting | None = next((slot for slot in slots if slot.key not in done), None)
    if isinstance(following, Slot) and following.period == 2:
        ended = max(row["time"] for key, row in done.items() if key[0] == 1)
        until = ended + timedelta(days=study.washout_days)
        following = Waiting(until) if (now or _now()) < until else following
    return _Position(study, slots, done, following)


def _require_turn(store: Store, study: Study, reader: str, index: int) -> _Position:
    """Where the reader stands; AccessError unless case `index` is theirs to answer now."""
    if not has_consented(store, study, reader):
        raise AccessError("Please agree to the consent text first.")
    position = _position(store, study, reader)
    if not position.may_open(index):
        if position.is_final(index):
            raise AccessError(
                "It is not the turn of this case any more: another answer for it is saved; reload to go on."
            )
        raise AccessError("It is not the turn of this case.")
    return position


def _last_withdrawal(store: Store, study: Study, reader: str, slot: Slot) -> str | None:
    """The row that took back the reading of a slot that has none now: the next reading follows on it."""
    rows = store.rows(
        "SELECT id FROM events WHERE kind = 'withdrawal' AND replaces IN (SELECT id FROM events "
        "WHERE kind = 'reading' AND study = ? AND reader = ? AND period = ? AND case_id = ? AND arm = ? "
        "AND repeat = ?) ORDER BY seq DESC LIMIT 1",
        [study.id, reader, *slot.key],
    )
    return rows[0]["id"] if rows else None


def _event(kind: str, study: Study, reader: str, slot: Slot, fields: Mapping[str, Any]) -> Event:
    case = slot.case
    known = {"modality": case.modality, "threshold": study.threshold} | dict(fields)
    return Event(
        kind=kind,
        reader=reader,
        study=study.id,
        study_version=study.version,
        case_id=case.id,
        description=case.description,
        arm=slot.arm,
        period=slot.period,
        repeat=slot.repeat,
        **known,
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
