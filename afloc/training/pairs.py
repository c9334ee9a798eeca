"""Image-report pairs: what each row says of its image, and which descriptions of a batch hold for which image.

A row's report (or its labels) becomes `Facts`: per finding, present, absent or unknown, with the sides and zones it
names. A description is a text with the statements in it. `entails` decides whether an image bears a description out
(1), contradicts it (0), or leaves it open (NaN); that matrix is what the sigmoid objective is trained on, so that
rows that mean the same are never each other's negatives, and "no X" and the wrong side are.
"""

import csv
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from afloc.errors import DataError
from afloc.findings import ancestors, load_findings
from afloc.training.reports import Statement, opposite, other_side, read_row, read_statements, sentence_for

OPPOSITE_SIDE = {"left": "right", "right": "left"}
MIN_BOTH_WAYS = 5  # a source teaches a finding only if it has at least so many images with it and without it


@dataclass(frozen=True)
class Description:
    """A text and what it states."""

    text: str
    statements: tuple[Statement, ...]

    @property
    def localizable(self) -> bool:
        """Whether it names something that has a place in the image: affirmed statements only."""
        return bool(self.statements) and all(s.status == "affirmed" for s in self.statements)


@dataclass(frozen=True)
class Fact:
    """What a row says of one finding: `present` 1, 0 or NaN (unknown); sides and zones where it is named."""

    present: float
    sides: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Pair:
    """One row: its image, its source, its sentences with what they state, and the facts drawn from all of them."""

    image: Path
    source: str
    modality: str
    sentences: tuple[Description, ...]
    facts: dict[str, Fact]


def read_pairs(table: Path, modality: str) -> list[Pair]:
    """The pairs of a CSV with the columns `image`, `text`, `labels`, `source` (see the README).

    Raises DataError where the table or a column is missing.
    """
    if not table.is_file():
        raise DataError(
            f"There is no training table {table.name}: give the folder that holds it with --data."
        )
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = {"image", "labels", "source"} - set(rows[0] if rows else ())
    if missing:
        raise DataError(f"{table.name} lacks the column {', '.join(sorted(missing))}.")
    pairs = [read_pair(row, table.parent, modality) for row in rows]
    return close_world(pairs, modality)


def read_pair(row: dict[str, str], folder: Path, modality: str) -> Pair:
    """One row of a table, with the facts it states (and none it leaves out)."""
    text = read_row(row, modality)
    sentences = tuple(
        Description(sentence, statements)
        for sentence in text.sentences
        if (statements := tuple(read_statements(sentence, modality)))
    )
    return Pair(
        folder / row["image"],
        row["source"].split(" ")[0],
        modality,
        sentences,
        facts_of(text.statements, modality),
    )


def facts_of(statements: tuple[Statement, ...], modality: str) -> dict[str, Fact]:
    """Facts per finding id. An affirmed statement beats a hedged one, a hedged one beats a denied one."""
    by_finding = defaultdict(list)
    for statement in statements:
        by_finding[statement.finding_id].append(statement)
        if statement.status != "denied":
            for ancestor in ancestors(statement.finding_id, modality):
                by_finding[ancestor].append(statement)
    facts = {}
    for finding, said in by_finding.items():
        affirmed = [s for s in said if s.status == "affirmed"]
        hedged = any(s.status == "hedged" for s in said)
        present = 1.0 if affirmed else math.nan if hedged else 0.0
        sides = {s.side for s in affirmed if s.side}
        if "bilateral" in sides:
            sides |= {"left", "right"}
        facts[finding] = Fact(present, frozenset(sides), frozenset(s.zone for s in affirmed if s.zone))
    return facts


