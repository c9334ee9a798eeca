"""Statements: which finding a sentence affirms, denies or hedges, and where.

Read in the manner of NegEx (Chapman et al., J Biomed Inform 2001): words that negate or hedge, their reach.
"""

import re
from dataclasses import dataclass, field, replace
from functools import cache

from afloc.language.findings import FindingEntry, load_findings, whole_words
from afloc.language.modalities import MODALITIES
from afloc.language.vocabulary import (
    BONE_INTACT,
    BONES,
    HEDGE_AFTER,
    HEDGE_BEFORE,
    IGNORED,
    NEGATION_AFTER,
    NEGATION_BEFORE,
    NORMAL,
    NORMAL_SUBJECTS,
    NORMAL_WORDS,
    NORMALITY_START,
    NOT_QUITE_NORMAL,
    NOTHING_ACUTE,
    SCOPE_END,
    SHARED,
    SPELLINGS,
    ZONED,
)

AFFIRMED, DENIED, HEDGED = "affirmed", "denied", "hedged"
NORMAL_STATUS, STRUCTURE, DESCRIBED, UNKNOWN = "normal", "structure", "described", "unknown"

Mention = tuple[int, int, FindingEntry]  # start, end, what is mentioned


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


def read_statements(sentence: str, modality: str) -> list[Statement]:
    """The findings of `modality` that `sentence` affirms, denies or hedges, in reading order."""
    text = _plain(sentence)
    text = re.sub(IGNORED, lambda match: "~" * len(match[0]), text)
    mentions = _find_mentions(text, modality)
    statuses = _statuses(text, mentions)
    places = _share_places(
        text, mentions, statuses, [_place(text, i, mentions) for i in range(len(mentions))]
    )
    statements = [
        Statement(entry.id, status, *place)
        for (_, _, entry), status, place in zip(mentions, statuses, places, strict=True)
    ]
    if MODALITIES[modality].radiology_reports:
        named = {statement.finding_id for statement in statements}
        statements += [said for said in _read_normality(text) if said.finding_id not in named]
    return list(dict.fromkeys(statements))


def _plain(text: str) -> str:
    """Lower case, hyphens and slashes as spaces, one spelling."""
    text = re.sub(r"[\s\-–_]+", " ", text.lower().replace("/", " / ")).strip()
    for pattern, words in SPELLINGS:
        text = re.sub(pattern, words, text)
    return text


@cache
def _matcher(
    modality: str,
) -> tuple[re.Pattern, dict[str, FindingEntry], tuple[tuple[re.Pattern, FindingEntry], ...]]:
    terms: dict[str, FindingEntry] = {}
    patterns = []
    for entry in load_findings(modality).values():
        if entry.normal:
            continue
        for term in (entry.name, *entry.synonyms):
            terms.setdefault(_singular(_plain(term)), entry)
        patterns += [(re.compile(pattern), entry) for pattern in entry.patterns]
    longest_first = sorted(terms, key=len, reverse=True)
    alternatives = (
        re.escape(term[:-1]) + "(?:y|ies)" if term.endswith("y") else re.escape(term) + "(?:s|es|e)?"
        for term in longest_first
    )
    return whole_words(alternatives), terms, tuple(patterns)


def _singular(term: str) -> str:
    if term.endswith("ies"):
        return term[:-3] + "y"
    plural = len(term) > 4 and term.endswith("s") and not term.endswith(("ss", "is", "us"))
    return term[:-1] if plural else term


def _find_mentions(text: str, modality: str) -> list[Mention]:
    """Every mention, in reading order. A longer one outdoes one it overlaps, but two patterns may overlap:
    "the aorta is tortuous and calcified" is two findings."""
    term, terms, patterns = _matcher(modality)
    nouns, clauses = [], []
    for match in term.finditer(text):
        word = match[0]
        forms = (word, word[:-1], word[:-2], _singular(word))
        nouns.append((*match.span(), next(terms[form] for form in forms if form in terms)))
    for pattern, entry in patterns:
        clauses += [
            (*match.span(), entry)
            for match in pattern.finditer(text)
            if not re.search(r"\b(?:normal|unremarkable)\b|, | (?:and|or) .* (?:is|are) ", match[0])
        ]

    def outdone(mention: Mention, others: list[Mention]) -> bool:
        start, end, _ = mention
        return any(
            start < other[1] and other[0] < end and other[1] - other[0] > end - start for other in others
        )

    kept = [noun for noun in nouns if not outdone(noun, clauses)]
    kept += [clause for clause in clauses if not outdone(clause, nouns)]
    kept.sort(key=lambda mention: mention[:2])
    again = {
        second
        for first in range(len(kept))
        for second in range(first + 1, len(kept))
        if kept[second][0] < kept[first][1] and kept[second][2] is kept[first][2]
    }
    return [mention for index, mention in enumerate(kept) if index not in again]


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


def _place(text: str, index: int, mentions: list[Mention]) -> tuple[str | None, str | None]:
    """Side and zone said of a mention: before it in its own phrase, else after it up to the next phrase."""
    start, end, entry = mentions[index]
    if not entry.sided:
        return None, None
    cut = r"[,;:]|\b(?:and|or|with|but|no|without|than)\b"
    if index:
        before = re.split(cut, text[mentions[index - 1][1] : start])[-1]
    else:
        before = re.split(
            r"[;:]|\b(?:is|are|was|were|there|but|with|normal|clear|unremarkable)\b", text[:start]
        )[-1]
    last = index + 1 == len(mentions)
    after = text[end:] if last else text[end : mentions[index + 1][0]]
    if not last:
        phrases = list(re.finditer(cut, after))
        after = after[: phrases[-1].start()] if phrases else ""
    after = re.split(
        r"[;:]|, (?!right|left|greater)|\b(?:but|no|without|which|with|compatible|consistent)\b", after
    )[0]
    before += text[start:end]
    side, zone = find_side(before) or find_side(after), find_zone(before) or find_zone(after)
    if side is None and re.search(r"\blingula", before + after):
        side = "left"
    if side is None and re.search(r"\bmiddle lobe", before + after):
        side = "right"
    return side, zone if entry.family in ZONED else None


