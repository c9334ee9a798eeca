"""Changing a study: what the page is told of a file, the lock of the protocol, what may follow on what."""

import json
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from afloc.errors import ChangedError, DataError, SettingsError
from afloc.feedback.store.store import Store
from afloc.feedback.studies.access import make_code
from afloc.feedback.studies.schedule import schedule
from afloc.feedback.studies.study import CLOSED, DRAFT, EXAMPLE, OPEN, PAUSED, Study
from afloc.feedback.studies.study_check import Checked, check_study
from afloc.feedback.studies.study_file import KEYS, study_of
from afloc.feedback.studies.study_folder import CHANGED, StudyFolder, StudyText
from afloc.feedback.studies.study_rules import case_tables
from afloc.feedback.studies.study_text import comments
from afloc.text import one_line

NEXT = {DRAFT: (OPEN,), OPEN: (PAUSED, CLOSED, OPEN), PAUSED: (OPEN, CLOSED), CLOSED: (OPEN,)}
"""What a state may be changed to; OPEN to OPEN locks the protocol of a study that was begun without."""
BY_SERVER = ("state", "protocol", "deviations")  # keys that no form writes
LOCKED_ID = "The id of a study that was started stays: it is kept with every answer."
LONGEST_REASON = 2000  # characters
FIRST_QUESTION = {
    "id": "sure",
    "text": "Is the finding there?",
    "kind": "rating",
    "labels": ["certainly not", "probably not", "cannot tell", "probably", "certainly"],
}