def close_world(pairs: list[Pair], modality: str) -> list[Pair]:
    """Add what the rows leave unsaid: a finding that its source reports elsewhere, and this row does not, is absent.

    Except where the row affirms a finding of the same family (a "consolidation" may be another reader's
    "pneumonia"): those stay unknown. And where a source has too few images with or without a finding, it says
    nothing about it at all, lest the model learn the source instead of the finding.
    """
    families = {entry.id: entry.family for entry in load_findings(modality).values()}
    counts = defaultdict(int)
    for pair in pairs:
        for finding, fact in pair.facts.items():
            counts[pair.source, finding] += fact.present == 1
    sizes = defaultdict(int)
    for pair in pairs:
        sizes[pair.source] += 1
    closed = []
    for pair in pairs:
        affirmed = {families[f] for f, fact in pair.facts.items() if fact.present != 0}
        facts = {}
        for finding, family in families.items():
            known = pair.facts.get(finding)
            if known is None and pair.facts and family not in affirmed:
                known = Fact(0.0)
            n = counts[pair.source, finding]
            if known is not None and MIN_BOTH_WAYS <= n <= sizes[pair.source] - MIN_BOTH_WAYS:
                facts[finding] = known
        closed.append(Pair(pair.image, pair.source, pair.modality, pair.sentences, facts))
    return closed


def entails(facts: dict[str, Fact], description: Description) -> float:
    """1 if the facts bear every statement out, 0 if they contradict one, NaN if they leave it open."""
    verdicts = [entails_statement(facts, statement) for statement in description.statements]
    if not verdicts or (0.0 not in verdicts and any(math.isnan(v) for v in verdicts)):
        return math.nan
    return 0.0 if 0.0 in verdicts else 1.0


def entails_statement(facts: dict[str, Fact], statement: Statement) -> float:
    """The same for one statement."""
    fact = facts.get(statement.finding_id)
    if fact is None or math.isnan(fact.present) or statement.status == "hedged":
        return math.nan
    if fact.present == 0:
        return 1.0 if statement.status == "denied" else 0.0
    place = fits_place(fact, statement)
    if statement.status == "affirmed":
        return place
    return 0.0 if place == 1 else math.nan


def fits_place(fact: Fact, statement: Statement) -> float:
    """Whether the side and zone of a statement agree with those the facts name; NaN if they name none."""
    verdicts = [1.0]
    if statement.side:
        wanted = {"left", "right"} if statement.side == "bilateral" else {statement.side}
        verdicts.append(float(wanted <= fact.sides) if fact.sides else math.nan)
    if statement.zone:
        verdicts.append(float(statement.zone in fact.zones) if fact.zones else math.nan)
    return 0.0 if 0.0 in verdicts else math.nan if any(math.isnan(v) for v in verdicts) else 1.0


def same_meaning(a: Description, b: Description) -> float:
    """1 if two descriptions state the same, 0 if something else, NaN where one implies the other."""
    first, second = set(a.statements), set(b.statements)
    if first == second:
        return 1.0
    if {(s.finding_id, s.status) for s in first} & {(s.finding_id, s.status) for s in second}:
        conflict = any(
            x.finding_id == y.finding_id and OPPOSITE_SIDE.get(x.side) == y.side and x.side
            for x in first
            for y in second
        )
        return 0.0 if conflict else math.nan
    return 0.0


@dataclass(frozen=True)
class Batch:
    """Rows of the training set, descriptions, and what holds: targets (rows, descriptions) in {0, 1, NaN}."""

    rows: np.ndarray
    descriptions: tuple[Description, ...]
    targets: np.ndarray
    weights: np.ndarray


