"""Draws the batches of an image stage: rows, descriptions, and which description is true of which row."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from afloc.language.findings import load_findings
from afloc.language.phrases import in_a_hurry, sentence_for
from afloc.language.places import OPPOSITE_SIDE
from afloc.language.statements import Statement, opposite, other_side
from afloc.training.data.fact_index import COMMON, FactIndex
from afloc.training.data.facts import Description, Fact, entails
from afloc.training.data.pairs import PHRASINGS, Pair, mirror
from afloc.training.data.table import index_of
from afloc.training.recipe import ImageRecipe

UNREAD_WEIGHT = (
    0.25  # of a sentence that nothing was read of, where a report lacks it: it may hold all the same
)


@dataclass(frozen=True)
class Batch:
    """A batch of B rows and T descriptions.

    `rows` (B,) are indices into the training set. `mirrored` (B,) says which images are mirrored; their
    `pairs` are mirrored already. `targets` (B, T): 1 where the description is true of the image, 0 where it
    is false, NaN where that is unknown. `weights` (B, T) are those of the loss.
    """

    rows: np.ndarray
    mirrored: np.ndarray
    pairs: tuple[Pair, ...]
    descriptions: tuple[Description, ...]
    targets: np.ndarray
    weights: np.ndarray


class Sampler:
    """Draws rows, rare findings more often, and descriptions for them.

    `templates`: how many phrasings of common findings each batch has besides. `reports`: the probability that
    a row brings several sentences of its report as one description. `normal_ratio`: in each source, images
    without a pathology are drawn at least this many times as often as images with one. `hard_negatives`:
    whether the opposite or the other side of a row's description is asked too. `source_weights`: how often
    the rows of a source are drawn, against 1 of the others. `as_written`: sentences of which nothing was read
    are asked too, as they are written. A batch depends on seed and step alone, so that a
    run resumes exactly.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        seed: int,
        *,
        templates: int,
        reports: float,
        normal_ratio: float = 0.0,
        hard_negatives: bool = True,
        source_weights: Mapping[str, float] | None = None,
        as_written: bool = False,
    ):
        self.pairs, self.seed, self.templates, self.reports = pairs, seed, templates, reports
        self.normal_ratio, self.hard_negatives, self.as_written = normal_ratio, hard_negatives, as_written
        index = index_of(pairs)
        self.modality = index.modality
        self.sided = {entry.id for entry in load_findings(self.modality).values() if entry.sided}
        self.positive_weight = {
            (source, finding): float(np.clip((absent / max(present, 1)) ** 0.5, 1, 8))
            for number, source in enumerate(index.sources)
            for finding, absent, present in zip(index.findings, *index.counts(number).tolist(), strict=True)
            if absent or present
        }
        self.common = {finding: n**0.5 for finding, n in index.common_findings().items()}
        self.chances = self._row_chances(index, source_weights or {})

    @classmethod
    def by_recipe(
        cls,
        pairs: Sequence[Pair],
        recipe: ImageRecipe,
        seed: int,
        without: Collection[str],
        as_written: bool = False,
    ) -> "Sampler":
        """As a recipe says; `without`: the parts of the training that are left out."""
        return cls(
            pairs,
            seed,
            templates=recipe.templates,
            reports=recipe.reports,
            normal_ratio=recipe.normal_ratio,
            hard_negatives="contraries" not in without,
            source_weights=recipe.source_weights,
            as_written=as_written,
        )

    def _row_chances(self, index: FactIndex, source_weights: Mapping[str, float]) -> np.ndarray:
        """The probability of each row: inversely proportional to the square root of the count of its rarest
        finding, then raised for normal rows as `normal_ratio` asks, then weighed by its source."""
        floor = 0.5 / len(index.source) ** 0.5
        rarity = np.array([max(n, COMMON) ** -0.5 for n in index.affirmed.sum(0).tolist()])
        chances = np.where(index.affirmed, rarity, 0).max(1)
        chances[~index.affirmed.any(1)] = floor
        chances[~index.usable] = 0
        for source in np.argsort(index.sources):
            mine = index.source == source
            normal, others = mine & ~index.has_pathology, mine & index.has_pathology
            short = self.normal_ratio * chances[others].sum() / max(chances[normal].sum(), 1e-9)
            if short > 1:
                chances[normal] = np.minimum(short * chances[normal], COMMON**-0.5)
        for number, source in enumerate(index.sources):
            chances[index.source == number] *= source_weights.get(source, 1.0)
        return chances / chances.sum()

    def draw(self, size: int, step: int) -> Batch:
        """The batch of `step`: `size` rows, and descriptions for them."""
        choice = np.random.default_rng([self.seed, step])
        rng = random.Random(f"{self.seed}/{step}")
        rows = choice.choice(len(self.pairs), size, replace=False, p=self.chances)
        mirrored = choice.random(size) < 0.5
        pairs = [self.pairs[row] for row in rows]
        pairs = [mirror(pair) if turned else pair for pair, turned in zip(pairs, mirrored, strict=True)]
        drawn: dict[str, Description] = {}
        for pair in pairs:
            for description in self._describe(pair, rng):
                drawn.setdefault(description.text, description)
        names, roots = list(self.common), np.array(list(self.common.values()))
        count = min(self.templates, len(names))
        for index in choice.choice(len(names), count, replace=False, p=roots / roots.sum()) if count else ():
            description = self.phrase(Statement(names[index], "affirmed"), rng)
            drawn.setdefault(description.text, description)
        descriptions = tuple(drawn.values())
        targets = np.array(
            [[entails(pair.facts, d) for d in descriptions] for pair in pairs], dtype=np.float32
        )
        targets[unclear_when_mirrored(mirrored, descriptions) & (targets == 1)] = np.nan
        weights = np.array([[self.weight(pair, d) for d in descriptions] for pair in pairs])
        weights = np.where(targets == 1, weights, 1).astype(np.float32)
        for column, description in enumerate(descriptions):
            if not description.statements:  # true of the reports that have it, hardly known of the others
                said = np.array([description.text in pair.texts for pair in pairs])
                targets[:, column] = np.where(mirrored, np.nan, said)
                weights[:, column] = np.where(said, 1, UNREAD_WEIGHT)
        return Batch(rows, mirrored, tuple(pairs), descriptions, targets, weights)

    def weight(self, pair: Pair, description: Description) -> float:
        """The weight of a true pair and description: higher where the finding is rare in the pair's
        source."""
        affirmed = (s.finding_id for s in description.statements if s.status == "affirmed")
        return max((self.positive_weight.get((pair.source, f), 1.0) for f in affirmed), default=1.0)

    def _describe(self, pair: Pair, rng: random.Random) -> list[Description]:
        """Descriptions for one row: a sentence of its report or a phrasing of a fact; a hard negative of it
        (its opposite, or the other side); now and then several sentences of the report as one."""
        queries = []
        present = sorted(pair.affirmed)
        if pair.sentences and rng.random() < 0.6:
            affirming = [d for d in pair.sentences if d.localizable]
            queries.append(rng.choice(affirming if affirming and rng.random() < 0.7 else pair.sentences))
        elif present:
            finding = rng.choice(present)
            queries.append(self.phrase(self._affirmed(finding, pair.facts.get(finding, Fact(1.0)), rng), rng))
        else:
            absent = [f for f, fact in pair.facts.items() if fact.present == 0 and f in self.common]
            if absent:
                queries.append(self.phrase(Statement(rng.choice(absent), "denied"), rng))
        if self.hard_negatives and queries and len(queries[0].statements) == 1 and rng.random() < 0.5:
            statement = queries[0].statements[0]
            sided = statement.side in OPPOSITE_SIDE and rng.random() < 0.6
            other = other_side(statement) if sided else None
            queries.append(self.phrase(other or opposite(statement), rng))
        if len(pair.sentences) > 1 and rng.random() < self.reports:
            count = rng.randint(2, min(len(pair.sentences), 5))
            picked = [pair.sentences[i] for i in sorted(rng.sample(range(len(pair.sentences)), count))]
            said = tuple(dict.fromkeys(s for d in picked for s in d.statements))
            queries.append(Description(" ".join(d.text for d in picked), said))
        if self.as_written and (unread := pair.unread):
            queries.append(Description(rng.choice(unread), ()))
        return queries

    def phrase(self, statement: Statement, rng: random.Random) -> Description:
        """One of the PHRASINGS of a statement, drawn by `rng`."""
        wording = random.Random(f"{self.seed}/{statement}/{rng.randrange(PHRASINGS)}")
        sentence = sentence_for(statement, self.modality, wording)
        return Description(
            in_a_hurry(sentence, wording) if wording.random() < 0.3 else sentence, (statement,)
        )

    def _affirmed(self, finding: str, fact: Fact, rng: random.Random) -> Statement:
        """The statement that affirms a fact: half of the time with its side, sometimes with its zone."""
        side = "bilateral" if len(fact.sides) == 2 else min(fact.sides, default=None)
        zone = min(fact.zones, default=None)
        with_side, with_zone = rng.random() < 0.5 and finding in self.sided, rng.random() < 0.4
        return Statement(finding, "affirmed", side if with_side else None, zone if with_zone else None)


def unclear_when_mirrored(mirrored: np.ndarray, descriptions: Iterable[Description]) -> np.ndarray:
    """Where a description that is true of an image may be false of the mirrored one: bool (rows,
    descriptions)."""
    return mirrored[:, None] & np.array([each.laterality_unclear for each in descriptions], dtype=bool)
