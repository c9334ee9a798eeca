"""Reads what someone typed on an image: which findings it names, and whether it affirms or denies them."""

import re
from dataclasses import dataclass
from functools import lru_cache

from afloc.language.descriptions import read_description
from afloc.language.statements import (
    DENIED,
    DESCRIBED,
    NORMAL_STATUS,
    STRUCTURE,
    Statement,
    read_statements,
)


@dataclass(frozen=True)
class Reading:
    """What was found in a description, read once for all who ask.

    `statements`: at least one, in the text's order. `affirmed`: the part that says that something is there,
    which alone has a place on the map; the whole text where nothing does. `affirms`: whether that part denies
    nothing and calls nothing normal. `suggestions`: names of known findings, best first, where something was
    not understood. `unknown_words`: the words that nobody knows, in order. `question`: it asks, and names no
    finding.
    """

    text: str
    statements: tuple[Statement, ...]
    affirmed: str
    affirms: bool
    suggestions: tuple[str, ...] = ()
    unknown_words: tuple[str, ...] = ()
    question: bool = False

    @property
    def main(self) -> Statement:
        """The first statement that names a finding, else the first."""
        return next((each for each in self.statements if each.finding_id), self.statements[0])


@lru_cache(4096)
def read(text: str, modality: str, known_words: frozenset[str] = frozenset()) -> Reading:
    """Read what someone typed on an image of `modality`.

    `known_words`: the words of the reports that a model learned from (`words_of`).
    """
    old = read_description(text, modality)
    statements = tuple(
        Statement(each.finding_id, NORMAL_STATUS) if each.finding_id == "normal_chest" else each
        for each in read_statements(text, modality)
    )
    if old.structure and all(each.status == DENIED for each in statements):
        statements = (Statement(old.structure.id, STRUCTURE),)
    elif not statements and old.subject and old.subject.family == "normal":
        statements = (Statement(old.subject.id, NORMAL_STATUS),)
    return Reading(text, statements or (Statement("", DESCRIBED),), old.affirmed, old.affirms)


def words_of(texts: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The words of reports that count as known, in lower case: those that occur twice or more."""
    counts: dict[str, int] = {}
    for text in texts:
        for word in re.findall(r"[^\W\d_]+", text.lower()):
            counts[word] = counts.get(word, 0) + 1
    return tuple(sorted(word for word, count in counts.items() if count > 1))