def _share_places(
    text: str, mentions: list[Mention], statuses: list[str], places: list[tuple[str | None, str | None]]
) -> list[tuple[str | None, str | None]]:
    """`places` passed on: "left effusion with adjacent atelectasis", "A and B in the left base"."""
    before = (
        r"[^;,]*(?:\b(?:and|or|with|likely|probably)\b|/|compatible|consistent|suggest|represent|relat)[^;,]*"
    )
    after = r" ?(?:and|or|/)(?: \w+){0,2} ?"

    def linked(first: int, second: int, link: str) -> bool:
        between = text[mentions[first][1] : mentions[second][0]]
        inside = all(mentions[i][2].sided and mentions[i][2].family in SHARED for i in (first, second))
        told = DENIED not in (statuses[first], statuses[second])
        return inside and told and re.fullmatch(link, between) is not None

    places = list(places)
    for index in range(1, len(places)):
        if places[index][0] is None and places[index - 1][0] and linked(index - 1, index, before):
            places[index] = places[index - 1][0], places[index][1] or places[index - 1][1]
    for index in reversed(range(len(places) - 1)):
        if places[index][0] is None and places[index + 1][0] and linked(index, index + 1, after):
            places[index] = places[index + 1][0], places[index][1] or places[index + 1][1]
    return places


def find_side(text: str) -> str | None:
    """The side named in lower-case `text`: "left", "right", "bilateral" (both sides, or "bases") or None."""
    text = re.sub(
        r"\b(?:left|right) (?:ventric\w+|atri\w+|heart|main|cardiac (?:border|apex|silhouette)|paratracheal)",
        " ",
        text,
    )
    text = re.sub(r"(?:left|right) (?:greater|more|worse) .*", " bilateral", text)
    sides = set(re.findall(r"\b(left|right)\b", text))
    both = re.search(r"\b(?:bilateral\w*|both|bibasilar|bibasal|biapical|bases|apices)\b", text)
    if len(sides) == 2 or (both and not sides):
        return "bilateral"
    return next(iter(sides), None)


def find_zone(text: str) -> str | None:
    """The zone of the lung named in lower-case `text`, None where it names none or several."""
    zones = {
        "upper": r"\b(?:upper|apex|apical|apices|biapical|suprahilar)\b",
        "middle": r"\b(?:mid|middle|midlung|mid ?zone|lingula\w*|perihilar|hilum|hilar)\b",
        "lower": r"\b(?:lower|bas(?:e|es|al|ilar)|bibasilar|bibasal|retrocardiac|infrahilar|costophrenic)\b",
    }
    found = [zone for zone, pattern in zones.items() if re.search(pattern, text)]
    return found[0] if len(found) == 1 else None


def _read_normality(text: str) -> list[Statement]:
    """What "heart and mediastinum are normal", "lungs are clear", "no acute disease" say."""
    statements = [Statement("normal_chest", AFFIRMED)] if NORMAL.search(text) else []
    if not statements and NOTHING_ACUTE.search(text) and not BONES.search(text):
        statements = [Statement("normal_chest", HEDGED)]
    if BONE_INTACT.search(text):
        statements.append(Statement("fracture", DENIED))
    for match in NORMAL_WORDS.finditer(text):
        before = NORMAL_WORDS.split(NORMALITY_START.split(text[: match.start()])[-1])[-1]
        following = text[match.end() :]
        if NOT_QUITE_NORMAL.search(before) or re.match(r"\W*(?:except|aside|apart|other than)\b", following):
            continue
        words = re.match(r"(?: (?!with\b|no\b|for\b|without\b)\w+){0,4}", following)
        after = words[0] if words else ""
        predicate = re.search(r"\b(?:is|are|appears?|remains?|within|both) *(?:\w+ ){0,2}$", before)
        noun_after = any(re.match(rf"(?: \w+){{0,2}}? {subject}", after) for subject, _, _ in NORMAL_SUBJECTS)
        said = after if noun_after and not predicate else before
        statements += [
            Statement(finding_id, DENIED)
            for subject, words, ids in NORMAL_SUBJECTS
            if re.search(subject, said) and re.search(words, match[0])
            for finding_id in ids
        ]
    if re.search(r"\b(?:heart|cardiac)\b.*(?:limits? of normal|top normal|borderline)", text):
        statements = [said for said in statements if said.finding_id != "cardiomegaly"]
        statements.append(Statement("cardiomegaly", HEDGED))
    return statements


def opposite(statement: Statement) -> Statement:
    """The contrary: what is affirmed or hedged, denied; what is denied, affirmed."""
    return replace(statement, status=AFFIRMED if statement.status == DENIED else DENIED)


def other_side(statement: Statement) -> Statement | None:
    """The same of the other side; None where the statement names no single side."""
    swapped = {"left": "right", "right": "left"}.get(statement.side or "")
    return replace(statement, side=swapped) if swapped else None
