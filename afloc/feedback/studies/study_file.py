"""Reading a study file, each fault one sentence that names its key.

`study_rules` has what holds between the keys.

`assets/studies/demo.toml` shows every key. A case is an image and a finding; its image is a path relative to
the study file, or "example:NAME" for one that comes with AFLoc (`afloc.imaging.examples`).
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from afloc.errors import SettingsError
from afloc.feedback.studies.questions import KINDS, Question
from afloc.feedback.studies.study import (
    DESIGNS,
    DRAFT,
    NAME,
    NAME_RULE,
    OPEN,
    STATES,
    Case,
    Deviation,
    Protocol,
    Study,
)
from afloc.feedback.studies.study_rules import find_faults, image_digest, same_codes
from afloc.imaging.regions import Box, read_box
from afloc.language.modalities import MODALITIES
from afloc.resources import ASSETS
from afloc.schema import CLOSED, Fault, Text, check_all
from afloc.text import clean_text

FOLDER = ASSETS / "studies"


def _check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(NAME_RULE)
    return name


def _check_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    if not all(label.strip() for label in labels):
        raise ValueError("must be a list of texts")
    labels = tuple(map(clean_text, labels))
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError("needs two or more that differ")
    return labels


def _check_boxes(boxes: tuple[tuple, ...]) -> tuple[Box, ...]:
    try:
        return tuple(map(read_box, boxes))
    except ValueError as error:
        raise ValueError(f"must be a list of [x, y, width, height]: a box {error}") from None


Name = Annotated[Text, AfterValidator(_check_name)]
MaybeName = Annotated[str, AfterValidator(lambda name: name and _check_name(name))]
MaybeText = Annotated[str, AfterValidator(lambda text: clean_text(text).strip())]
Number = int | float  # a whole number stays one, or the study would have another version
Labels = Annotated[tuple[str, ...], AfterValidator(_check_labels), Field(description="a list of texts")]
MaybeLabels = Annotated[
    tuple[str, ...],
    AfterValidator(lambda labels: labels and _check_labels(labels)),
    Field(description="a list of texts"),
]
Boxes = Annotated[
    tuple[tuple[Number, Number, Number, Number], ...],
    AfterValidator(_check_boxes),
    Field(description="a list of [x, y, width, height]"),
]


@dataclass(frozen=True)
class _LabelledQuestion:
    id: Name
    text: Text
    kind: Literal[tuple(name for name, kind in KINDS.items() if kind.has_labels)]  # type: ignore[valid-type]  # for pydantic
    labels: Labels
    required: bool = True


@dataclass(frozen=True)
class _OpenQuestion:
    id: Name
    text: Text
    kind: Literal[tuple(name for name, kind in KINDS.items() if not kind.has_labels)]  # type: ignore[valid-type]  # for pydantic
    labels: MaybeLabels = ()
    required: bool = False

    def __post_init__(self):
        if self.labels and not KINDS[self.kind].may_have_labels:
            raise ValueError("labels is not for a question of this kind")


@dataclass(frozen=True, kw_only=True)
class _AnyCase:
    id: Name
    image: Text
    description: Text
    modality: Literal[tuple(MODALITIES)] | None = None  # type: ignore[valid-type]  # for pydantic
    truth: bool | None = None
    boxes: Boxes = ()
    patient: MaybeName = ""

    def __post_init__(self):
        if self.boxes and not self.truth:
            raise ValueError("boxes needs truth = true")


@dataclass(frozen=True, kw_only=True)
class _Case(_AnyCase):
    block: MaybeName = ""


@dataclass(frozen=True, kw_only=True)
class _TrainingCase(_AnyCase):
    explanation: MaybeText = ""


@dataclass(frozen=True)
class _Protocol:
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="64 hexadecimal digits")]
    started: Text


@dataclass(frozen=True)
class _Deviation:
    time: Text
    version: Text
    reason: Text


@dataclass(frozen=True)
class _StudyFile:
    """The keys of a study file."""

    __pydantic_config__ = CLOSED

    id: Name
    title: Text
    design: Literal[DESIGNS]  # type: ignore[valid-type]  # for pydantic
    seed: Annotated[int, Field(ge=0, le=2**53)]
    cases: Annotated[tuple[_Case, ...], Field(min_length=1)]
    questions: Annotated[
        tuple[Annotated[_LabelledQuestion | _OpenQuestion, Field(discriminator="kind")], ...],
        Field(min_length=1),
    ]
    readers: dict[str, Text]
    coordinator: MaybeText = ""
    consent: MaybeText = ""
    end: MaybeText = ""
    washout_days: Annotated[Number, Field(ge=0, le=3650)] = 0
    repeats: Annotated[int, Field(ge=0, le=10_000)] = 0
    back: bool = False
    edit: bool = False
    threshold: Annotated[Number, Field(ge=0, le=1)] = 0.5
    presence: MaybeText = ""
    training: tuple[_TrainingCase, ...] = ()
    training_feedback: bool = False
    blocks_each: Annotated[int, Field(ge=1, le=1000)] = 1
    by: MaybeText = ""
    contact: MaybeText = ""
    minutes: Annotated[int, Field(ge=0, le=100_000)] = 0
    exclusive: bool = False
    state: Literal[STATES] = OPEN  # type: ignore[valid-type]  # for pydantic
    protocol: _Protocol | None = None
    deviations: tuple[_Deviation, ...] = ()


KEYS = tuple(_StudyFile.__dataclass_fields__)
"""The keys of a study file, in the order in which one is written."""


def read_studies(folder: Path | None = None) -> dict[str, Study]:
    """Every study in a folder (without one: the demo's), by id. SettingsError as `read_study`.

    A draft that is not finished is left out.
    """
    studies: dict[str, Study] = {}
    for path in sorted((folder or FOLDER).glob("*.toml")):
        values = read_values(path)
        study, faults = study_of(values, path)
        if study is None and values.get("state") == DRAFT:
            continue
        if study is None:
            raise SettingsError(f"{path.name}: {faults[0].sentence}.")
        if study.id in studies:
            raise SettingsError(f"{path.name}: id is {study.id!r}, as in another study of the folder.")
        studies[study.id] = study
    if same := same_codes(studies.values()):
        raise SettingsError(f"The studies give one code to two people: {same}; codes must differ.")
    return studies


def read_study(path: Path) -> Study:
    """Read a study file; SettingsError names the key that is missing, unknown or wrong."""
    path = Path(path)
    study, faults = study_of(read_values(path), path)
    if study is None:
        raise SettingsError(f"{path.name}: {faults[0].sentence}.")
    return study


def read_values(path: Path) -> dict[str, Any]:
    """What a study file says, unchecked; SettingsError where it is no TOML or not there."""
    try:
        return parse_values(path.read_text(encoding="utf-8"), path.name)
    except OSError:
        raise SettingsError(f"There is no study file {path}.") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path.name} is not TOML: {str(error).rstrip('.')}.") from None


def parse_values(text: str, name: str) -> dict[str, Any]:
    """What the text of the study file `name` says, unchecked; SettingsError where it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name} is not TOML: {str(error).rstrip('.')}.") from None