@dataclass(frozen=True)
class StudyEditing:
    """What coordinators do to the files of `folder`; `store` has the answers of the studies."""

    folder: StudyFolder
    store: Store

    def summarise(self, file: StudyText) -> dict[str, Any]:
        """{"name", "title", "state", "problem"} for a list; `problem`: why it is not served, or ""."""
        study, faults = study_of(file.values, file.path)
        said = file.problem or (faults[0].sentence if faults else "")
        title = file.values.get("title")
        return {
            "name": file.name,
            "title": one_line(title) if isinstance(title, str) else "",
            "state": self.state_of(file),
            "problem": "" if study else said,
        }

    def describe(self, file: StudyText) -> dict[str, Any]:
        """What the form shows of a file: its values, all that is wrong, what to think of, the lock."""
        checked = self.check(file)
        study = checked.study
        totals = [len(schedule(study, reader)) for reader in study.readers] if study else []
        return {
            "name": file.name,
            "token": file.token,
            "values": json.loads(json.dumps(file.values, default=str)),
            "text": file.text,
            "problem": file.problem,
            "state": self.state_of(file),
            "faults": [vars(fault) for fault in checked.faults],
            "advice": list(checked.advice),
            "comments": len(comments(file.text)),
            "unknown": [key for key in file.values if key not in KEYS],
            "version": study.version if study else "",
            "digest": study.digest if study else "",
            "totals": [min(totals), max(totals)] if totals else [],
            "answers": self._count_answers(study),
        }

    def check(self, file: StudyText, values: Mapping[str, Any] | None = None) -> Checked:
        return check_study(file.path, file.values if values is None else values)

    def sound(self, file: StudyText) -> Study | None:
        """The study, None where anything in the file is wrong."""
        return study_of(file.values, file.path)[0]

    def state_of(self, file: StudyText) -> str:
        state = file.values.get("state", OPEN)
        return state if isinstance(state, str) and state in NEXT else DRAFT

    def create(self, name: str, title: str, text: str | None) -> StudyText:
        """A new draft, empty or from the text of a study file."""
        if text is not None:
            try:
                values = tomllib.loads(text)
            except tomllib.TOMLDecodeError as error:
                raise SettingsError(f"This is not TOML: {str(error).rstrip('.')}.") from None
            kept = {key: value for key, value in values.items() if key not in BY_SERVER}
            return self.folder.create(name, kept | {"id": name, "state": DRAFT}, text)
        values = {
            "id": name,
            "title": title or name,
            "design": "crossover",
            "washout_days": 28,
            "seed": secrets.randbelow(10**8),
            "readers": {},
            "coordinator": make_code(),
            "state": DRAFT,
            "questions": [FIRST_QUESTION],
        }
        return self.folder.create(name, values)

    def copy(self, name: str, title: str, original: StudyText) -> StudyText:
        """A new draft like a study, with images and codes of its own."""
        values = json.loads(json.dumps(original.values, default=str))
        for key in BY_SERVER:
            values.pop(key, None)
        readers = values.get("readers")
        values |= {"id": name, "state": DRAFT, "coordinator": make_code(), "title": title or name}
        values["readers"] = {each: make_code() for each in readers} if isinstance(readers, dict) else {}
        made = self.folder.create(name, values, original.text)
        for _, case in case_tables(values):
            image = case.get("image")
            if isinstance(image, str) and not image.startswith(EXAMPLE):
                path = original.path.parent / image
                if path.is_file():
                    case["image"] = self.folder.add_image(name, path)  # type: ignore[index]  # a dict of ours
        return self.folder.save(name, made.token, values)

    def save(
        self, before: StudyText, token: str, values: Mapping[str, Any], reason: str
    ) -> tuple[StudyText, list[str]]:
        """Have the file say `values`; the file, and the comments that went.

        A study that was started must stay sound; a new version of it needs a reason, which is kept as a
        deviation from the protocol. SettingsError where that is not so.
        """
        _require_seen(before, token)
        wanted = {key: value for key, value in values.items() if key not in BY_SERVER and value is not None}
        wanted |= {key: before.values[key] for key in BY_SERVER if key in before.values}
        self.folder.check_images(before.name, wanted)
        if "protocol" in before.values:
            wanted |= self._state_deviation(before, wanted, reason)
        after = self.folder.save(before.name, token, wanted)
        kept = comments(after.text)
        return after, [line for line in comments(before.text) if line not in kept]

    def change_state(self, file: StudyText, token: str, state: str) -> StudyText:
        """Start, pause, go on or close. The first start locks the protocol: all must be right by then."""
        _require_seen(file, token)
        now = self.state_of(file)
        if state not in NEXT[now]:
            raise DataError(f"A study that is {now} cannot become {one_line(state, 40)}.")
        values = dict(file.values) | {"state": state}
        if state == OPEN:
            checked = self.check(file)
            if checked.study is None or checked.faults:
                raise SettingsError(
                    f"This study cannot start yet: {len(checked.faults)} things are wrong with it, first: "
                    f"{checked.faults[0].sentence}."
                )
            study = checked.study
            if study.protocol is None:
                values["protocol"] = {"sha256": study.digest, "started": _now()}
            after = self.folder.save(file.name, token, values)
            started = self.sound(after)
            if started:
                self.store.keep_study(started.version, started.id, started.definition())
            return after
        return self.folder.save(file.name, token, values)

    def delete(self, file: StudyText, token: str) -> None:
        """Remove a study and its images; what readers answered stays in the store. DataError while it is
        open."""
        _require_seen(file, token)
        if self.state_of(file) == OPEN and self.sound(file):
            raise DataError("Readers may be at work: pause or close the study before you delete it.")
        self.folder.delete(file.name, token)

    def _state_deviation(
        self, before: StudyText, wanted: Mapping[str, Any], reason: str
    ) -> dict[str, list[dict[str, str]]]:
        checked, standing = self.check(before, wanted), self.sound(before)
        if wanted.get("id") != before.values.get("id"):
            raise SettingsError(LOCKED_ID)
        if checked.study is None or checked.faults:
            raise SettingsError(f"Not changed, the study is under way: {checked.faults[0].sentence}.")
        if standing and checked.study.version == standing.version:
            return {}
        if not reason.strip():
            raise SettingsError("The protocol is locked: please say why it is changed.")
        told = {
            "time": _now(),
            "version": checked.study.version,
            "reason": reason.strip()[:LONGEST_REASON],
        }
        return {"deviations": [*before.values.get("deviations", ()), told]}

    def _count_answers(self, study: Study | None) -> int:
        if study is None:
            return 0
        query = "SELECT count(*) AS n FROM answers WHERE kind = 'reading' AND study = ?"
        return self.store.rows(query, [study.id])[0]["n"]


def _require_seen(file: StudyText, token: str) -> None:
    """ChangedError unless `token` stands for `file`, from which what the server keeps is taken over: the file
    may have changed and changed back since."""
    if file.token != token:
        raise ChangedError(CHANGED)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
