"""The language stage: the text encoder learns the meaning of descriptions before the image stages.

A general sentence encoder puts "no effusion" beside "effusion" and "left" beside "right". Here descriptions
with the same statements in other words are pulled together, and descriptions that differ in finding,
negation, side or zone are pushed apart, above all those with similar wording (hard negatives). The
descriptions are report sentences and phrasings of their statements. No image is needed, so that all
modalities train one text encoder together, and the image stages use it unchanged.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from afloc.language.findings import ancestors, load_findings
from afloc.language.modalities import MODALITIES
from afloc.language.phrases import in_a_hurry, load_wordings, placed_wording, sentence_for
from afloc.language.places import OPPOSITE_SIDE
from afloc.language.statements import AFFIRMED, DENIED, Statement, opposite, other_side
from afloc.model.similarity import TextVectors
from afloc.model.text_encoder import TextEncoder
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.compute import CPU, Compute
from afloc.training.data.facts import Description
from afloc.training.data.pairs import Pair, mirror_sentence
from afloc.training.recipe import LanguageRecipe
from afloc.training.stages.loop import Stage
from afloc.training.stages.text_bank import encode_texts

# Families in which readers use the names of the findings for each other; in other families they do not.
INTERCHANGEABLE = frozenset({"airspace", "interstitial", "volume", "nodule", "calcification", "mediastinum"})
OTHER_ZONES = {
    "upper": ("lower", "lower", "middle"),
    "middle": ("upper", "lower"),
    "lower": ("upper", "upper", "middle"),
}
SCALE = 10.0  # of the cosines; fixed, for a learned scale grows until hard negatives may stay close


class Sentences(Sequence[Description]):
    """Sentences of pairs, by where they stand: `places` int (N, 2), row and number in the row."""

    def __init__(self, pairs: Sequence[Pair], places: np.ndarray):
        self.pairs, self.places = pairs, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        row, number = self.places[index].tolist()
        return self.pairs[row].sentences[number]


class DescriptionSampler:
    """Draws batches of descriptions of one modality: paraphrases, and hard negatives, whose words are similar
    and whose meaning differs. A batch depends on seed and step alone."""

    def __init__(self, pairs: Sequence[Pair], modality: str, seed: int, hard_negatives: bool = True):
        self.modality, self.seed, self.hard_negatives, self.pairs = modality, seed, hard_negatives, pairs
        self.entries = load_findings(modality)
        self.wordings = load_wordings(modality)
        self.findings = [entry.id for entry in self.entries.values() if entry.family != "other"]
        # Where the sentences of each meaning stand, the same text once: row and number, not the text.
        by_meaning: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
        for row, pair in enumerate(pairs):
            if not pair.in_calibration_split:
                for number, sentence in enumerate(pair.sentences):
                    by_meaning[hash(sentence.statements)][hash(sentence.text)] = row, number
        self.meanings = [np.array(list(found.values()), np.int32) for found in by_meaning.values()]

    def draw(self, findings: int, step: int) -> list[Description]:
        """Descriptions of `findings` random findings and of half as many report sentences, each with its
        paraphrases and hard negatives."""
        rng = random.Random(f"{self.seed}/{step}/{self.modality}")
        drawn: dict[str, Description] = {}
        for finding in rng.sample(self.findings, min(findings, len(self.findings))):
            for description in self._variations(self._statement(finding, rng), rng):
                drawn.setdefault(description.text, description)
        for meaning in rng.sample(self.meanings, min(findings // 2, len(self.meanings))):
            said = Sentences(self.pairs, meaning)
            for description in self._sentences(said, rng):
                drawn.setdefault(description.text, description)
        return list(drawn.values())

    def _statement(self, finding: str, rng: random.Random) -> Statement:
        entry = self.entries[finding]
        status = AFFIRMED if rng.random() < 0.65 else DENIED
        side = zone = None
        if entry.sided and rng.random() < 0.65:
            side = rng.choice(("left", "right", "left", "right", "bilateral"))
        if entry.sided and MODALITIES[self.modality].radiology_reports and rng.random() < 0.45:
            zone = rng.choice(("upper", "middle", "lower"))
        return Statement(finding, status, side, zone)

    def _variations(self, statement: Statement, rng: random.Random) -> list[Description]:
        """Two or three phrasings of a statement, and its opposite, other side and other zone in the same
        words."""
        if not self.hard_negatives:
            return [self._say(statement, rng), self._say(statement, rng)]
        drawn = [statement, statement, opposite(statement)]
        if other := other_side(statement):
            drawn += [statement, other]
        if statement.zone:
            drawn.append(replace(statement, zone=rng.choice(OTHER_ZONES[statement.zone])))
        same_words = rng.random()
        return [
            self._say(each, random.Random(same_words) if each != statement or index == 0 else rng)
            for index, each in enumerate(drawn)
        ]

    def _say(self, statement: Statement, rng: random.Random) -> Description:
        free = self.wordings.get(statement, ())
        sentence = None
        if statement.zone and rng.random() < 0.5:
            sentence = placed_wording(statement, self.modality, rng)
        elif free and rng.random() < 0.6:
            sentence = rng.choice(free)
        sentence = sentence or sentence_for(statement, self.modality, rng)
        return Description(in_a_hurry(sentence, rng) if rng.random() < 0.5 else sentence, (statement,))

    def _sentences(self, meaning: Sequence[Description], rng: random.Random) -> list[Description]:
        """A report sentence, another of the same meaning, a phrasing of it, and its hard negatives."""
        first = rng.choice(meaning)
        drawn = [first, rng.choice(meaning)]
        if len(first.statements) == 1:
            drawn.append(self._say(first.statements[0], rng))
        if not self.hard_negatives:
            return drawn
        if len(first.statements) == 1:
            drawn.append(self._say(opposite(first.statements[0]), rng))
        mirrored = mirror_sentence(first)
        differs = mirrored.text != first.text and mirrored.statements != first.statements
        return [*drawn, mirrored] if differs else drawn


def same_meanings(descriptions: list[Description], modality: str) -> Tensor:
    """(T, T): 1 for the same meaning, 0 for another, NaN where one description may imply the other."""
    same = [[_same(a, b, modality) for b in descriptions] for a in descriptions]
    return torch.tensor(same)


def _same(a: Description, b: Description, modality: str) -> float:
    if set(a.statements) == set(b.statements):
        return 1.0
    verdicts = [_conflict(x, y, modality) for x in a.statements for y in b.statements]
    if 0.0 in verdicts:
        return 0.0
    return float("nan") if any(verdict != verdict for verdict in verdicts) else 0.0


def _conflict(x: Statement, y: Statement, modality: str) -> float | None:
    """0 for two statements that contradict each other, NaN for two related ones, None for unrelated ones."""
    related = x.finding_id == y.finding_id or _related(x.finding_id, y.finding_id, modality)
    if not related:
        return None
    sides = x.side in OPPOSITE_SIDE and y.side in OPPOSITE_SIDE and x.side != y.side
    zones = x.zone and y.zone and x.zone != y.zone
    if x.status != y.status or sides or zones:
        return 0.0
    return float("nan")


def _related(a: str, b: str, modality: str) -> bool:
    entries = load_findings(modality)
    interchangeable = entries[a].family == entries[b].family and entries[a].family in INTERCHANGEABLE
    return interchangeable or a in ancestors(b, modality) or b in ancestors(a, modality)


def contrast(vectors: TextVectors, same: Tensor) -> Tensor:
    """The contrastive loss, averaged over the three levels: InfoNCE over every pair of the same meaning,
    against the descriptions of another meaning. It is the "out" form of Khosla et al. (2020, arXiv
    2004.11362), but with only the negatives and the pair itself in the denominator, and averaged over pairs.

    `same` (T, T) as `same_meanings` gives it; the diagonal is ignored.
    """
    mine = torch.eye(len(same), dtype=torch.bool, device=same.device)
    positive, negative = (same == 1) & ~mine, same == 0
    total = vectors.report.new_zeros(())
    for vector in (functional.normalize(vectors.word, dim=1), vectors.sentence, vectors.report):
        logits = SCALE * (vector @ vector.T)
        others = logits.masked_fill(~negative, -torch.inf).logsumexp(1, keepdim=True)
        losses = functional.softplus(others - logits)
        total = total + (losses * positive).sum() / positive.sum().clamp(min=1)
    return total / 3


class LanguageBatch(NamedTuple):
    """T texts, and which of them mean the same: `same` (T, T), as `same_meanings` gives it."""

    texts: list[str]
    same: Tensor


@dataclass(frozen=True)
class LanguageBatches:
    """The batch of each step: descriptions of one modality, drawn by the number of its findings."""

    samplers: dict[str, DescriptionSampler]
    findings: int
    seed: int

    def __call__(self, step: int) -> LanguageBatch:
        rng = random.Random(f"{self.seed}/{step}")
        modalities = list(self.samplers)
        chances = [len(self.samplers[modality].findings) for modality in modalities]
        modality = rng.choices(modalities, chances)[0]
        descriptions = self.samplers[modality].draw(self.findings, step)
        return LanguageBatch([each.text for each in descriptions], same_meanings(descriptions, modality))


class LanguageStage(Stage):
    """Trains the text encoder, at each step on descriptions of one modality."""

    name = "language"

    def __init__(
        self,
        encoder: TextEncoder,
        tokenizer: WordPieceTokenizer,
        pairs: Mapping[str, Sequence[Pair]],
        recipe: LanguageRecipe,
        seed: int,
        hard_negatives: bool = True,
        compute: Compute = CPU,
    ):
        self.recipe, self.seed, self.tokenizer, self.encoder = recipe, seed, tokenizer, encoder
        self.compute = compute
        self.steps, self.weight_decay = recipe.steps, recipe.weight_decay
        self.identity = asdict(recipe) | {
            "seed": seed,
            "modalities": sorted(pairs),
            "hard_negatives": hard_negatives,
        }
        self.modules = nn.ModuleDict({"encoder": encoder})
        encoder.bert.embeddings.requires_grad_(False)
        samplers = {
            modality: DescriptionSampler(of, modality, seed, hard_negatives) for modality, of in pairs.items()
        }
        self.prepare = LanguageBatches(samplers, recipe.findings_per_step, seed)

    def rates(self) -> list[tuple[float, Iterable[nn.Parameter]]]:
        return [(self.recipe.rate, self.encoder.parameters())]

    def send(self, batch: LanguageBatch) -> LanguageBatch:
        return batch._replace(same=self.compute.send(batch.same))

    def losses(self, batch: LanguageBatch) -> dict[str, Tensor]:
        vectors = encode_texts(self.encoder, self.tokenizer, batch.texts, self.compute)
        return {"total": contrast(vectors, batch.same)}