def study_of(values: Mapping[str, Any], path: Path) -> tuple[Study | None, list[Fault]]:
    """The study that the values of the file `path` say, and all that is wrong with them; None where something
    is. The images are named and found, not opened."""
    folder = path.resolve().parent
    file, faults = check_all(_StudyFile, values)
    known = {fault.key for fault in faults}
    faults += [fault for fault in find_faults(values, folder) if fault.key not in known]
    if file is None or faults:
        return None, faults
    keys = vars(file)

    def cases(listed: Iterable[_AnyCase]) -> tuple[Case, ...]:
        return tuple(Case(**vars(each), digest=image_digest(folder, each.image)) for each in listed)

    return Study(
        **keys
        | {
            "cases": cases(keys["cases"]),
            "training": cases(keys["training"]),
            "questions": tuple(Question(**vars(question)) for question in keys["questions"]),
            "folder": folder,
            "presence": keys["presence"] or _first_rating(keys["questions"]),
            "protocol": keys["protocol"] and Protocol(**vars(keys["protocol"])),
            "deviations": tuple(Deviation(**vars(each)) for each in keys["deviations"]),
        }
    ), []


def _first_rating(questions: Iterable[_LabelledQuestion | _OpenQuestion]) -> str | None:
    return next((question.id for question in questions if KINDS[question.kind].scale == "ordinal"), None)
