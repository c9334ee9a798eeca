"""What a whole table knows of its rows at once: which finding is there, as small numbers.

A closed-world assumption is made here: a finding that a source reports in other rows, and that a row does not
name, is absent from it.
"""

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from afloc.language.findings import load_findings
from afloc.training.data.facts import Fact

UNNAMED, ABSENT, PRESENT, OPEN = -1, 0, 1, 2  # what is known of a finding in a row; OPEN: named, and unknown
COMMON = 20  # a finding that at least 20 images have is common: every batch may ask for it
MIN_BOTH_WAYS = 5  # images that a source needs with a finding, and without it, to be trained on that finding


@dataclass(frozen=True)
class FactIndex:
    """N rows and F findings. `facts` int8 (N, F): what is known. `affirmed` bool (N, F): what the row itself
    affirms. `source` (N,): the number of its source among `sources`. `held_back` bool (N,): the rows of the
    calibration split."""

    modality: str
    findings: tuple[str, ...]
    facts: np.ndarray
    affirmed: np.ndarray
    sources: tuple[str, ...]
    source: np.ndarray
    held_back: np.ndarray

    @cached_property
    def usable(self) -> np.ndarray:
        """bool (N,): the rows that batches may draw."""
        return np.logical_or.reduce(self.facts != UNNAMED, axis=1) & ~self.held_back

    @cached_property
    def has_pathology(self) -> np.ndarray:
        """bool (N,): the rows that affirm a finding that is not normal."""
        entries = load_findings(self.modality)
        pathologies = [not entries[finding].normal for finding in self.findings]
        return np.logical_or.reduce(self.affirmed[:, pathologies], axis=1)

    def counts(self, source: int) -> np.ndarray:
        """(2, F): in how many rows of a source each finding is absent, and present."""
        mine = self.facts[self.source == source]
        return np.stack([(mine == ABSENT).sum(0), (mine == PRESENT).sum(0)])

    def common_findings(self) -> dict[str, int]:
        """The findings that at least COMMON images have, with their number; first those that the first rows
        know of."""
        known = (self.facts == ABSENT) | (self.facts == PRESENT)
        first = np.where(known.any(0), known.argmax(0), len(known))
        numbers = (self.facts == PRESENT).sum(0)
        order = np.argsort(first, kind="stable")
        return {self.findings[f]: int(numbers[f]) for f in order if numbers[f] >= COMMON}


def code(fact: Fact | None) -> int:
    """What a fact says, as a number of the index."""
    if fact is None:
        return UNNAMED
    return OPEN if math.isnan(fact.present) else int(fact.present)


def index_rows(
    modality: str, rows: Iterable[tuple[str, Mapping[str, Fact], Iterable[str], bool]]
) -> FactIndex:
    """The index of rows, each with its source, its facts, the findings that it affirms, and whether it is
    held back."""
    findings = tuple(load_findings(modality))
    sources: dict[str, int] = {}
    facts, affirmed, source, held_back = bytearray(), bytearray(), array("i"), bytearray()
    for name, known, said, held in rows:
        facts += np.array([code(known.get(finding)) for finding in findings], np.int8).tobytes()
        affirmed += bytes(finding in said for finding in findings)
        source.append(sources.setdefault(name, len(sources)))
        held_back.append(held)
    shape = len(source), len(findings)
    return FactIndex(
        modality,
        findings,
        np.frombuffer(facts, np.int8).reshape(shape),
        np.frombuffer(affirmed, bool).reshape(shape),
        tuple(sources),
        np.array(source, np.int32),
        np.frombuffer(held_back, bool),
    )


def close_world(index: FactIndex, weak: Sequence[str] = ()) -> np.ndarray:
    """The facts of an index under the closed-world assumption: int8 (N, F).

    Three exceptions. If the row affirms a finding of the same family, the finding stays unknown: one reader's
    "consolidation" may be another reader's "pneumonia". If a source has too few images with or without a
    finding, the finding is unknown in all its rows, or the model would learn the source instead of the
    finding; so it is in the rows of a `weak` source where no other source can teach it. Structures that every
    image has, such as the optic disc, are left as they are.
    """
    entries = load_findings(index.modality)
    families = np.array([entries[finding].family for finding in index.findings])
    structure = families == "structure"
    same_family = (families[:, None] == families).astype(np.int32)
    possible = ((index.facts == PRESENT) | (index.facts == OPEN)).astype(np.int32) @ same_family > 0
    says_something = (index.facts[:, ~structure] != UNNAMED).any(1)
    closed = np.where((index.facts == UNNAMED) & says_something[:, None] & ~possible, ABSENT, index.facts)
    taught = np.zeros((len(index.sources), len(index.findings)), bool)
    for number in range(len(index.sources)):
        mine = index.source == number
        present = (index.facts[mine] == PRESENT).sum(0)
        taught[number] = (present >= MIN_BOTH_WAYS) & (present <= mine.sum() - MIN_BOTH_WAYS)
    feeble = np.array([name in weak for name in index.sources], bool)
    taught[feeble] &= taught[~feeble].any(0)
    closed[~taught[index.source]] = UNNAMED
    return np.where(structure, index.facts, closed).astype(np.int8)
