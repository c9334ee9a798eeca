"""All that is wrong with a study, its images too, and what a reviewer would ask about its design."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from afloc.errors import ImageError
from afloc.feedback.studies.study import EXAMPLE, Study
from afloc.feedback.studies.study_file import read_values, study_of
from afloc.feedback.studies.study_rules import case_tables
from afloc.imaging.burned_in import shows_text
from afloc.imaging.examples import load_example
from afloc.imaging.file_tags import has_other_tags
from afloc.imaging.image import Image, read_image
from afloc.schema import Fault

SHORT_CODE = 8  # characters that can be guessed
OVERHANG = 1.0  # pixels a box may stand out of its image: what rounding leaves
MOST_NAMED = 5  # cases in a sentence


@dataclass(frozen=True)
class Checked:
    """A study that was looked at: `study` is None where there are faults in what its file says."""

    study: Study | None
    faults: tuple[Fault, ...]
    advice: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """What an image file is: its size, whether it is DICOM and shows text; or why it is no image."""

    width: int = 0
    height: int = 0
    has_tags: bool = False
    has_text: bool = False
    problem: str = ""


def check_study(path: Path, values: Mapping[str, Any] | None = None) -> Checked:
    """The study in the file `path`, or the one that `values` would make of it; its images are opened.

    SettingsError where there is no such file, or no TOML in it.
    """
    values = read_values(path) if values is None else values
    study, faults = study_of(values, path)
    folder = path.resolve().parent
    known = {fault.key for fault in faults}
    looks = {key: look for key, case in case_tables(values) if (look := _look_at(folder, case))}
    for key, case in case_tables(values):
        if key in looks and f"{key}.image" not in known:
            faults += [each for each in _compare(key, case, looks[key]) if each.key not in known]
    return Checked(study, tuple(faults), tuple(advise(study, looks)) if study else ())


def look_at(path: Path) -> Look:
    """What an image file is; OSError where there is none."""
    found = path.stat()
    return _look(path, found.st_size, found.st_mtime_ns)


def advise(study: Study, looks: Mapping[str, Look] | None = None) -> list[str]:
    """Sentences on what a reviewer would ask about the design. `looks`: at the images, by the case's key."""
    truths = [case.truth for case in study.cases]
    ratings = [question.id for question in study.questions if question.scale == "ordinal"]
    images = {case.patient or case.digest for case in study.cases}
    trained = {case.digest for case in study.training} & {case.digest for case in study.cases}
    blocks = Counter(case.block for case in study.cases if case.block)
    looks = looks or {}
    shown = [key for key, look in looks.items() if look.has_text]
    tagged = sum(look.has_tags for look in looks.values())
    advice = {
        f"of {len(ratings)} ratings the first is taken for how sure readers are that the finding is there; "
        "if it is another one, name that as presence.": len(ratings) > 1 and study.presence == ratings[0],
        f"{len(images)} patients or images are too few for an interval, which needs 10.": len(images) < 10,
        "there is no consent text.": not study.consent,
        "readers are not told whom they can ask (contact).": not study.contact,
        "there is no coordinator code: only the coordinator of the page sees progress and "
        "results.": not study.coordinator,
        "a crossover without a wash-out lets readers remember the cases.": study.design == "crossover"
        and not study.washout_days,
        "going back lets readers look up their first answer to a repeated case.": study.back
        and study.repeats,
        "without repeated cases the readers' agreement with themselves is unknown.": not study.repeats,
        "no case has a truth: import the reference standard before the analysis.": set(truths) == {None},
        "all cases with a truth have the same one: there is no ROC.": len(set(truths) - {None}) == 1,
        "short codes can be guessed.": any(len(code) < SHORT_CODE for code in study.readers.values()),
        "an image of the training block comes again among the cases that count.": trained,
        "readers are told the truth in training, and no training case has one.": study.training_feedback
        and study.training
        and all(case.truth is None for case in study.training),
        f"the rotating blocks have {min(blocks.values(), default=0)} to {max(blocks.values(), default=0)} "
        "cases: blocks of one size give every reader as much to read.": len(set(blocks.values())) > 1,
        f"fewer readers than blocks: {len(blocks)} blocks, {len(study.readers)} readers.": len(study.readers)
        < len(blocks),
        f"text stands in a corner of {_list(shown)}: look whether it names a patient.": shown,
        f"{tagged} of the image files have the tags or texts they came with: no reader sees one, but they "
        "stay on the server; send the images here again to have them without.": tagged,
    }
    return [sentence for sentence, applies in advice.items() if applies]


def _list(keys: list[str]) -> str:
    more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
    return ", ".join(keys[:MOST_NAMED]) + more


def _look_at(folder: Path, case: Mapping[str, Any]) -> Look | None:
    image = case.get("image")
    try:
        if not isinstance(image, str) or not image.strip():
            return None
        if image.startswith(EXAMPLE):
            example = load_example(image.removeprefix(EXAMPLE))
            return Look(example.width, example.height)
        return look_at(folder / image)
    except (OSError, ValueError, KeyError, StopIteration):
        return None  # `study_rules` says so


@lru_cache(20_000)
def _look(path: Path, _size: int, _time: int) -> Look:
    with open(path, "rb") as file:
        content = file.read()
    try:
        image: Image = read_image(content)
    except ImageError as error:
        return Look(problem=str(error))
    has_text = image.burned_in or shows_text(image.pixels, image.window)
    return Look(image.width, image.height, has_other_tags(content), bool(has_text))


def _compare(key: str, case: Mapping[str, Any], look: Look) -> Iterator[Fault]:
    """What does not fit between a case and its image."""
    if look.problem:
        yield Fault(f"{key}.image", f"{key}.image: {look.problem.rstrip('.')}")
        return
    boxes = case.get("boxes")
    for box in boxes if isinstance(boxes, list) else ():
        if isinstance(box, list) and len(box) == 4 and all(type(value) in (int, float) for value in box):
            x, y, width, height = box
            if (
                min(x, y) < -OVERHANG
                or x + width > look.width + OVERHANG
                or y + height > look.height + OVERHANG
            ):
                said = f"a box that is not within the image, which has {look.width} × {look.height} pixels"
                yield Fault(f"{key}.boxes", f"{key}.boxes has {said}")
                return
