"""A reader study: one TOML file with its cases, questions, readers and texts.

`assets/studies/demo.toml` shows every key. A case is an image and a finding; its image is a path relative to
the study file, or "example:NAME" for one that comes with AFLoc (`afloc.imaging.examples`).
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from afloc.errors import ImageError, SettingsError
from afloc.feedback.studies.toml_table import NAME, NAME_RULE, Table
from afloc.imaging.examples import EXAMPLES
from afloc.imaging.image import Image, read_image
from afloc.imaging.regions import Box, read_box
from afloc.language.modalities import MODALITIES
from afloc.resources import ASSETS

FOLDER = ASSETS / "studies"
DESIGNS = ("unaided", "aided", "unaided_then_aided", "crossover")
QUESTION_KINDS = ("rating", "choice", "text", "regions")
EXAMPLE = "example:"
EXCHANGED = (
    "The image of this case is no longer the one that the study was opened with: put it back, or start AFLoc "
    "again to go on with a new version of the study."
)


@dataclass(frozen=True)
class Question:
    """What a reader is asked on each case.

    `kind`: rating (an ordered scale, answered 1 to len(labels)), choice (one of `labels`), text, or regions
    (boxes and outlines drawn on the image).
    """

    id: str
    text: str
    kind: str
    labels: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Case:
    """An image and a finding; `truth` and `boxes` (in its pixels) are the reference standard, if known.

    `digest`: which image it is, SHA-256 (hex) of its file's bytes, or of "example:NAME"; "" where that is not
    known, as in a study that was kept before versions covered the images.
    """

    id: str
    image: str = field(repr=False)
    description: str
    modality: str | None = None
    truth: bool | None = None
    boxes: tuple[Box, ...] = ()
    digest: str = ""


@dataclass(frozen=True)
class Study:
    """A study as its file says; see `assets/studies/demo.toml` for what each key means.

    `readers`: name to sign-in code, in the order of the file. `presence`: the rating question that says how
    sure the reader is that the finding is there (for ROC), None without one.
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

    @cached_property
    def version(self) -> str:
        """12 hexadecimal digits that stand for all that readers meet, the images too; codes and file names do
        not count."""
        return version_of(self.definition())

    def definition(self) -> dict[str, Any]:
        """The study as plain values, without sign-in codes and without the names of image files."""
        values = vars(self)
        known = {name: values[name] for name in _STUDY_KEYS if name in values}
        return known | {
            "readers": list(self.readers),
            "questions": [vars(question) for question in self.questions],
            "cases": [
                {k: v for k, v in vars(case).items() if k != "image" and (k != "digest" or v)}
                | {"boxes": [list(box) for box in case.boxes]}
                for case in self.cases
            ],
        }

    def case(self, case_id: str) -> Case:
        return next(case for case in self.cases if case.id == case_id)


def version_of(definition: Mapping[str, Any]) -> str:
    """The version that a study with this definition has."""
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:12]


def study_from_definition(definition: Mapping[str, Any]) -> Study:
    """The study that `Study.definition` described; without codes and images, good for analysis only.

    ValueError, KeyError or TypeError for anything else.
    """
    questions = [Question(**each | {"labels": tuple(each["labels"])}) for each in definition["questions"]]
    cases = [
        Case(image="", **each | {"boxes": tuple(map(read_box, each["boxes"]))})
        for each in definition["cases"]
    ]
    names = [definition["id"], *(each.id for each in (*questions, *cases)), *definition["readers"]]
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        raise ValueError(f"a name in a study {NAME_RULE}")
    parts = {
        "questions": tuple(questions),
        "cases": tuple(cases),
        "readers": dict.fromkeys(definition["readers"], ""),
    }
    return Study(coordinator="", folder=Path(), **definition | parts)


