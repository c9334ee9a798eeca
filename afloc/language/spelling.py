"""Suggestions: the known findings that a misspelt, foreign or half-typed text may mean."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from afloc.language.findings import load_findings, of_lists
from afloc.language.mentions import expand_shorthand, find_mentions, plain

_MOST = 5  # suggestions
_WIDEST = 7  # words of a window
_FEW = 2  # words that may be a part of a name
_LONGEST = 14  # words of a text that may be a name with a typing error that makes another word of it
_NEAR = 0.75  # this alike, a misspelt word is taken for the name before what the text names beside it
_MOST_DIFFERING = 5  # letters
_ALIKE = 0.6  # less alike is no suggestion
_NEARLY_THE_SAME = 0.86  # so much alike must a name be where every word of the text is known
_SHORT, _ALIKE_SHORT = 5, 0.34  # letters of a short name, and what is alike to it
_TYPING_ERRORS = 2
_LONG = 20  # letters in which a name may have one more
_COST = 3  # letters in common that a differing one weighs up
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"[\u3400-\u9fff]+")


@dataclass(frozen=True)
class _Terms:
    """All names and synonyms of a modality in all languages, folded, with the name each stands for."""

    folded: tuple[str, ...]
    names: tuple[str, ...]
    lengths: np.ndarray
    english: np.ndarray
    unspaced: tuple[tuple[str, str], ...]  # those of languages without spaces, longest first


def suggest(text: str, modality: str, unknown: Sequence[str] = ()) -> tuple[str, ...]:
    """The names of the findings that a text may mean, best first.

    `unknown`: its words that nobody knows: what is near them comes first, then what the text names in words
    that are known. Without any, a name that the text nearly is, or of which one or two words are a part.
    """
    terms = _terms(modality)
    words = _words(text)
    if not words:
        return ()
    if not unknown:
        if len(words) > _LONGEST:
            return ()
        windows = [" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 3, len(words) + 1)]
        found = _nearest([" ".join(words), *windows], terms, _NEARLY_THE_SAME)
        within = [
            name
            for term, name in zip(terms.folded, terms.names, strict=True)
            if len(words) <= _FEW and f" {' '.join(words)} " in f" {term} "
        ]
        return tuple(dict.fromkeys([*(name for _, name in found), *within]))[:_MOST]
    strange = {part for word in unknown for part in _words(word)}
    windows = [
        " ".join(words[start:end])
        for start in range(len(words))
        for end in range(start + 1, min(start + _WIDEST, len(words)) + 1)
        if strange.intersection(words[start:end])
    ]
    near = _nearest(windows, terms, short=len(strange) == 1)
    unspaced = [name for term, name in terms.unspaced if term in text]
    named = [entry.name for _, _, entry in find_mentions(plain(text), modality)]
    best = [name for very, name in near if very]
    return tuple(dict.fromkeys([*unspaced, *best, *named, *(name for _, name in near)]))[:_MOST]


def fold(text: str) -> str:
    """Lower case without accents, "ß" and "ø" as letters of the alphabet."""
    text = unicodedata.normalize("NFKD", text.casefold().replace("ø", "o").replace("œ", "oe"))
    return "".join(each for each in text if not unicodedata.combining(each))


def _words(text: str) -> list[str]:
    return _WORD.findall(fold(expand_shorthand(text)))


def _nearest(
    windows: list[str], terms: _Terms, alike: float = _ALIKE, short: bool = False
) -> list[tuple[bool, str]]:
    """The names of terms that are near one of `windows`, best first, and whether they are very near. `short`:
    a name of few letters may differ more.

    First those that are very near, of these the one with the most letters in common: "plueral efusion" is
    pleural effusion rather than effusion.
    """
    if not windows or not terms.folded:
        return []
    distances = process.cdist(
        windows, terms.folded, scorer=OSA.distance, score_cutoff=_MOST_DIFFERING, dtype=np.int32
    )
    lengths = np.maximum(np.array([len(window) for window in windows])[:, None], terms.lengths[None])
    likeness = np.where(distances <= _MOST_DIFFERING, 1 - distances / lengths, 0)
    best = likeness.argmax(0), np.arange(len(terms.folded))
    likeness, distance = likeness[best], distances[best]
    common = terms.lengths - _COST * distance
    near = likeness >= alike
    if short:
        near |= (
            terms.english
            & (terms.lengths <= _SHORT)
            & (distance <= _TYPING_ERRORS)
            & (likeness >= _ALIKE_SHORT)
        )
    kept = np.flatnonzero(near)
    very = (likeness >= _NEAR) & (distance <= _TYPING_ERRORS + terms.lengths // _LONG)
    where = best[0]

    def rank(i: int) -> tuple:
        shared = (Counter(windows[where[i]]) & Counter(terms.folded[i])).total() if short else 0
        return not very[i], -common[i] if very[i] else -likeness[i], -shared

    order = sorted(kept.tolist(), key=rank)
    return [(bool(very[i]), terms.names[i]) for i in order]


@of_lists
def _terms(modality: str) -> _Terms:
    spaced: dict[str, tuple[str, bool]] = {}
    unspaced: dict[str, str] = {}
    for entry in load_findings(modality).values():
        if entry.normal and entry.family != "normal":
            continue
        english = (entry.name, *entry.synonyms)
        for term in (*english, *_foreign(entry.translations)):
            if _UNSPACED.search(term):
                unspaced.setdefault(term, entry.name)
            else:
                spaced.setdefault(" ".join(_words(term)), (entry.name, term in english))
    return _Terms(
        tuple(spaced),
        tuple(name for name, _ in spaced.values()),
        np.array([len(term) for term in spaced]),
        np.array([english for _, english in spaced.values()]),
        tuple(sorted(unspaced.items(), key=lambda item: -len(item[0]))),
    )


def _foreign(translations: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    return [term for _, terms in translations for term in terms]
