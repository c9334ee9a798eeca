"""Reads what someone typed on an image: which findings it names, whether they are there, and where."""

import re
from dataclasses import dataclass

from afloc.language.findings import of_lists
from afloc.language.mentions import plain
from afloc.language.normal_texts import is_structure, name_structures, read_all_normal, read_normal
from afloc.language.places import find_side, find_zones
from afloc.language.spelling import suggest
from afloc.language.statements import (
    AFFIRMED,
    DENIED,
    DESCRIBED,
    HEDGED,
    NORMAL_STATUS,
    UNKNOWN,
    Span,
    Statement,
    read_spans,
)
from afloc.language.vocabulary import LIKELY, LIKELY_AFTER, QUESTION, SCOPE_END
from afloc.language.words import describes, split_words, unknown_words

_SENTENCE_END = re.compile(
    r"(?<=[\w)%][.;!?])(?<!\bvs\.)(?<!\b[lr]t\.)(?<!\b[lr]\.)(?<!\bdr\.)(?<!\be\.g\.)(?<!\bi\.e\.)\s+|\n+",
    re.I,
)
_NEGATION = re.compile(r"\b(no|not|without|absent|absence|free of|negative for|nor|none)\b", re.I)
_NORMAL = re.compile(r"\b(normal|healthy|clear|unremarkable|intact|within limits|preserved)\b", re.I)


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


@of_lists
def read(text: str, modality: str, known_words: frozenset[str] = frozenset()) -> Reading:
    """Read what someone typed on an image of `modality`.

    `known_words`: the words of the reports that a model learned from (`afloc.language.words.words_of`). A
    sentence with a word that nobody knows is "unknown" as a whole: the word may be a misspelt name, or "no"
    in another language.
    """
    sentences = [each for each in _SENTENCE_END.split(text.strip()) if each] or [text]
    unknown = {each: unknown_words(each, modality, known_words) for each in sentences}
    said = {each: _read_sentence(each, modality, bool(unknown[each])) for each in sentences}
    statements = tuple(dict.fromkeys(statement for each in sentences for statement in said[each]))
    words = tuple(dict.fromkeys(word for each in sentences for word in unknown[each]))
    affirmed = text
    if len(sentences) > 1:
        affirmed = " ".join(filter(None, (_affirmed(each, said[each]) for each in sentences))) or text
    vague = all(each.status in (DESCRIBED, UNKNOWN) for each in statements)
    return Reading(
        text,
        statements,
        affirmed,
        any(_affirms(each, statement) for each in sentences for statement in said[each]),
        suggest(text, modality, words) if vague or words else (),
        words,
        vague and not words and any(QUESTION.search(plain(each)) for each in sentences),
    )


def _read_sentence(sentence: str, modality: str, strange: bool) -> list[Statement]:
    if strange or not split_words(sentence):
        return [Statement("", UNKNOWN)]
    text = plain(sentence)
    if is_structure(text, modality):
        return name_structures(text, modality)
    if spans := _merge(read_normal(text, modality), read_spans(text, modality)):
        return [_hedge_likely(text, *span) for span in spans]
    if normal := read_all_normal(text, modality):
        return [normal]
    if structures := name_structures(text, modality):
        return structures
    if QUESTION.search(text) or not describes(sentence, modality):
        return [Statement("", UNKNOWN)]
    return [Statement("", DESCRIBED, find_side(text), zones=find_zones(text))]


def _merge(normal: list[Span], others: list[Span]) -> list[Span]:
    """Both in reading order. What is affirmed inside the name of something normal is part of that name."""
    kept: list[Span] = []
    for start, end, said in others:
        if said.finding_id == "normal_chest":
            said = Statement(said.finding_id, NORMAL_STATUS)
        inside = any(a <= start and end <= z for a, z, name in normal if name.status == NORMAL_STATUS)
        if said.status == NORMAL_STATUS and normal or inside and said.status in (AFFIRMED, HEDGED):
            continue
        kept.append((start, end, said))
    first, second = (kept, normal) if any(said.status == DENIED for *_, said in normal) else (normal, kept)
    return sorted([*first, *second], key=lambda span: span[0])


def _hedge_likely(text: str, start: int, end: int, said: Statement) -> Statement:
    if said.status != AFFIRMED:
        return said
    likely = LIKELY.search(SCOPE_END.split(text[:start])[-1]) or LIKELY_AFTER.match(text[end:])
    return Statement(said.finding_id, HEDGED, said.side, said.zone, said.zones) if likely else said


def _affirms(sentence: str, said: Statement) -> bool:
    """Whether a statement says that something is there. Tissue that is called benign is there."""
    if said.status not in (AFFIRMED, DENIED, HEDGED):
        return not (_NEGATION.search(sentence) or _NORMAL.search(sentence))
    return said.status != DENIED


def _affirmed(sentence: str, said: list[Statement]) -> str:
    """A sentence up to where it denies something or calls it normal; whole where it goes on to affirm."""
    there = [_affirms(sentence, each) for each in said]
    if all(there):
        return sentence
    if not any(there) and all(each.status in (DENIED, NORMAL_STATUS) for each in said):
        return ""
    if found := _NEGATION.search(sentence):
        before = sentence[: found.start()].rstrip(" ,")
    elif found := _NORMAL.search(sentence):
        before = sentence[: found.start()].rpartition(",")[0]
    else:
        return sentence
    return f"{before}." if before else sentence
