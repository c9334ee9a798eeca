"""What has nothing to judge in a text: that all is normal, and the names of what every image shows."""

import re

from afloc.language.findings import FindingEntry, load_findings, of_lists, whole_words
from afloc.language.mentions import plain, singular
from afloc.language.places import find_side, find_zones
from afloc.language.statements import DENIED, NORMAL_STATUS, STRUCTURE, Span, Statement
from afloc.language.vocabulary import NEGATION_BEFORE
from afloc.language.words import load_structures

# Nothing but this: "normal", "this film is unremarkable", "no abnormality detected".
_IMAGE = (
    r"film|image|picture|scan|study|exam|x ray|xray|cxr|radiograph|photograph|photo|section|slide|specimen"
    r"|eye|fundus|retina|chest|thorax|tissue"
)
_ALL_NORMAL = re.compile(
    r"(?:(?:is|are|was|this|that|it|these|the|an?|all|everything|overall|looks?|appears?|otherwise|completely|entirely"
    rf"|totally|perfectly|quite|just|of|in|with|there|{_IMAGE}) )*"
    r"(?:(?:is |are )?(?:normal|clear|unremarkable|healthy|(?:with)?in normal limits)"
    r"|no (?:(?:acute|active|relevant|obvious|significant|visible|definite|detectable|other|any"
    r"|(?:evidence|signs?) of) ){0,3}(?:abnormal(?:it(?:y|ies)| findings?)|patholog(?:y|ies)|findings?)"
    r"|nothing (?:abnormal|wrong|to see|pathological)|n ?a ?d|without (?:findings?|abnormalit(?:y|ies)))"
    rf"(?: (?:{_IMAGE}|for|age|appearances?|findings?|is|are|can|be|was|detected|seen|found|identified"
    r"|visible|present|noted|shown|here|there|on|in|this|the|at|all|a|of|entirely|completely))*"
)
_NAME_IN = re.compile(
    r"^(?:(?:please|where|what|show|find|locate|see|look at|there|this|me|is|are|the|an?|both|only|just"
    r"|normal|healthy|benign) )+"
    r"|(?: (?:is|are))?(?: (?:normal|present|visible|seen|shown|noted|here|please))+$"
)
_SIDED = re.compile(
    r"^(?:left|right|bilateral) (?:sided )?"
    r"| (?:on|in|of|at) (?:the )?(?:left|right|both)(?: (?:sides?|eye|lung))?$"
)
_AND = re.compile(r" (?:and|with|or|&) |, ?(?:and )?")


def read_normal(text: str, modality: str) -> list[Span]:
    """Where `plain` text calls all of an image normal, or names normal tissue; where it denies that, too."""
    bare = text.strip(" .!?")
    if known := _listed(modality).get(bare):
        return [(0, len(text), known)]
    pattern, names = _normal_names(modality)
    spans: list[Span] = []
    for match in pattern.finditer(text):
        entry = names[singular(match[0])]
        denied = NEGATION_BEFORE.search(text[max(0, match.start() - 25) : match.start()])
        spans.append((*match.span(), Statement(entry.id, DENIED if denied else NORMAL_STATUS)))
    return spans


def read_all_normal(text: str, modality: str) -> Statement | None:
    """What `plain` text says that is nothing but "normal" or "no abnormality seen"."""
    if not _ALL_NORMAL.fullmatch(text.strip(" .!?")):
        return None
    ids = {entry.id for entry in _normal_names(modality)[1].values()}
    return Statement(ids.pop() if len(ids) == 1 else "", NORMAL_STATUS)


def name_structures(text: str, modality: str) -> list[Statement]:
    """The structures of which `plain` text is nothing but the names; empty for any other text."""
    bare = text.strip(" .!?")
    if found := _structure(bare, modality):
        return [found]
    found_all = [_structure(piece, modality) for piece in _AND.split(bare)]
    return [each for each in found_all if each] if all(found_all) else []


def _structure(text: str, modality: str) -> Statement | None:
    names = _structures(modality)
    bare = _NAME_IN.sub("", _NAME_IN.sub("", text))
    without_side = _SIDED.sub("", bare)
    for name in (text, bare, without_side, _NAME_IN.sub("", without_side)):
        key = _key(name)
        if key in names:
            return Statement(names[key], STRUCTURE, find_side(text), zones=find_zones(text))
    return None


def _key(name: str) -> str:
    return " ".join(map(singular, name.split()))


@of_lists
def _structures(modality: str) -> dict[str, str]:
    """The id of each structure's entry by all its names, "" for those without an entry."""
    names = {_key(plain(name)): "" for name in load_structures(modality)}
    for entry in load_findings(modality).values():
        if entry.normal and entry.family != "normal":
            texts = (entry.name, *entry.synonyms, entry.simple, entry.precise, *entry.affirmed)
            names |= {_key(plain(text).strip(" .")): entry.id for text in texts}
    return names


@of_lists
def _listed(modality: str) -> dict[str, Statement]:
    """What the sentences of the lists say of what is normal, and which deny it or a structure."""
    index: dict[str, Statement] = {}
    for entry in load_findings(modality).values():
        if not entry.normal:
            continue
        said = [(text, DENIED) for text in entry.denied]
        if entry.family == "normal":
            said += [(text, NORMAL_STATUS) for text in (entry.simple, entry.precise, *entry.affirmed)]
        index |= {plain(text).strip(" ."): Statement(entry.id, status) for text, status in said}
    return index


@of_lists
def _normal_names(modality: str) -> tuple[re.Pattern, dict[str, FindingEntry]]:
    names = {
        singular(plain(name)): entry
        for entry in load_findings(modality).values()
        if entry.family == "normal"
        for name in (entry.name, *entry.synonyms)
    }
    longest_first = sorted(names, key=len, reverse=True)
    return whole_words(re.escape(name) + "s?" for name in longest_first), names


def is_structure(text: str, modality: str) -> bool:
    """Whether `plain` text is a name or a sentence that the lists have of a structure."""
    return bool(_structures(modality).get(_key(text.strip(" .!?"))))