class Sampler:
    """Draws batches: rows so that rare findings come up often enough, and descriptions for them.

    The state is one numpy generator, so that a run resumes where it was.
    """

    def __init__(self, pairs: list[Pair], rng: np.random.Generator, *, templates: int, reports: float):
        self.pairs, self.rng, self.templates, self.reports = pairs, rng, templates, reports
        self.modality = pairs[0].modality
        self.counts = defaultdict(lambda: [0, 0])
        for pair in pairs:
            for finding, fact in pair.facts.items():
                if not math.isnan(fact.present):
                    self.counts[pair.source, finding][int(fact.present)] += 1
        totals = defaultdict(int)
        for (_, finding), (_, n) in self.counts.items():
            totals[finding] += n
        self.common = {finding: n**0.5 for finding, n in totals.items() if n >= 20}
        self.positive_weight = {
            key: float(np.clip((absent / max(present, 1)) ** 0.5, 1, 8))
            for key, (absent, present) in self.counts.items()
        }
        self.probabilities = self._row_probabilities(totals)

    def _row_probabilities(self, totals: dict[str, int]) -> np.ndarray:
        """A row is drawn in proportion to one over the root of how common its rarest finding is."""
        floor = 0.5 / len(self.pairs) ** 0.5
        weights = np.array(
            [
                max(
                    [max(totals[f], 20) ** -0.5 for f, fact in pair.facts.items() if fact.present == 1],
                    default=floor,
                )
                for pair in self.pairs
            ]
        )
        weights[[not pair.facts for pair in self.pairs]] = 0
        return weights / weights.sum()

    def draw(self, size: int) -> Batch:
        """A batch of `size` rows."""
        rows = self.rng.choice(len(self.pairs), size, replace=False, p=self.probabilities)
        descriptions: dict[str, Description] = {}
        for row in rows:
            for description in self._describe(self.pairs[row]):
                descriptions.setdefault(description.text, description)
        names = list(self.common)
        chances = np.array([self.common[name] for name in names])
        chosen = self.rng.choice(
            len(names), min(self.templates, len(names)), replace=False, p=chances / chances.sum()
        )
        for index in chosen:
            statement = Statement(names[index], "affirmed", None, None)
            text = sentence_for(statement, self.modality, self.rng)
            descriptions.setdefault(text, Description(text, (statement,)))
        texts = tuple(descriptions.values())
        facts = [self.pairs[row].facts for row in rows]
        targets = np.array([[entails(f, d) for d in texts] for f in facts], dtype=np.float32)
        weights = np.array(
            [[self._weight(self.pairs[row], d) for d in texts] for row in rows], dtype=np.float32
        )
        return Batch(rows, texts, targets, np.where(targets == 1, weights, 1.0).astype(np.float32))

    def _weight(self, pair: Pair, description: Description) -> float:
        weights = [
            self.positive_weight.get((pair.source, s.finding_id), 1.0)
            for s in description.statements
            if s.status == "affirmed"
        ]
        return max(weights, default=1.0)

    def _describe(self, pair: Pair) -> list[Description]:
        """A sentence of the report or a phrasing of a fact, its denial or other side, and now and then the report."""
        rng = self.rng
        told = []
        affirmed = [f for f, fact in pair.facts.items() if fact.present == 1]
        if pair.sentences and rng.random() < 0.6:
            spoken = [d for d in pair.sentences if d.localizable] or list(pair.sentences)
            pool = spoken if rng.random() < 0.7 else list(pair.sentences)
            told.append(pool[rng.integers(len(pool))])
        elif affirmed:
            finding = affirmed[rng.integers(len(affirmed))]
            told.append(self._phrase(finding, pair.facts[finding]))
        else:
            absent = [f for f, fact in pair.facts.items() if fact.present == 0 and f in self.common]
            if absent:
                statement = Statement(absent[rng.integers(len(absent))], "denied", None, None)
                told.append(Description(sentence_for(statement, self.modality, rng), (statement,)))
        if told and len(told[0].statements) == 1 and rng.random() < 0.5:
            statement = told[0].statements[0]
            turned = (
                other_side(statement)
                if statement.side in OPPOSITE_SIDE and rng.random() < 0.6
                else opposite(statement)
            )
            if turned.status != "hedged":
                told.append(Description(sentence_for(turned, self.modality, rng), (turned,)))
        if len(pair.sentences) > 1 and rng.random() < self.reports:
            count = int(rng.integers(2, min(len(pair.sentences), 5) + 1))
            picked = [
                pair.sentences[i] for i in sorted(rng.choice(len(pair.sentences), count, replace=False))
            ]
            told.append(
                Description(" ".join(d.text for d in picked), tuple(s for d in picked for s in d.statements))
            )
        return told

    def _phrase(self, finding: str, fact: Fact) -> Description:
        sides = "bilateral" if {"left", "right"} <= fact.sides else next(iter(fact.sides), None)
        side = sides if self.rng.random() < 0.5 else None
        zone = next(iter(sorted(fact.zones)), None) if self.rng.random() < 0.4 else None
        statement = Statement(finding, "affirmed", side, zone)
        return Description(sentence_for(statement, self.modality, self.rng), (statement,))
