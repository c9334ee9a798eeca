"""Draws the batches of image training: rows, descriptions, and which description holds of which row."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from afloc.language.findings import load_findings
from afloc.language.phrases import in_a_hurry, sentence_for
from afloc.language.statements import Statement, opposite, other_side
from afloc.training.data.facts import OPPOSITE_SIDE, Description, Fact, entails
from afloc.training.data.pairs import COMMON, PHRASINGS, Pair, mirror


@dataclass(frozen=True)
class Batch:
    """Rows of the training set, whether the image of each is to be mirrored, their pairs, which then are;
    descriptions, and what holds: targets (rows, descriptions) in {0, 1, NaN}."""

    rows: np.ndarray
    mirrored: np.ndarray
    pairs: tuple[Pair, ...]
    descriptions: tuple[Description, ...]
    targets: np.ndarray
    weights: np.ndarray


class Sampler:
    """Draws batches: rows so that rare findings come up often enough, and descriptions for them.

    `templates` phrasings of common findings join each batch; a row brings its report (several sentences in
    one) with probability `reports`. A batch is a function of seed and step alone, so that a run resumes
    exactly. Of each source, images without a pathology come up at least `healthy` times as often as those
    with one. Without `contraries`, nothing is asked for being the contrary of what a row says.
    """

    def __init__(
        self,
        pairs: list[Pair],
        seed: int,
        *,
        templates: int,
        reports: float,
        healthy: float = 0.0,
        contraries: bool = True,
    ):
        self.pairs, self.seed, self.templates, self.reports = pairs, seed, templates, reports
        self.healthy, self.contraries = healthy, contraries
        self.modality = pairs[0].modality
        self.sided = {entry.id for entry in load_findings(self.modality).values() if entry.sided}
        counts = defaultdict(lambda: [0, 0])
        for pair in pairs:
            for finding, fact in pair.facts.items():
                if not math.isnan(fact.present):
                    counts[pair.source, finding][int(fact.present)] += 1
        self.positive_weight = {
            key: float(np.clip((absent / max(present, 1)) ** 0.5, 1, 8))
            for key, (absent, present) in counts.items()
        }
        totals = defaultdict(int)
        for (_, finding), (_, present) in counts.items():
            totals[finding] += present
        self.common = {finding: n**0.5 for finding, n in totals.items() if n >= COMMON}
        self.chances = self._row_chances(Counter(finding for pair in pairs for finding in pair.told))

    def _row_chances(self, totals: Counter) -> np.ndarray:
        """A row comes up in proportion to one over the root of how common its rarest finding is, but for what
        `healthy` asks for."""
        floor = 0.5 / len(self.pairs) ** 0.5
        chances = np.zeros(len(self.pairs))
        ill = np.array([pair.ill for pair in self.pairs])
        sources = np.array([pair.source for pair in self.pairs])
        for index, pair in enumerate(self.pairs):
            if pair.teaches:
                chances[index] = max((max(totals[f], COMMON) ** -0.5 for f in pair.told), default=floor)
        for source in np.unique(sources):
            empty, others = ((sources == source) & each for each in (~ill, ill))
            short = self.healthy * chances[others].sum() / max(chances[empty].sum(), 1e-9)
            if short > 1:
                chances[empty] = np.minimum(short * chances[empty], COMMON**-0.5)
        return chances / chances.sum()

    def draw(self, size: int, step: int) -> Batch:
        """The batch of `step`: `size` rows and what is asked of them."""
        choice = np.random.default_rng([self.seed, step])
        rng = random.Random(f"{self.seed}/{step}")
        rows = choice.choice(len(self.pairs), size, replace=False, p=self.chances)
        mirrored = choice.random(size) < 0.5
        pairs = [self.pairs[row] for row in rows]
        pairs = [mirror(pair) if turned else pair for pair, turned in zip(pairs, mirrored, strict=True)]
        asked: dict[str, Description] = {}
        for pair in pairs:
            for description in self._describe(pair, rng):
                asked.setdefault(description.text, description)
        names, roots = list(self.common), np.array(list(self.common.values()))
        count = min(self.templates, len(names))
        for index in choice.choice(len(names), count, replace=False, p=roots / roots.sum()) if count else ():
            description = self.phrase(Statement(names[index], "affirmed"), rng)
            asked.setdefault(description.text, description)
        descriptions = tuple(asked.values())
        targets = np.array(
            [[entails(pair.facts, d) for d in descriptions] for pair in pairs], dtype=np.float32
        )
        targets[doubtful(mirrored, descriptions) & (targets == 1)] = np.nan
        weights = np.array([[self.weight(pair, d) for d in descriptions] for pair in pairs])
        weights = np.where(targets == 1, weights, 1).astype(np.float32)
        return Batch(rows, mirrored, tuple(pairs), descriptions, targets, weights)

    def weight(self, pair: Pair, description: Description) -> float:
        """What it counts for that a pair bears a description out: more where its source seldom does."""
        affirmed = (s.finding_id for s in description.statements if s.status == "affirmed")
        return max((self.positive_weight.get((pair.source, f), 1.0) for f in affirmed), default=1.0)

    def _describe(self, pair: Pair, rng: random.Random) -> list[Description]:
        """A sentence of the report or a phrasing of a fact, its contrary or other side, now and then the
        report."""
        told = []
        present = sorted(pair.told)
        if pair.sentences and rng.random() < 0.6:
            affirming = [d for d in pair.sentences if d.localizable]
            told.append(rng.choice(affirming if affirming and rng.random() < 0.7 else pair.sentences))
        elif present:
            finding = rng.choice(present)
            told.append(self.phrase(self._placed(finding, pair.facts.get(finding, Fact(1.0)), rng), rng))
        else:
            absent = [f for f, fact in pair.facts.items() if fact.present == 0 and f in self.common]
            if absent:
                told.append(self.phrase(Statement(rng.choice(absent), "denied"), rng))
        if self.contraries and told and len(told[0].statements) == 1 and rng.random() < 0.5:
            statement = told[0].statements[0]
            sided = statement.side in OPPOSITE_SIDE and rng.random() < 0.6
            told.append(self.phrase(other_side(statement) if sided else opposite(statement), rng))
        if len(pair.sentences) > 1 and rng.random() < self.reports:
            count = rng.randint(2, min(len(pair.sentences), 5))
            picked = [pair.sentences[i] for i in sorted(rng.sample(range(len(pair.sentences)), count))]
            said = tuple(dict.fromkeys(s for d in picked for s in d.statements))
            told.append(Description(" ".join(d.text for d in picked), said))
        return told

    def phrase(self, statement: Statement, rng: random.Random) -> Description:
        """A statement in one of its PHRASINGS, drawn by `rng`."""
        wording = random.Random(f"{self.seed}/{statement}/{rng.randrange(PHRASINGS)}")
        sentence = sentence_for(statement, self.modality, wording)
        return Description(
            in_a_hurry(sentence, wording) if wording.random() < 0.3 else sentence, (statement,)
        )

    def _placed(self, finding: str, fact: Fact, rng: random.Random) -> Statement:
        """The affirmed statement of a fact, half of the time with its side, and sometimes with its zone."""
        side = "bilateral" if len(fact.sides) == 2 else min(fact.sides, default=None)
        zone = min(fact.zones, default=None)
        named, zoned = rng.random() < 0.5 and finding in self.sided, rng.random() < 0.4
        return Statement(finding, "affirmed", side if named else None, zone if zoned else None)


def doubtful(mirrored: np.ndarray, descriptions: Iterable[Description]) -> np.ndarray:
    """Where a description that holds of an image may not hold of it `mirrored`: bool (rows, descriptions)."""
    return mirrored[:, None] & np.array([each.side_in_doubt for each in descriptions], dtype=bool)
