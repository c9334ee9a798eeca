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
    """

    id: str
    image: str = field(repr=False)
    description: str
    modality: str | None = None
    truth: bool | None = None
    boxes: tuple[Box, ...] = ()
    digest: str = ""
    patient: str = ""


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
                {k: v for k, v in vars(case).items() if k != "image" and (k not in _IF_KNOWN or v)}
                | {"boxes": [list(box) for box in case.boxes]}
                for case in self.cases
            ],
        }

    def case(self, case_id: str) -> Case:
        return next(case for case in self.cases if case.id == case_id)

    @property
    def scaled_questions(self) -> list[Question]:
        """Those whose answers are compared, in tables and figures of their own."""
        return [question for question in self.questions if question.scale]


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
    used = [*(question.id for question in questions), *(case.id for case in cases)]
    names = [definition["id"], *used, *definition["readers"]]
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        raise ValueError(f"a name in a study {NAME_RULE}")
    parts = {
        "questions": tuple(questions),
        "cases": tuple(cases),
        "readers": dict.fromkeys(definition["readers"], ""),
    }
    return Study(coordinator="", folder=Path(), **{**definition, **parts})


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
            if case.digest not in ("", digest_of(file)):
                raise ImageError(EXCHANGED)
            return image
    except OSError:
        raise ImageError("The image of this case cannot be read.") from None


def digest_of(file: BinaryIO) -> str:
    """SHA-256 (hex) of a file's bytes."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it has readinto


_IF_KNOWN = ("digest", "patient")  # keys that older studies have not, which keep their version
_STUDY_KEYS = (
    *("id", "title", "design", "seed", "consent", "end", "washout_days", "repeats", "back", "edit"),
    *("threshold", "presence"),
)
