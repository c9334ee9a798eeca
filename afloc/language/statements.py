"""Statements: which finding a sentence affirms, denies or hedges, and where.

Read in the manner of NegEx (Chapman et al., J Biomed Inform 2001): words that negate or hedge, their reach.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from afloc.language.findings import load_findings, of_lists
from afloc.language.mentions import Mention, find_mentions, plain
from afloc.language.modalities import MODALITIES
from afloc.language.normality import read_normality
from afloc.language.places import OPPOSITE_SIDE, find_place, share_places
from afloc.language.vocabulary import (
    AFFIRMED,
    DENIED,
    DOUBLE_NEGATION,
    HEDGE_AFTER,
    HEDGE_BEFORE,
    HEDGED,
    IGNORED,
    NEGATION_AFTER,
    NEGATION_BEFORE,
    QUESTION,
    SCOPE_END,
)

NORMAL_STATUS, STRUCTURE, DESCRIBED, UNKNOWN = "normal", "structure", "described", "unknown"


@dataclass(frozen=True)
class Statement:
    """What is said of one finding.

    `afloc.language.reading` also makes statements that are "normal", "structure", "described" or "unknown":
    the normal ones and some structures have an entry in the lists, the `finding_id` of all others is "".
    `zones`: all parts of the lung that are named, of "upper", "middle", "lower", "apical", "basal", "hilar",
    "peripheral", "retrocardiac"; they do not count in a comparison.
    """

    finding_id: str  # "" where the lists have none
    status: str  # "affirmed", "denied", "hedged", or one of a reading
    side: str | None = None  # "left", "right" or "bilateral"
    zone: str | None = None  # "upper", "middle" or "lower"
    zones: tuple[str, ...] = field(default=(), compare=False)


def placed_statements(statements: Iterable[Statement]) -> list[Statement]:
    """The statements whose place a map shows: those that affirm, or all where none does."""
    statements = tuple(statements)
    said = [each for each in statements if each.status not in (DENIED, NORMAL_STATUS)]
    return said or [each for each in statements if each.status == DENIED]


Span = tuple[int, int, Statement]  # start, end in the text, what is said there


def read_statements(sentence: str, modality: str) -> list[Statement]:
    """The findings of `modality` that `sentence` affirms, denies or hedges."""
    return list(dict.fromkeys(said for _, _, said in read_spans(plain(sentence), modality)))


def read_spans(text: str, modality: str) -> list[Span]:
    """The same of `plain` text, each with where it is said, in reading order.

    A sentence of the lists says what the lists say of it, also where it names nothing ("the central shadow is
    too wide"). What it names beside that stays; but a `precise` one names what the finding looks like.
    """
    found = _find_spans(text, modality)
    for statement, alone in _listed(modality).get(text.rstrip(" ."), ()):
        same = [said for _, _, said in found if _alike(said, statement)] or [statement]
        rest = [] if alone else [s for s in found if s[2] not in same and s[2].status == statement.status]
        found = [(0, len(text), same[0]), *rest]
    return found


def _alike(one: Statement, other: Statement) -> bool:
    return (one.finding_id, one.status) == (other.finding_id, other.status)


@of_lists
def _listed(modality: str) -> dict[str, tuple[tuple[Statement, bool], ...]]:
    """What the sentences of the lists say, by their plain words; whether it is all they say."""
    index: dict[str, tuple[tuple[Statement, bool], ...]] = {}
    for entry in load_findings(modality).values():
        sentences = [(text, AFFIRMED, False) for text in (entry.simple, *entry.affirmed)]
        sentences += [(entry.precise, AFFIRMED, True), *((text, DENIED, False) for text in entry.denied)]
        for text, status, alone in [] if entry.normal else sentences:
            key = plain(text).rstrip(" .")
            index[key] = (*index.get(key, ()), (Statement(entry.id, status), alone))
    return index


def _find_spans(text: str, modality: str) -> list[Span]:
    text = IGNORED.sub(lambda match: "~" * len(match[0]), text)
    mentions = find_mentions(text, modality)
    statuses = _statuses(text, mentions)
    if QUESTION.search(text):
        statuses = [HEDGED if status == AFFIRMED else status for status in statuses]
    places = [find_place(text, index, mentions) for index in range(len(mentions))]
    spans = [
        (start, end, Statement(entry.id, status, place.side, place.zone, place.zones))
        for (start, end, entry), status, place in zip(
            mentions, statuses, share_places(text, mentions, statuses, places), strict=True
        )
    ]
    if MODALITIES[modality].radiology_reports:
        named = {said.finding_id for _, _, said in spans}
        spans += [
            (start, end, Statement(finding_id, status))
            for start, end, finding_id, status in read_normality(text)
            if finding_id not in named
        ]
    return sorted(spans, key=lambda span: span[0])


def _statuses(text: str, mentions: list[Mention]) -> list[str]:
    statuses = [_status(text, start, end) for start, end, _ in mentions]
    for first, (one, two) in enumerate(zip(mentions, mentions[1:], strict=False)):
        either = re.fullmatch(r" ?(?:and )?(?:/|or) (?:\w+ ){0,2}", text[one[1] : two[0]])
        if either and statuses[first] == statuses[first + 1] == AFFIRMED and one[2] != two[2]:
            statuses[first : first + 2] = HEDGED, HEDGED  # "atelectasis or infiltrate" leaves open which
    return statuses


def _status(text: str, start: int, end: int) -> str:
    after = re.split(r"[;.]|\b(?:but|however|although|though)\b", text[end:])[0]
    clause = SCOPE_END.split(text[:start])[-1]
    clause = DOUBLE_NEGATION.sub(lambda match: "~" * len(match[0]), clause)
    hedged, denied = _governing(clause, HEDGE_BEFORE), _governing(clause, NEGATION_BEFORE)
    if hedged > denied or HEDGE_AFTER.match(after):  # "cannot exclude" ends after its "not"
        return HEDGED
    inside = re.search(r"\b(?:not|no|without)\b", text[start:end])
    return DENIED if denied >= 0 or inside or NEGATION_AFTER.match(after) else AFFIRMED


def _governing(clause: str, trigger: re.Pattern) -> int:
    """Where the last trigger in `clause` that reaches its end stops, -1 where none does.

    "No A, B, or C" is a list; in "no A, small left B" and "no A and mild B" something new begins.
    """
    triggers = list(trigger.finditer(clause))
    if not triggers:
        return -1
    pieces = re.split(
        r",|\band(?= (?:stable|mild|moderate|small|minimal|there)\b)", clause[triggers[-1].end() :]
    )
    new = r"\s*(?:and |with )?(?:there|stable|mild|moderate|small|minimal|persistent|unchanged|the|an?)\b"
    verb = r"\b(?:is|are|was|were|has|have|appears?|remains?)\b"
    broken = any(re.match(new, piece) or re.search(verb, piece) for piece in pieces[1:])
    return -1 if broken else triggers[-1].end()


def opposite(statement: Statement) -> Statement:
    """The contrary: what is affirmed or hedged, denied; what is denied, affirmed."""
    return replace(statement, status=AFFIRMED if statement.status == DENIED else DENIED)


def other_side(statement: Statement) -> Statement | None:
    """The same of the other side; None where the statement names no single side."""
    swapped = OPPOSITE_SIDE.get(statement.side or "")
    return replace(statement, side=swapped) if swapped else None
