"""A reader study: its cases, questions, readers and texts, and the version that stands for them."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from afloc.errors import ImageError
from afloc.feedback.studies.questions import Question
from afloc.imaging.examples import EXAMPLES
from afloc.imaging.image import Image, read_image
from afloc.imaging.regions import Box, read_box

DESIGNS = ("unaided", "aided", "unaided_then_aided", "crossover")
DRAFT, OPEN, PAUSED, CLOSED = STATES = ("draft", "open", "paused", "closed")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,59}")  # safe in every file format written of it
NAME_RULE = "must be at most 60 letters, digits, hyphens, dots and underscores, a letter or digit first"
EXAMPLE = "example:"
EXCHANGED = (
    "The image of this case is no longer the one that the study was opened with: put it back, or start AFLoc "
    "again to go on with a new version of the study."
)


@dataclass(frozen=True)
class Case:
    """An image and a finding; `truth` and `boxes` (in its pixels) are the reference standard, if known.

    `digest`: which image it is, SHA-256 (hex) of its file's bytes, or of "example:NAME"; "" where that is not
    known, as in a study that was kept before versions covered the images. `patient`: whose it is, by a name
    that tells nothing; cases of one patient are no two samples of the population. "" where it is not said.
    `block`: the rotating block it belongs to, "" for one that every reader reads (an anchor). `explanation`:
    of a training case, what readers are told after their answer.
    """

    id: str
    image: str = field(repr=False)
    description: str
    modality: str | None = None
    truth: bool | None = None
    boxes: tuple[Box, ...] = ()
    digest: str = ""
    patient: str = ""
    block: str = ""
    explanation: str = ""


@dataclass(frozen=True)
class Protocol:
    """What was locked when the study was started: SHA-256 (hex) of its definition, and when (UTC, ISO 8601).

    The first 12 digits of the hash are the version.
    """

    sha256: str
    started: str


@dataclass(frozen=True)
class Deviation:
    """A change of the protocol after the start: when (UTC, ISO 8601), the version it led to, and why."""

    time: str
    version: str
    reason: str


@dataclass(frozen=True)
class Study:
    """A study as its file says; see `assets/studies/demo.toml` for what each key means.

    `readers`: name to sign-in code, in the order of the file. `presence`: the rating question that says how
    sure the reader is that the finding is there (for ROC), None without one. `training`: cases that come
    first and do not count; `training_feedback`: after an answer readers see the truth of a training case.
    `blocks_each`: how many of the rotating blocks each reader reads. `exclusive`: while the study is open,
    only coordinators may use the other tabs. `state`: one of STATES; readers read an open one.
    """

    id: str
    title: str
    design: str
    seed: int
    cases: tuple[Case, ...]
    questions: tuple[Question, ...]
    readers: Mapping[str, str] = field(repr=False)
    coordinator: str = field(repr=False)
    folder: Path = field(repr=False)
    consent: str = ""
    end: str = ""
    washout_days: float = 0
    repeats: int = 0
    back: bool = False
    edit: bool = False
    threshold: float = 0.5
    presence: str | None = None
    training: tuple[Case, ...] = ()
    training_feedback: bool = False
    blocks_each: int = 1
    by: str = ""
    contact: str = ""
    minutes: int = 0
    exclusive: bool = False
    state: str = OPEN
    protocol: Protocol | None = None
    deviations: tuple[Deviation, ...] = ()

    @cached_property
    def version(self) -> str:
        """12 hexadecimal digits that stand for all that readers meet, the images too; codes and file names do
        not count."""
        return version_of(self.definition())

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) that the version is the beginning of."""
        return digest_of_definition(self.definition())

    def definition(self) -> dict[str, Any]:
        """The study as plain values, without sign-in codes and without the names of image files.

        Keys that earlier versions of AFLoc did not know stand in it only where they say something, so that a
        study keeps its version.
        """
        values = vars(self)
        known = {name: values[name] for name in _STUDY_KEYS if name in values}
        known |= {name: values[name] for name, default in _LATER_KEYS.items() if values[name] != default}
        if self.training:
            known["training"] = [_describe(case) for case in self.training]
        if self.protocol:
            known["protocol"] = vars(self.protocol)
        if self.deviations:
            known["deviations"] = [vars(each) for each in self.deviations]
        return known | {
            "readers": list(self.readers),
            "questions": [vars(question) for question in self.questions],
            "cases": [_describe(case) for case in self.cases],
        }

    def case(self, case_id: str) -> Case:
        """A case, or a training case: no two of them have one id."""
        return next(case for case in (*self.cases, *self.training) if case.id == case_id)

    @property
    def scaled_questions(self) -> list[Question]:
        """Those whose answers are compared, in tables and figures of their own."""
        return [question for question in self.questions if question.scale]


