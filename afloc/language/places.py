"""Places: the side and the zone of the lung that a sentence gives a finding."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from afloc.language.mentions import Mention
from afloc.language.vocabulary import DENIED, SHARED, ZONED

ZONES = {
    "upper": r"upper|top|suprahilar|clavic\w+",
    "middle": r"mid|middle|midlung|lingula\w*",
    "lower": r"lower|bottom|infrahilar",
    "apical": r"apex|apical|apices|biapical",
    "basal": r"bas(?:e|es|al|ilar)|bibasilar|bibasal|costophrenic",
    "hilar": r"hil(?:ar|um|a|i)|perihilar|suprahilar|infrahilar",
    "peripheral": r"peripher\w+|subpleural",
    "retrocardiac": r"retrocardiac|behind (?:the )?heart",
}
OPPOSITE_SIDE = {"left": "right", "right": "left"}
_ANY_ZONE = {zone: re.compile(rf"\b(?:{words})\b") for zone, words in ZONES.items()}


@dataclass(frozen=True)
class Place:
    """Where a finding is: "left", "right" or "bilateral"; "upper", "middle" or "lower"; all zones named."""

    side: str | None = None
    zone: str | None = None
    zones: tuple[str, ...] = ()


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


def find_zones(text: str) -> tuple[str, ...]:
    """All zones named in lower-case `text`."""
    return tuple(zone for zone, pattern in _ANY_ZONE.items() if pattern.search(text))


def find_place(text: str, index: int, mentions: Sequence[Mention]) -> Place:
    """The place said of a mention: before it in its own phrase, else after it up to the next phrase."""
    start, end, entry = mentions[index]
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
    zones = find_zones(f"{before} {after}")
    if not entry.sided:
        return Place(zones=zones)
    side, zone = find_side(before) or find_side(after), find_zone(before) or find_zone(after)
    if side is None and re.search(r"\blingula", before + after):
        side = "left"
    if side is None and re.search(r"\bmiddle lobe", before + after):
        side = "right"
    return Place(side, zone if entry.family in ZONED else None, zones)


def share_places(
    text: str, mentions: Sequence[Mention], statuses: Sequence[str], places: Sequence[Place]
) -> list[Place]:
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

    def handed(to: Place, source: Place) -> Place:
        if to.side or not source.side:
            return to
        return Place(source.side, to.zone or source.zone, to.zones or source.zones)

    shared = list(places)
    for index in range(1, len(shared)):
        if linked(index - 1, index, before):
            shared[index] = handed(shared[index], shared[index - 1])
    for index in reversed(range(len(shared) - 1)):
        if linked(index, index + 1, after):
            shared[index] = handed(shared[index], shared[index + 1])
    return shared
