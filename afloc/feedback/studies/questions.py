"""What a study asks on each case. One object a kind of question, in `KINDS`.

A new kind is a class here, its control in the page's questions.js, and a line in `assets/studies/demo.toml`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Scale = Literal["ordinal", "nominal"]


@dataclass(frozen=True)
class Column:
    """What a data frame has of a question: an SQL expression on a row of `events`, and its parameters."""

    sql: str
    parameters: Sequence[Any]


class Kind:
    """A kind of question. The page and study files name it `name`.

    `scale`: how two answers compare, which decides the tables and figures: "ordinal" by their distance (a
    weighted kappa), "nominal" only as same or not; None where answers are not compared. `has_labels`: whether
    the study says what can be answered; `may_have_labels`: whether it may. `drawn`: whether the answer is
    what is drawn on the image.
    """

    name: str
    scale: Scale | None = None
    has_labels = False
    may_have_labels = False
    drawn = False

    def accepts(self, answer: Any, labels: Sequence[str]) -> bool:
        """Whether an answer that was given is one."""
        raise NotImplementedError

    def column(self, question_id: str, labels: Sequence[str]) -> Column | None:
        """The answers as numbers or text; None where they are no column of their own."""
        return Column("answers ->> ?", [_path(question_id)])


class Rating(Kind):
    """An ordered scale, answered 1 to len(labels)."""

    name, scale, has_labels = "rating", "ordinal", True

    def accepts(self, answer: Any, labels: Sequence[str]) -> bool:
        return type(answer) is int and 1 <= answer <= len(labels)

    def column(self, question_id: str, labels: Sequence[str]) -> Column:
        return Column("TRY_CAST(answers ->> ? AS INTEGER)", [_path(question_id)])


class Choice(Kind):
    """One of the labels."""

    name, scale, has_labels = "choice", "nominal", True

    def accepts(self, answer: Any, labels: Sequence[str]) -> bool:
        return answer in labels

    def column(self, question_id: str, labels: Sequence[str]) -> Column:
        """The number of the label, from 1."""
        sql = "nullif(list_position(?::VARCHAR[], answers ->> ?), 0)"
        return Column(sql, [list(labels), _path(question_id)])


class Text(Kind):
    """Free text."""

    name = "text"

    def accepts(self, answer: Any, labels: Sequence[str]) -> bool:
        return isinstance(answer, str)


class Regions(Kind):
    """Boxes and outlines drawn on the image; the event checks them.

    With labels each region is rated, 1 to len(labels): the answer is the list of ratings, in the order of the
    regions.
    """

    name, drawn, may_have_labels = "regions", True, True

    def accepts(self, answer: Any, labels: Sequence[str]) -> bool:
        return isinstance(answer, list) and all(KINDS["rating"].accepts(each, labels) for each in answer)

    def column(self, question_id: str, labels: Sequence[str]) -> None:
        return None  # what is drawn has columns of its own


KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (Rating(), Choice(), Text(), Regions())}


@dataclass(frozen=True)
class Question:
    """What a reader is asked on each case. `kind`: the name of its `type`, ValueError for none of KINDS."""

    id: str
    text: str
    kind: str
    labels: tuple[str, ...] = ()
    required: bool = True

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"a question is one of {', '.join(KINDS)}, not {self.kind!r}")

    @property
    def type(self) -> Kind:
        return KINDS[self.kind]

    @property
    def scale(self) -> Scale | None:
        """As `Kind.scale`."""
        return self.type.scale

    def accepts(self, answer: Any) -> bool:
        """Whether an answer that was given is on the question's scale."""
        return self.type.accepts(answer, self.labels)

    def column(self) -> Column | None:
        """As `Kind.column`."""
        return self.type.column(self.id, self.labels)


def _path(question_id: str) -> str:
    return f'$."{question_id}"'
