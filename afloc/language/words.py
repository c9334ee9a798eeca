"""The words of descriptions: which are known, and which say something of an image.

Known are the words of the lists of findings and their wordings, the English words of words.toml, and those of
the reports that a model learned from. A text with any other word was not understood.
"""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from afloc.language import findings
from afloc.language.findings import load_findings, of_lists
from afloc.language.mentions import expand_shorthand, plain
from afloc.language.modalities import MODALITIES
from afloc.language.phrases import load_wordings
from afloc.schema import read_toml

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_FIGURE = re.compile(
    r"\d+(?:[.,:x×*/]\d+)*(?:\s*(?:mm|cm|st|nd|rd|th)\b|[^\W\d_]{1,2}\b|\s*%)?|\b[^\W\d_]{1,2}\d\w*"
)
_PREFIXES = (
    "non", "re", "un", "sub", "supra", "infra", "peri", "para", "bi", "multi", "retro", "intra", "inter",
    "extra", "micro", "macro", "hyper", "hypo", "post", "pre", "over", "under",
)  # fmt: skip
_MADE = (("like", ""), ("ish", ""), ("shaped", ""), ("most", ""), ("ward", ""), ("wards", ""))
_READABLE = 2  # letters a piece: a word in smaller pieces is spelled out, not known
_RARE = 0.01  # a word near a name's is a typing error of it if it is rarer than this share of it


def split_words(text: str) -> list[str]:
    """The words of a text in lower case, shorthand written out, without figures and their units."""
    return _WORD.findall(_FIGURE.sub(" ", expand_shorthand(text)))


def unknown_words(text: str, modality: str, known_words: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The words of a text that nobody knows, in order, each once."""
    known = _known(modality)
    return tuple(
        dict.fromkeys(
            word
            for word in split_words(text)
            if not any(form in known or form in known_words for form in _forms(word))
        )
    )


def describes(text: str, modality: str) -> bool:
    """Whether a text of known words says something of an image: what is seen, or where. Of somebody's history
    ("woman with chest pain") the words for what is seen do, but not those for parts of the body."""
    words = split_words(text)
    general = _general()
    telling = general["descriptive"] | _words_of_lists(modality)
    if general["people"].intersection(words):
        telling = general["descriptive"] - _anatomy()
    silent = general["silent"] | general["people"]
    return any(
        form in telling and form not in silent
        for word in words
        if len(word) > 1 and word not in silent
        for form in _forms(word)
    )


def words_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The words of reports that count as known from now on: all but typing errors in names of findings."""
    counts = Counter(word for text in texts for word in split_words(text) if len(word) > 1)
    named = {word: counts[word] for modality in MODALITIES for word in words_of_names(modality)}
    long_names = [word for word in named if len(word) > 4]
    known = _english().union(*map(_words_of_lists, MODALITIES))

    def misspelt(word: str) -> bool:
        if len(word) < 4 or any(form in known for form in _forms(word)):
            return False
        near = process.extract(
            word, long_names, scorer=OSA.distance, score_cutoff=1 + (len(word) > 8), limit=None
        )
        return any(counts[word] < max(3, _RARE * named[name]) for name, _, _ in near)

    return tuple(sorted(word for word, count in counts.items() if not misspelt(word)))


def is_known(word: str, pieces: int) -> bool:
    """Whether the model can have met a word: it stands in the lists of findings, or its pieces say something.

    The vocabulary can spell any word; one that takes a piece for every letter or two is unknown.
    """
    if pieces == 0:
        return False
    if pieces == 1 or len(word) / pieces > _READABLE:
        return True
    return any(word.lower() in _words_of_lists(modality) for modality in MODALITIES)


@of_lists
def words_of_names(modality: str) -> frozenset[str]:
    """The words of the names and synonyms of findings."""
    return frozenset(
        word
        for entry in load_findings(modality).values()
        for term in (entry.name, *entry.synonyms)
        for word in (*split_words(term), *plain(term).split())
    )


@cache
def load_structures(modality: str) -> frozenset[str]:
    """What images of a modality show in everybody, beside what has a table in the lists; in the singular."""
    return frozenset(_tables("structures.toml").get(modality, ()))


@of_lists
def _words_of_lists(modality: str) -> frozenset[str]:
    entries = load_findings(modality).values()
    texts = [*load_structures(modality)]
    for entry in entries:
        texts += [entry.name, *entry.synonyms, entry.simple, entry.precise, entry.where]
        texts += [*entry.affirmed, *entry.denied]
    own = _words(texts)
    translated = _words(text for entry in entries for _, names in entry.translations for text in names)
    wordings = _words(text for ways in load_wordings(modality).values() for text in ways)
    return own | (wordings - translated - _general()["foreign"])


def _words(texts: Iterable[str]) -> frozenset[str]:
    text = "\n.\n".join(texts)  # at once, which is faster
    return frozenset((*split_words(text), *_WORD.findall(plain(text))))


@cache
def _general() -> dict[str, frozenset[str]]:
    return {kind: frozenset(split_words(words)) for kind, words in _tables("words.toml").items()}


@cache
def _english() -> frozenset[str]:
    general = _general()
    return general["silent"] | general["people"] | general["descriptive"]


@of_lists
def _known(modality: str) -> frozenset[str]:
    return _words_of_lists(modality) | _english()


@cache
def _anatomy() -> frozenset[str]:
    names = (name for modality in MODALITIES for name in load_structures(modality))
    return frozenset(word for name in names for word in name.split())


def _tables(name: str) -> dict:
    return read_toml(findings.FOLDER / name, f"The words of descriptions are missing: put back {name}.")


def _forms(word: str) -> Iterable[str]:
    """A word, in one spelling, in the singular, without "'s", "-ly" or a prefix."""
    yield word
    yield plain(word)
    for ending, instead in (
        ("'s", ""),
        ("s", ""),
        ("es", ""),
        ("ies", "y"),
        ("ly", ""),
        ("ally", ""),
        *_MADE,
    ):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) > 2:
            yield word[: -len(ending)] + instead
    for prefix in _PREFIXES:
        if word.startswith(prefix) and len(word) - len(prefix) > 4:
            yield word[len(prefix) :]
