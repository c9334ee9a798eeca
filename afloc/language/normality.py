"""Normality: what a sentence on a chest film denies by calling something normal."""

import re
from collections.abc import Iterator

from afloc.language.vocabulary import (
    AFFIRMED,
    BONE_INTACT,
    BONES,
    DENIED,
    HEDGED,
    NORMAL,
    NORMAL_SUBJECTS,
    NORMAL_WORDS,
    NORMALITY_START,
    NOT_QUITE_NORMAL,
    NOTHING_ACUTE,
)

Normality = tuple[int, int, str, str]  # start, end, the finding, its status

_BORDERLINE_HEART = re.compile(r"\b(?:heart|cardiac)\b.*(?:limits? of normal|top normal|borderline)")
_EXCEPTED = re.compile(r"\W*(?:except|aside|apart|other than)\b")
_NEXT_WORDS = re.compile(r"(?: (?!with\b|no\b|for\b|without\b)\w+){0,4}")
_PREDICATE = re.compile(r"\b(?:is|are|appears?|remains?|within|both) *(?:\w+ ){0,2}$")


def read_normality(text: str) -> list[Normality]:
    """What "heart and mediastinum are normal", "lungs are clear", "no acute disease" say."""
    said = list(_read_whole(text))
    if found := BONE_INTACT.search(text):
        said.append((*found.span(), "fracture", DENIED))
    for match in NORMAL_WORDS.finditer(text):
        said += [(*match.span(), finding_id, DENIED) for finding_id in _called_normal(text, match)]
    if found := _BORDERLINE_HEART.search(text):
        said = [each for each in said if each[2] != "cardiomegaly"]
        said.append((*found.span(), "cardiomegaly", HEDGED))
    return said


def _read_whole(text: str) -> Iterator[Normality]:
    if found := NORMAL.search(text):
        yield (*found.span(), "normal_chest", AFFIRMED)
    elif (found := NOTHING_ACUTE.search(text)) and not BONES.search(text):
        yield (*found.span(), "normal_chest", HEDGED)


def _called_normal(text: str, match: re.Match) -> Iterator[str]:
    """The findings that one normal word denies."""
    before = NORMAL_WORDS.split(NORMALITY_START.split(text[: match.start()])[-1])[-1]
    following = text[match.end() :]
    if NOT_QUITE_NORMAL.search(before) or _EXCEPTED.match(following):
        return
    words = _NEXT_WORDS.match(following)
    after = words[0] if words else ""
    noun_after = any(re.match(rf"(?: \w+){{0,2}}? {subject}", after) for subject, _, _ in NORMAL_SUBJECTS)
    said = after if noun_after and not _PREDICATE.search(before) else before
    for subject, normal, ids in NORMAL_SUBJECTS:
        if re.search(subject, said) and re.search(normal, match[0]):
            yield from ids