def load_image(study: Study, case: Case) -> Image:
    """The pixels of a case; ImageError never names its file.

    An image that is not the one the study was read with is refused: its readings would be kept under a
    version that stands for another image.
    """
    if case.image.startswith(EXAMPLE):
        name = case.image.removeprefix(EXAMPLE)
        return next(example for example in EXAMPLES if example.name == name).load()
    try:
        with open(study.folder / case.image, "rb") as file:
            image = read_image(file)
            if case.digest not in ("", _digest(file)):
                raise ImageError(EXCHANGED)
            return image
    except OSError:
        raise ImageError("The image of this case cannot be read.") from None


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
    table = Table(values, path.name)
    readers = table.table("readers")
    study = Study(
        id=table.name("id"),
        title=table.text("title"),
        design=table.choice("design", DESIGNS),
        seed=table.number("seed", 0, 2**53, whole=True),
        cases=tuple(map(_case, table.tables("cases"))),
        questions=tuple(map(_question, table.tables("questions"))),
        readers={name: readers.text(name) for name in readers.values},
        coordinator=table.text("coordinator", ""),
        folder=path.resolve().parent,
        consent=table.text("consent", ""),
        end=table.text("end", ""),
        washout_days=table.number("washout_days", 0, 3650, default=0),
        repeats=table.number("repeats", 0, 10_000, default=0, whole=True),
        back=table.flag("back", False),
        edit=table.flag("edit", False),
        threshold=table.number("threshold", 0, 1, default=0.5),
        presence=table.text("presence", "") or None,
    )
    table.end()
    return _with_digests(_checked(study, table), table)


def _with_digests(study: Study, table: "Table") -> Study:
    """The study with each case's `digest`. An example's pixels may differ by a rounding between machines, so
    that its name stands for them."""
    names = {case.image for case in study.cases if case.image.startswith(EXAMPLE)}
    found = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    cases = []
    for number, case in enumerate(study.cases, 1):
        if case.image not in found:
            try:
                with open(study.folder / case.image, "rb") as file:
                    found[case.image] = _digest(file)
            except OSError:
                table.fail(f"cases[{number}].image", "names a file that cannot be read")
        cases.append(replace(case, digest=found[case.image]))
    return replace(study, cases=tuple(cases))


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(study: Study, table: "Table") -> Study:
    """What holds between keys."""
    for key, ids in (
        ("cases", (case.id for case in study.cases)),
        ("questions", (question.id for question in study.questions)),
        ("readers", (code for code in (*study.readers.values(), study.coordinator) if code)),
    ):
        if twice := _repeated(ids):
            table.fail(key, f"has {twice!r} twice")
    if not study.readers:
        table.fail("readers", "names nobody")
    for name in study.readers:
        if not NAME.fullmatch(name):
            table.fail(f"readers.{name}", NAME_RULE)
    for number, case in enumerate(study.cases, 1):
        place = f"cases[{number}].image"
        if case.image.startswith(EXAMPLE):
            names = [example.name for example in EXAMPLES]
            if case.image.removeprefix(EXAMPLE) not in names:
                table.fail(place, f"names no example; there are {', '.join(names)}")
        elif not (study.folder / case.image).is_file():
            table.fail(place, "names a file that is not there")
    if study.repeats > len(study.cases) // 2:
        table.fail(
            "repeats", f"is {study.repeats}; at most half of the {len(study.cases)} cases can be repeated"
        )
    if study.washout_days and study.design != "crossover":
        table.fail("washout_days", "is for the design crossover only")
    if study.edit and not study.back:
        table.fail("edit", "needs back = true")
    if sum(question.kind == "regions" for question in study.questions) > 1:
        table.fail("questions", "has two of kind regions; one is enough")
    ratings = [question.id for question in study.questions if question.kind == "rating"]
    if study.presence is None:
        object.__setattr__(study, "presence", ratings[0] if ratings else None)
    elif study.presence not in ratings:
        table.fail("presence", "names no question of kind rating")
    return study


def _question(table: "Table") -> Question:
    kind = table.choice("kind", QUESTION_KINDS)
    labels = table.texts("labels") if kind in ("rating", "choice") else ()
    if kind in ("rating", "choice") and (len(labels) < 2 or _repeated(labels)):
        table.fail("labels", "needs two or more that differ")
    question = Question(
        table.name("id"),
        table.text("text"),
        kind,
        labels,
        table.flag("required", kind in ("rating", "choice")),
    )
    table.end()
    return question


def _case(table: "Table") -> Case:
    case = Case(
        id=table.name("id"),
        image=table.text("image"),
        description=table.text("description"),
        modality=table.choice("modality", MODALITIES, None),
        truth=table.flag("truth", None),
        boxes=table.boxes("boxes"),
    )
    if case.boxes and not case.truth:
        table.fail("boxes", "needs truth = true")
    table.end()
    return case


_STUDY_KEYS = (
    *("id", "title", "design", "seed", "consent", "end", "washout_days", "repeats", "back", "edit"),
    *("threshold", "presence"),
)


def _repeated(values: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
