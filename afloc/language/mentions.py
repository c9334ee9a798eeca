"""Mentions: where a sentence names a finding, by its name, a synonym or a pattern."""

import re

from afloc.language.findings import FindingEntry, load_findings, of_lists, whole_words
from afloc.language.vocabulary import SHORTHAND, SPELLINGS

Mention = tuple[int, int, FindingEntry]  # start, end, what is mentioned


_SHORTHAND = tuple((re.compile(pattern), words) for pattern, words in SHORTHAND)
_SPELLINGS = tuple((re.compile(pattern), words) for pattern, words in SPELLINGS)


def expand_shorthand(text: str) -> str:
    """Lower case, "r/o" and "lt" written out."""
    text = text.lower()
    for pattern, words in _SHORTHAND:
        text = pattern.sub(words, text)
    return text


def plain(text: str) -> str:
    """Lower case, shorthand written out, hyphens and slashes as spaces, one spelling."""
    text = re.sub(r"[\s\-–_]+", " ", expand_shorthand(text).replace("/", " / ")).strip()
    for pattern, words in _SPELLINGS:
        text = pattern.sub(words, text)
    return text


@of_lists
def _matcher(
    modality: str,
) -> tuple[re.Pattern, dict[str, FindingEntry], tuple[tuple[re.Pattern, FindingEntry], ...]]:
    terms: dict[str, FindingEntry] = {}
    patterns = []
    for entry in load_findings(modality).values():
        if entry.normal:
            continue
        for term in (entry.name, *entry.synonyms):
            terms.setdefault(singular(plain(term)), entry)
        patterns += [(re.compile(pattern), entry) for pattern in entry.patterns]
    longest_first = sorted(terms, key=len, reverse=True)
    alternatives = (
        re.escape(term[:-1]) + "(?:y|ies)" if term.endswith("y") else re.escape(term) + "(?:s|es|e)?"
        for term in longest_first
    )
    return whole_words(alternatives), terms, tuple(patterns)


def singular(term: str) -> str:
    if term.endswith("ies"):
        return term[:-3] + "y"
    plural = len(term) > 4 and term.endswith("s") and not term.endswith(("ss", "is", "us"))
    return term[:-1] if plural else term


def find_mentions(text: str, modality: str) -> list[Mention]:
    """Every mention, in reading order. A longer one outdoes one it overlaps, but two patterns may overlap:
    "the aorta is tortuous and calcified" is two findings."""
    term, terms, patterns = _matcher(modality)
    nouns, clauses = [], []
    for match in term.finditer(text):
        word = match[0]
        forms = (word, word[:-1], word[:-2], singular(word))
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
