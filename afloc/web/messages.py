"""What the page's scripts and the clients send: each message a type, checked where it comes in.

Field names are the keys on the wire. Keys that a message does not have are ignored.
"""

import re
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    ValidationError,
    model_validator,
)

from afloc.errors import DescriptionError, StoreError
from afloc.web.errors import MessageError

LONGEST_DESCRIPTION = 4000  # characters, the text field's limit too
MOST_CHECKED = 60  # descriptions that are asked of each film of a list
AGREEMENTS = ("yes", "partly", "elsewhere", "absent")
THERE = ("yes", "no", "unsure")
PLACES = ("yes", "partly", "elsewhere")
MOST_CONFIDENT = 5

_KINDS = {  # pydantic's types of errors, in words
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "too_short": "of another length",
    "too_long": "of another length",
    "string_too_long": "shorter",
}


class Message(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


M = TypeVar("M", bound=Message)


def parse(message: type[M], value: object) -> M:
    """`value`, read from JSON, as a message; MessageError with one sentence on its first fault.

    The sentence names the key and the kind that is wanted, never what was sent.
    """
    try:
        return message.model_validate(value if isinstance(value, dict) else {})
    except ValidationError as invalid:
        error = invalid.errors(include_input=False, include_url=False)[0]
        name = next(each for each in reversed(error["loc"]) if isinstance(each, str)).replace("_", " ")
        if error["type"] == "missing":
            raise MessageError(f"The {name} is missing.") from None
        what = f"The {name}" if isinstance(error["loc"][-1], str) else f"Each value of the {name}"
        raise MessageError(f"{what} should be {_KINDS.get(error['type'], 'of another kind')}.") from None


def read_description(value: object) -> str:
    """A description that came from outside; DescriptionError where it is no text, or too long."""
    if not isinstance(value, str):
        raise DescriptionError("The description should be a text.")
    if len(value) > LONGEST_DESCRIPTION:
        raise DescriptionError(f"Please describe it in at most {LONGEST_DESCRIPTION} characters.")
    return value


def _one_of(answers: tuple[str, ...]) -> AfterValidator:
    def check(value: str | None) -> str | None:
        if value is not None and value not in answers:
            raise StoreError(f"Not saved: please answer with one of {', '.join(answers)}.")
        return value

    return AfterValidator(check)


def _check_confidence(value: float | None) -> int | None:
    if value is None:
        return None
    if value not in range(1, MOST_CONFIDENT + 1):
        raise StoreError(f"Not saved: how sure you are goes from 1 to {MOST_CONFIDENT}.")
    return int(value)


def _read_code(value: object) -> str:
    return value if isinstance(value, str) else ""


def _read_index(value: object) -> int | None:
    return value if value is None or type(value) is int else -1


Description = Annotated[str, BeforeValidator(read_description)]
Code = Annotated[str, BeforeValidator(_read_code)]
"""The code of a reader or a coordinator. What is no text is a wrong code, and is answered as one."""
Index = Annotated[int | None, BeforeValidator(_read_index)]
"""The number of a reader's case. What is no number is a case that is not theirs, and is answered as one."""


# --- Probe ---


class LocateRequest(Message):
    """`live`: follows the typing, so that a newer one may take its place."""

    image: str
    description: Description = ""
    modality: str | None = None
    live: bool = False


class ScanRequest(Message):
    image: str
    modality: str | None = None


class CheckRequest(Message):
    """Several descriptions of one image, as a list of films is asked them."""

    image: str
    descriptions: Annotated[list[Description], Field(min_length=1, max_length=MOST_CHECKED)]
    modality: str | None = None


class Judgement(Message):
    """What a reader says of the model's answer to `description`.

    `there`: whether the finding is there. `place`: whether the place that the map shows is right; None where
    none is shown. `agreement`: the same as clients of the named endpoint say it, in one word. One of the
    three must be given.
    `regions`: [{"box": [x, y, width, height]} or {"outline": [[x, y], …]}, …] in pixels of the image.
    `threshold`: of the map that was shown. `replaces`: the row of the same session that this one corrects.
    """

    description: Description = ""
    there: Annotated[str | None, _one_of(THERE)] = None
    place: Annotated[str | None, _one_of(PLACES)] = None
    agreement: Annotated[str | None, _one_of(AGREEMENTS)] = None
    confidence: Annotated[float | None, AfterValidator(_check_confidence)] = None
    comment: str | None = None
    regions: list | None = None
    threshold: float = 0.5
    display: dict | None = None
    visible_ms: float | None = None
    session: str | None = None
    id: str | None = None
    replaces: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.there is None and self.place is None and self.agreement is None:
            raise StoreError("Not saved: please say whether it is there, or whether the place is right.")
        return self


class FeedbackRequest(Judgement):
    token: str
    modality: str | None = None


class WithdrawRequest(Message):
    """Takes back the row `replaces` of the session."""

    id: str | None = None
    session: str | None = None
    replaces: str


# --- PACS ---

_Words = Annotated[str, Field(max_length=64)]


def _read_date(value: str) -> str:
    if not re.fullmatch(r"(\d{4}-\d\d-\d\d)?", value):
        raise MessageError("A date is written like 2026-11-28.")
    return value.replace("-", "")


class SearchRequest(Message):
    """What to search for; empty for anything. `name`: how it begins. `since`, `until`: like 2026-11-28."""

    patient: _Words = ""
    name: _Words = ""
    since: Annotated[str, AfterValidator(_read_date)] = ""
    until: Annotated[str, AfterValidator(_read_date)] = ""
    modality: _Words = ""
    accession: _Words = ""


class StudyRequest(Message):
    study: str


class DicomRequest(Message):
    """An answer as DICOM. `regions`: drawn, as of `Judgement`. `threshold`: of the map's own regions."""

    image: str
    description: Description = ""
    modality: str | None = None
    threshold: float = 0.5
    regions: list = []


# --- Ground truth ---

_Numbers = Annotated[list[float], FailFast()]  # the first fault is enough of a long list


class Marks(Message):
    """What somebody marked: boxes [x, y, width, height] and polygons [x, y, x, y, …] in pixels of the image,
    `runs` the lengths of a mask's runs down its columns, the first outside."""

    boxes: Annotated[list[_Numbers], FailFast()] = []
    polygons: Annotated[list[_Numbers], FailFast()] = []
    runs: Annotated[list[int], FailFast()] = []


class GroundTruthEntry(Marks):
    """A finding that is marked. `phrase`: its description in the data set. `descriptions`: the simple and the
    precise one, as the page has them; None for what the findings list says. `readers`: what each human reader
    marked for it.
    """

    label: str
    phrase: str | None = None
    descriptions: Annotated[list[str | None], Field(min_length=2, max_length=2)] | None = None
    readers: Annotated[list[Marks], FailFast()] = []


class ReadTruthRequest(Message):
    """A dropped file of ground truth. `content`: in base64. `image_name`: the image's own file name."""

    image: str
    content: str
    name: str | None = None
    image_name: str | None = None


class MeasureRequest(Message):
    """`compare`: both descriptions of each finding, not the simple one alone."""

    image: str
    modality: str | None = None
    truths: list[GroundTruthEntry] = []
    compare: bool = False


class FigureDisplay(Message):
    """How the viewer shows things; `colors`: the name of a colour table, `opacity`: of the map at 1."""

    window: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    invert: bool = False
    colors: str = ""
    opacity: Annotated[float, Field(ge=0, le=1)] = 0.9


class FigureRequest(MeasureRequest):
    """A file of what is measured. `chosen`: the number of the finding in the figure. `scale`: "stretched" or
    "fixed"; `threshold`: on it. `name`: what the image is called."""

    file: str
    chosen: int = 0
    scale: Literal["stretched", "fixed"] = "stretched"
    threshold: Annotated[float, Field(ge=-1, le=1)] = 0.3
    display: FigureDisplay = FigureDisplay()
    name: str = ""


class ReadCaseRequest(Message):
    set: str
    row: int


class SetStateRequest(Message):
    """`run`: start it first."""

    set: str
    style: str
    run: bool = False


# --- Reader study ---


class PlaceRequest(Message):
    """`index`: a case the reader was at before; None for the one that comes next."""

    code: Code = ""
    index: Index = None


class CaseRequest(Message):
    code: Code = ""
    index: Index = None


class AgreeRequest(Message):
    code: Code = ""
    session: str | None = None


class DraftRequest(Message):
    """An answer that is not finished. `answers`: by question."""

    code: Code = ""
    index: Index = None
    id: str | None = None
    session: str | None = None
    answers: dict[str, Any] | None = None
    regions: list | None = None
    visible_ms: float | None = None
    active_ms: float | None = None


class AnswerRequest(DraftRequest):
    display: dict | None = None


# --- Making a study ---

LONGEST_TABLE = 4_000_000  # characters
StudyName = Annotated[str, Field(max_length=80)]
"""The name of a study's file, without its ending."""


class EditorRequest(Message):
    code: Code = ""


class NewStudyRequest(EditorRequest):
    """`text`: a study file to begin with; `copy_of`: the name of one of the server; else an empty one."""

    name: StudyName
    title: str = ""
    text: str | None = None
    copy_of: str | None = None


class OpenStudyRequest(EditorRequest):
    name: StudyName


class ChangeStudyRequest(OpenStudyRequest):
    """`token`: stands for what the file said when it was opened."""

    token: str


class SaveStudyRequest(ChangeStudyRequest):
    """`values`: the keys of the study file. `reason`: why a protocol that is locked is changed."""

    values: dict[str, Any]
    reason: str = ""


class StudyStateRequest(ChangeStudyRequest):
    state: str


class AddCasesRequest(OpenStudyRequest):
    """`set`: one that was uploaded, or one of the server. `finding`: what each of its images is asked for.

    `taken`: the ids of the cases that the form has.
    """

    set: str
    finding: Description = ""
    taken: list[str] = []


class TruthRequest(OpenStudyRequest):
    """`table`: the text of a CSV. `cases`: the ids of the cases that the form has."""

    table: Annotated[str, Field(max_length=LONGEST_TABLE)]
    cases: list[str]


class PictureRequest(OpenStudyRequest):
    """`image`: as a case has it. `size`: the longer side that is wanted, in pixels."""

    image: str
    size: int = 160


class PreviewRequest(OpenStudyRequest):
    """What a reader would see of place `index` of the sequence of the reader `reader`, or the first one."""

    index: int = 0
    reader: str | None = None


class CodesRequest(EditorRequest):
    count: Annotated[int, Field(ge=1, le=200)] = 1


# --- Results ---


class ResultsRequest(Message):
    """`study`: its id, "" for the Probe tab, None for the first that may be seen."""

    code: Code = ""
    study: str | None = None
    version: str | None = None


class PowerRequest(Message):
    """`pilot`: the id of a study with answers, "" to guess what varies from the other numbers."""

    code: Code = ""
    pilot: str = ""
    difference: float = 0.05
    cases: int | None = None
    area: float = 0.85
    positive: float = 0.5
    reader_range: float = 0.05


class EraseRequest(Message):
    """All of one reader of a study, or of the image of a case. `counted`: the key of what was counted, to
    erase it; "" to have it counted."""

    code: Code = ""
    study: str
    reader: str = ""
    case: str = ""
    counted: str = ""


class ExportRequest(Message):
    """`version`: of the study, for iMRMC, JAFROC and what is published. `name`: of a figure or table."""

    code: Code = ""
    study: str | None = None
    format: str
    version: str | None = None
    name: str = ""