def _describe(case: Case) -> dict[str, Any]:
    known = {k: v for k, v in vars(case).items() if k != "image" and (k not in _IF_KNOWN or v)}
    return known | {"boxes": [list(box) for box in case.boxes]}


def version_of(definition: Mapping[str, Any]) -> str:
    """The version that a study with this definition has."""
    return digest_of_definition(definition)[:12]


def digest_of_definition(definition: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of all in a definition that changes what readers are asked and shown.

    Whom to ask about the study and how it came to be are kept with a definition, but are no part of this.
    """
    counted = {name: value for name, value in definition.items() if name not in NOT_OF_THE_VERSION}
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()


def study_from_definition(definition: Mapping[str, Any]) -> Study:
    """The study that `Study.definition` described; without codes and images, good for analysis only.

    ValueError, KeyError or TypeError for anything else.
    """
    questions = [Question(**each | {"labels": tuple(each["labels"])}) for each in definition["questions"]]
    cases, training = (
        tuple(Case(image="", **each | {"boxes": tuple(map(read_box, each["boxes"]))}) for each in listed)
        for listed in (definition["cases"], definition.get("training", ()))
    )
    used = [*(question.id for question in questions), *(case.id for case in (*cases, *training))]
    names = [definition["id"], *used, *definition["readers"]]
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        raise ValueError(f"a name in a study {NAME_RULE}")
    protocol = definition.get("protocol")
    parts = {
        "questions": tuple(questions),
        "cases": cases,
        "training": training,
        "readers": dict.fromkeys(definition["readers"], ""),
        "protocol": Protocol(**protocol) if protocol else None,
        "deviations": tuple(Deviation(**each) for each in definition.get("deviations", ())),
    }
    return Study(coordinator="", folder=Path(), **{**definition, **parts})


def load_image(study: Study, case: Case) -> Image:
    """As `read_case`."""
    return read_case(study.folder, case)


def read_case(folder: Path, case: Case) -> Image:
    """The pixels of a case of a study in `folder`; ImageError never names its file.

    An image that is not the one the study was read with is refused: its readings would be kept under a
    version that stands for another image.
    """
    if case.image.startswith(EXAMPLE):
        name = case.image.removeprefix(EXAMPLE)
        return next(example for example in EXAMPLES if example.name == name).load()
    try:
        with open(folder / case.image, "rb") as file:
            image = read_image(file)
            if case.digest not in ("", digest_of(file)):
                raise ImageError(EXCHANGED)
            return image
    except OSError:
        raise ImageError("The image of this case cannot be read.") from None


def digest_of(file: BinaryIO) -> str:
    """SHA-256 (hex) of a file's bytes."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it has readinto


_IF_KNOWN = ("digest", "patient", "block", "explanation")  # older studies have none and keep their version
_STUDY_KEYS = (
    *("id", "title", "design", "seed", "consent", "end", "washout_days", "repeats", "back", "edit"),
    *("threshold", "presence"),
)
_LATER_KEYS: Mapping[str, Any] = {
    **{"training_feedback": False, "blocks_each": 1},
    **{"by": "", "contact": "", "minutes": 0},
}
NOT_OF_THE_VERSION = ("by", "contact", "minutes", "protocol", "deviations")
"""Keys of a definition that change nothing in what readers are asked and shown."""
