"""Reads a typed description: what it names, affirms and denies, and remarks on that."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from afloc.language.findings import (
    FindingEntry,
    find_in_text,
    find_normal_in_text,
    find_structure,
    load_findings,
)
from afloc.language.modalities import MODALITIES

_NEGATION = re.compile(r"\b(no|not|without|absent|absence|free of|negative for|nor|none)\b", re.I)
_NORMAL = re.compile(r"\b(normal|healthy|clear|unremarkable|intact|within limits|preserved)\b", re.I)
_SENTENCE_END = re.compile(r"(?<=[.;!?])\s+|\n+")
_SIDE = re.compile(r"\b(left|right)\b", re.I)
_MOST_NAMED = 3  # unknown words in one remark
_READABLE = 2  # letters a piece: a word in smaller pieces is spelled out, not known


@dataclass(frozen=True)
class ReadText:
    """What was found in a description, read once for all who ask.

    `affirmed`: the part that says that something is there, which alone has a place on the map; the whole text
    where nothing does. `affirms`: whether no word of that part denies or calls normal. `pathology`: the one
    it names first. `structure`: the one whose name alone it is. `subject`: what it is about, the pathology or
    else a structure or tissue. `negation`, `side`: the first word that negates or names a side.
    """

    text: str
    affirmed: str
    affirms: bool
    pathology: FindingEntry | None
    structure: FindingEntry | None
    subject: FindingEntry | None
    negation: str | None
    side: str | None


def read_description(text: str, modality: str) -> ReadText:
    """Read what someone typed on an image of `modality`."""
    affirmed = affirmed_part(text, modality)
    pathology = find_in_text(text, modality)
    negation, side = _NEGATION.search(text), _SIDE.search(text)
    return ReadText(
        text,
        affirmed,
        affirms(affirmed),
        pathology,
        find_structure(text, modality),
        pathology or find_normal_in_text(text, modality),
        negation and negation[0],
        side and side[0],
    )


def is_known(word: str, pieces: int) -> bool:
    """Whether the model can have met a word: it stands in the lists of findings, or its pieces say something.

    The vocabulary can spell any word; one that takes a piece for every letter or two is unknown.
    """
    plain = word.lower()
    if pieces == 0:
        return False
    return pieces == 1 or plain in _words_of_findings() or len(plain) / pieces > _READABLE


def remarks(read: ReadText, unknown: Iterable[str], tells_laterality: bool = False) -> list[str]:
    """Sentences on what the model makes of a description: words it does not know, a negation, a side, and
    which part has no place on the map.

    `unknown`: the words that are not known. `tells_laterality`: whether the model tells left from right.
    """
    said = []
    if words := list(dict.fromkeys(unknown)):
        named = ", ".join(f"“{word}”" for word in words[:_MOST_NAMED])
        said.append(f"The model does not know {named}: check the spelling or use another word.")
    if read.negation:
        said.append(
            f"“{read.negation}” negates: the number is for the whole sentence, "
            "high where the finding is missing."
        )
    if read.affirmed != read.text:
        said.append(f"The map is of what is there: “{read.affirmed}”")
    if read.side and not tells_laterality:
        said.append(f"This model does not reliably tell left from right; “{read.side}” may change nothing.")
    return said


def affirmed_part(description: str, modality: str) -> str:
    """The part of a description that says that something is there: only this has a place on the map.

    Of several sentences, those that deny something or call it normal are left out, or cut before the clause
    that does so. A description that affirms nothing stays whole, and so does a single sentence.
    """
    sentences = [each for each in _SENTENCE_END.split(description.strip()) if each]
    if len(sentences) < 2:
        return description
    return " ".join(filter(None, (_affirmed(each, modality) for each in sentences))) or description


def affirms(description: str) -> bool:
    """Whether a description says that something is there: no word of it denies something or calls it normal.
    "Benign" does neither: benign tissue has a place."""
    return not (_NEGATION.search(description) or _NORMAL.search(description))


def _affirmed(sentence: str, modality: str) -> str:
    if found := _NEGATION.search(sentence):
        before = sentence[: found.start()].rstrip(" ,")
        return f"{before}." if find_in_text(before, modality) else ""
    if found := _NORMAL.search(sentence):
        before, _, _ = sentence[: found.start()].rpartition(",")
        return f"{before}." if before else ""
    return sentence


@cache
def _words_of_findings() -> frozenset[str]:
    texts = (
        text
        for modality in MODALITIES
        for entry in load_findings(modality).values()
        for text in (entry.name, *entry.synonyms, entry.simple, entry.precise, entry.where, *entry.affirmed)
    )
    return frozenset(word for text in texts for word in re.findall(r"\w+", text.lower()))
