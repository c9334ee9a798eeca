"""What descriptions mean, taught to the text encoder before it meets an image.

A general sentence encoder puts "no effusion" beside "effusion" and "left" beside "right". Here descriptions
that state the same in other words are pulled together, and those that differ in finding, negation, side or
zone are pushed apart, the closest wordings first. The descriptions are report sentences and phrasings of
what they state; images are not needed, so all modalities learn together, and what follows can take the text
encoder as given.
"""

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from afloc.language.findings import ancestors, load_findings
from afloc.language.modalities import MODALITIES
from afloc.language.phrases import in_a_hurry, load_wordings, placed_wording, sentence_for
from afloc.language.statements import AFFIRMED, DENIED, Statement, opposite, other_side
from afloc.model.similarity import TextVectors
from afloc.model.text_encoder import TextEncoder
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.data.facts import OPPOSITE_SIDE, Description
from afloc.training.data.pairs import Pair, mirror_sentence
from afloc.training.recipe import LanguageRecipe
from afloc.training.stages.loop import Stage
from afloc.training.stages.text_bank import encode_texts

# Families whose findings readers call by each other's names; in others each finding is a thing of its own.
BLURRED = frozenset({"airspace", "interstitial", "volume", "nodule", "calcification", "mediastinum"})
OTHER_ZONES = {
    "upper": ("lower", "lower", "middle"),
    "middle": ("upper", "lower"),
    "lower": ("upper", "upper", "middle"),
}
SCALE = 10.0  # of the cosines; a learned one grows until contraries may stay close


class DescriptionSampler:
    """Draws batches of descriptions of one modality: what is the same in other words, and what is nearly
    the same in words but not in meaning. A batch is a function of seed and step alone."""

    def __init__(self, pairs: Iterable[Pair], modality: str, seed: int, contraries: bool = True):
        self.modality, self.seed, self.contraries = modality, seed, contraries
        self.entries = load_findings(modality)
        self.wordings = load_wordings(modality)
        self.findings = [entry.id for entry in self.entries.values() if entry.family != "other"]
        said: dict[tuple[Statement, ...], dict[str, Description]] = defaultdict(dict)
        for pair in pairs:
            for sentence in pair.sentences:
                said[sentence.statements][sentence.text] = sentence
        self.meanings = [list(texts.values()) for texts in said.values()]

    def draw(self, themes: int, step: int) -> list[Description]:
        """Descriptions of `themes` random findings and half as many of report sentences, each with its
        foils."""
        rng = random.Random(f"{self.seed}/{step}/{self.modality}")
        drawn: dict[str, Description] = {}
        for finding in rng.sample(self.findings, min(themes, len(self.findings))):
            for description in self._variations(self._statement(finding, rng), rng):
                drawn.setdefault(description.text, description)
        for meaning in rng.sample(self.meanings, min(themes // 2, len(self.meanings))):
            for description in self._sentences(meaning, rng):
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
        """Two or three phrasings of a statement, its contrary, other side and other zone, worded alike."""
        if not self.contraries:
            return [self._say(statement, rng), self._say(statement, rng)]
        told = [statement, statement, opposite(statement)]
        if statement.side in OPPOSITE_SIDE:
            told += [statement, other_side(statement)]
        if statement.zone:
            told.append(replace(statement, zone=rng.choice(OTHER_ZONES[statement.zone])))
        same_words = rng.random()
        return [
            self._say(each, random.Random(same_words) if each != statement or index == 0 else rng)
            for index, each in enumerate(told)
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

    def _sentences(self, meaning: list[Description], rng: random.Random) -> list[Description]:
        """A report's sentence, another that says the same, a phrasing of it, and its mirror image."""
        first = rng.choice(meaning)
        told = [first, rng.choice(meaning)]
        if len(first.statements) == 1:
            told.append(self._say(first.statements[0], rng))
        if not self.contraries:
            return told
        if len(first.statements) == 1:
            told.append(self._say(opposite(first.statements[0]), rng))
        mirrored = mirror_sentence(first)
        turned = mirrored.text != first.text and mirrored.statements != first.statements
        return [*told, mirrored] if turned else told


def same_meanings(descriptions: list[Description], modality: str) -> Tensor:
    """(T, T) in {0, 1, NaN}: 1 the same, 0 something else, NaN where one may imply the other."""
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
    """0 for two statements that contradict each other, NaN for two that are related, None for strangers."""
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
    blurred = entries[a].family == entries[b].family and entries[a].family in BLURRED
    return blurred or a in ancestors(b, modality) or b in ancestors(a, modality)


def contrast(vectors: TextVectors, same: Tensor) -> Tensor:
    """Each description against those that mean something else: InfoNCE over every pair that means the same,
    as the mean of the three levels. Like the "out" form of Khosla et al. (2020, arXiv 2004.11362), but each
    pair against the negatives alone, and the mean over pairs.

    `same` (T, T) as `same_meanings` gives it; the diagonal is ignored.
    """
    mine = torch.eye(len(same), dtype=torch.bool)
    positive, negative = (same == 1) & ~mine, same == 0
    total = vectors.report.new_zeros(())
    for vector in (functional.normalize(vectors.word, dim=1), vectors.sentence, vectors.report):
        logits = SCALE * (vector @ vector.T)
        others = logits.masked_fill(~negative, -torch.inf).logsumexp(1, keepdim=True)
        losses = functional.softplus(others - logits)
        total = total + (losses * positive).sum() / positive.sum().clamp(min=1)
    return total / 3


class LanguageStage(Stage):
    """The text encoder, on descriptions of every modality in turn."""

    name = "language"

    def __init__(
        self,
        encoder: TextEncoder,
        tokenizer: WordPieceTokenizer,
        pairs: dict[str, list[Pair]],
        recipe: LanguageRecipe,
        seed: int,
        contraries: bool = True,
    ):
        self.recipe, self.seed, self.tokenizer, self.encoder = recipe, seed, tokenizer, encoder
        self.steps, self.weight_decay = recipe.steps, recipe.weight_decay
        self.identity = asdict(recipe) | {"seed": seed, "modalities": sorted(pairs), "contraries": contraries}
        self.modules = nn.ModuleDict({"encoder": encoder})
        encoder.bert.embeddings.requires_grad_(False)
        self.samplers = {
            modality: DescriptionSampler((p for p in of if not p.held_back), modality, seed, contraries)
            for modality, of in pairs.items()
        }

    def rates(self) -> list[tuple[float, Iterable[nn.Parameter]]]:
        return [(self.recipe.rate, self.encoder.parameters())]

    def losses(self, step: int) -> dict[str, Tensor]:
        rng = random.Random(f"{self.seed}/{step}")
        modalities = list(self.samplers)
        chances = [len(self.samplers[modality].findings) for modality in modalities]
        modality = rng.choices(modalities, chances)[0]
        descriptions = self.samplers[modality].draw(self.recipe.themes, step)
        vectors = encode_texts(self.encoder, self.tokenizer, [each.text for each in descriptions])
        return {"total": contrast(vectors, same_meanings(descriptions, modality))}
