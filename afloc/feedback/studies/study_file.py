"""Reading a study file, each fault one sentence that names its key.

`assets/studies/demo.toml` shows every key. A case is an image and a finding; its image is a path relative to
the study file, or "example:NAME" for one that comes with AFLoc (`afloc.imaging.examples`).
"""

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from pydantic import AfterValidator, Field

from afloc.errors import SettingsError
from afloc.feedback.studies.questions import KINDS, Question
from afloc.feedback.studies.study import DESIGNS, EXAMPLE, NAME, NAME_RULE, Case, Study, digest_of
from afloc.imaging.examples import EXAMPLES
from afloc.imaging.regions import Box, read_box
from afloc.language.modalities import MODALITIES
from afloc.resources import ASSETS
from afloc.schema import CLOSED, Text, check
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
    if len(labels) < 2 or _repeated(labels):
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
    required: bool = False


@dataclass(frozen=True)
class _Case:
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


def read_studies(folder: Path | None = None) -> dict[str, Study]:
    """Every study in a folder (without one: the demo's), by id. SettingsError as `read_study`."""
    studies: dict[str, Study] = {}
    for path in sorted((folder or FOLDER).glob("*.toml")):
        study = read_study(path)
        if study.id in studies:
            raise SettingsError(f"{path.name}: id is {study.id!r}, as in another study of the folder.")
        studies[study.id] = study
    codes = [code for study in studies.values() for code in (*study.readers.values(), study.coordinator)]
    if twice := _repeated(code for code in codes if code):
        raise SettingsError(f"The studies give the code {twice!r} to two people: codes must differ.")
    return studies


def read_study(path: Path) -> Study:
    """Read a study file; SettingsError names the key that is missing, unknown or wrong."""
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise SettingsError(f"There is no study file {path}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path.name} is not TOML: {str(error).rstrip('.')}.") from None
    keys = vars(check(_StudyFile, values, path.name))
    digests = _read_digests(path, keys["cases"])
    study = Study(
        **keys
        | {
            "cases": tuple(Case(**vars(case), digest=digests[case.image]) for case in keys["cases"]),
            "questions": tuple(Question(**vars(question)) for question in keys["questions"]),
            "folder": path.resolve().parent,
            "presence": keys["presence"] or _first_rating(keys["questions"]),
        }
    )
    _check_together(study, path.name)
    return study


def _fail(file: str, key: str, reason: str) -> NoReturn:
    raise SettingsError(f"{file}: {key} {reason}.")


def _read_digests(path: Path, cases: Iterable[_Case]) -> dict[str, str]:
    """The digest of each image, by its name in the file. An example's pixels may differ by a rounding between
    machines, so that its name stands for them."""
    found: dict[str, str] = {}
    for number, case in enumerate(cases, 1):
        key = f"cases[{number}].image"
        if case.image.startswith(EXAMPLE):
            names = [example.name for example in EXAMPLES]
            if case.image.removeprefix(EXAMPLE) not in names:
                _fail(path.name, key, f"names no example; there are {', '.join(names)}")
            found[case.image] = hashlib.sha256(case.image.encode()).hexdigest()
        elif case.image not in found:
            image = path.resolve().parent / case.image
            if not image.is_file():
                _fail(path.name, key, "names a file that is not there")
            try:
                with open(image, "rb") as file:
                    found[case.image] = digest_of(file)
            except OSError:
                _fail(path.name, key, "names a file that cannot be read")
    return found


def _first_rating(questions: Iterable[_LabelledQuestion | _OpenQuestion]) -> str | None:
    return next((question.id for question in questions if KINDS[question.kind].scale == "ordinal"), None)


def _check_together(study: Study, file: str) -> None:
    """What holds between keys."""
    for key, ids in (
        ("cases", (case.id for case in study.cases)),
        ("questions", (question.id for question in study.questions)),
        ("readers", (code for code in (*study.readers.values(), study.coordinator) if code)),
    ):
        if twice := _repeated(ids):
            _fail(file, key, f"has {twice!r} twice")
    if not study.readers:
        _fail(file, "readers", "names nobody")
    for name in study.readers:
        if not NAME.fullmatch(name):
            _fail(file, f"readers.{name}", NAME_RULE)
    if study.repeats > len(study.cases) // 2:
        half = f"at most half of the {len(study.cases)} cases can be repeated"
        _fail(file, "repeats", f"is {study.repeats}; {half}")
    if study.washout_days and study.design != "crossover":
        _fail(file, "washout_days", "is for the design crossover only")
    if study.edit and not study.back:
        _fail(file, "edit", "needs back = true")
    if sum(question.type.drawn for question in study.questions) > 1:
        _fail(file, "questions", "has two of kind regions; one is enough")
    ratings = {question.id for question in study.questions if question.scale == "ordinal"}
    if study.presence is not None and study.presence not in ratings:
        _fail(file, "presence", "names no question of kind rating")


def _repeated(values: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
