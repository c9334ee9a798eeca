"""How the reader takes typing errors: `python -m tests.language.misspell`, with a fixed seed.

Every name and synonym with one and with two typing errors, alone and in a sentence with a side and a denial.
Right is a text that gets no verdict and the name of its finding as the first suggestion, or that still reads
as it.
"""

import random
import string
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from afloc.language.findings import load_findings
from afloc.language.modalities import MODALITIES
from afloc.language.reading import read

SENTENCES = ("{}", "No left {} is seen.", "Small right {}, unchanged")
SHORT = 5  # letters


@dataclass(frozen=True)
class Misspelt:
    """A name with typing errors, in a sentence."""

    modality: str
    finding_id: str
    term: str
    text: str
    errors: int

    @property
    def kind(self) -> str:
        return f"{'short' if len(self.term) <= SHORT else 'long'}, {self.errors}"


def misspell(word: str, errors: int, rng: random.Random) -> str:
    """`word` with so many letters left out, put in, changed, or swapped with the next."""
    changed = word
    while changed == word:
        changed = word
        for _ in range(errors):
            places = [i for i, letter in enumerate(changed) if letter.isalpha()]
            if not places:
                break
            at, letter = rng.choice(places), rng.choice(string.ascii_lowercase)
            kind = rng.choice(("left out", "put in", "changed", "swapped"))
            if kind == "left out" and len(places) > 1:
                changed = changed[:at] + changed[at + 1 :]
            elif kind == "put in":
                changed = changed[:at] + letter + changed[at:]
            elif kind == "swapped" and at + 1 in places:
                changed = changed[:at] + changed[at + 1] + changed[at] + changed[at + 2 :]
            else:
                changed = changed[:at] + letter + changed[at + 1 :]
    return changed


def misspelt(rng: random.Random) -> Iterator[Misspelt]:
    for modality in MODALITIES:
        for entry in load_findings(modality).values():
            for term in () if entry.normal else (entry.name, *entry.synonyms):
                for errors in (1, 2):
                    for sentence in SENTENCES:
                        text = sentence.format(misspell(term, errors, rng))
                        yield Misspelt(modality, entry.id, term, text, errors)


def outcome(case: Misspelt) -> str:
    """ "right"; "other name first"; or "verdict", on another finding."""
    reading = read(case.text, case.modality)
    findings = load_findings(case.modality)
    if reading.main.finding_id == case.finding_id:
        return "right"
    if reading.main.finding_id and not findings[reading.main.finding_id].normal:
        return "verdict"
    first = reading.suggestions[0] if reading.suggestions else None
    return "right" if first == findings[case.finding_id].name else "other name first"


def main() -> None:
    start, outcomes = time.perf_counter(), defaultdict(list)
    for case in misspelt(random.Random(0)):
        outcomes[case.kind].append((outcome(case), case))
    total = sum(map(len, outcomes.values()))
    print(f"{total} texts, {(time.perf_counter() - start) / total * 1e3:.1f} ms each")
    for kind, found in sorted(outcomes.items()):
        right = sum(each == "right" for each, _ in found)
        verdicts = sum(each == "verdict" for each, _ in found)
        print(f"{kind:10}{right / len(found):7.1%} right of {len(found)}, {verdicts} verdicts on another")


if __name__ == "__main__":
    main()
