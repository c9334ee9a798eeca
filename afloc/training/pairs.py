"""Image-report pairs: what each row says of its image, and which descriptions of a batch hold for which
image.

A row's report (or its labels) becomes `Facts`: per finding, present, absent or unknown, with the sides and
zones it names. A description is a text with the statements in it. `entails` decides whether an image bears a
description out (1), contradicts it (0), or leaves it open (NaN); that matrix is what the sigmoid objective is
trained on, so that rows that mean the same are never each other's negatives, and "no X" and the wrong side
are.
"""

import csv
import hashlib
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from afloc.errors import DataError
from afloc.findings import ancestors, load_findings
from afloc.training.phrases import in_a_hurry, sentence_for
from afloc.training.reports import read_row
from afloc.training.statements import Statement, opposite, other_side, read_statements

OPPOSITE_SIDE = {"left": "right", "right": "left"}
REPORTED = ("text", "findings", "impression", "mesh")  # the columns that come from a report
SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)
# What names a side in other words: such a sentence cannot be rewritten for a mirrored image.
SIDE_IN_OTHER_WORDS = re.compile(
    r"\b(?:[lr]|[lr]t|lingul\w+|middle lobe|azygos|dextro\w+|levo(?:scol|curv)\w+|(?:left|right)ward\w*)\b",
    re.IGNORECASE,
)
EYE = re.compile(r"_(left|right)\.\w+$")  # how ODIR-5K names its photographs
COMMON = 20  # a finding is asked of every batch if so many images have it
PHRASINGS = 24  # of a statement, so that a frozen text encoder need not read ever new ones
HELD_BACK = 12  # one patient in so many is left out of training
MIN_BOTH_WAYS = 5  # a source teaches a finding only if it has at least so many images with it and without it


@dataclass(frozen=True)
class Description:
    """A text and what it states."""

    text: str
    statements: tuple[Statement, ...]

    @property
    def side_in_doubt(self) -> bool:
        """Whether it names a side, and not each of its statements has one: that it holds of an image does not
        tell whether it holds of the mirrored one."""
        names_one = SIDE.search(self.text) or SIDE_IN_OTHER_WORDS.search(self.text)
        return bool(names_one) and any(s.side not in OPPOSITE_SIDE for s in self.statements)

    @property
    def localizable(self) -> bool:
        """Whether it names something that has a place: affirmed statements only, and "normal" has none."""
        return bool(self.statements) and all(
            s.status == "affirmed" and not s.finding_id.startswith("normal_") for s in self.statements
        )


@dataclass(frozen=True)
class Fact:
    """What a row says of one finding: `present` 1, 0 or NaN (unknown); sides and zones where it is named."""

    present: float
    sides: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Pair:
    """One row: its image, its source, its sentences with what they state, the facts drawn from all of them,
    and what it affirms, kept as a fact or not. `held_back`: its patient is left out of training, for the
    calibration."""

    image: Path
    source: str
    modality: str
    sentences: tuple[Description, ...]
    facts: dict[str, Fact]
    told: frozenset[str] = frozenset()
    held_back: bool = False

    @property
    def ill(self) -> bool:
        """Whether it affirms a pathology."""
        entries = load_findings(self.modality)
        return any(not entries[finding].normal for finding in self.told)

    @property
    def teaches(self) -> bool:
        """Whether batches draw it."""
        return bool(self.facts) and not self.held_back


def read_pairs(table: Path, modality: str, *, labels_only: bool = False) -> list[Pair]:
    """The pairs of a CSV with the columns `image`, `text`, `labels`, `source` (see the README); with
    `labels_only`, as if there were no reports.

    Raises DataError where the table or a column is missing, or the table is no CSV in UTF-8.
    """
    if not table.is_file():
        raise DataError(
            f"There is no training table {table.name}: give the folder that holds it with --data."
        )
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, restval=""))
    except (UnicodeDecodeError, csv.Error):
        raise DataError(f"{table.name} is not a CSV in UTF-8.") from None
    missing = {"image", "labels", "source"} - set(rows[0] if rows else ())
    if missing:
        raise DataError(f"{table.name} lacks the column {', '.join(sorted(missing))}.")
    if labels_only:
        rows = [{**row, **dict.fromkeys(REPORTED, "")} for row in rows]
    pairs = [read_pair(row, table.parent, modality) for row in rows]
    return close_world(pairs, modality)


def check_enough(pairs: list[Pair], batch_size: int, table: Path) -> None:
    """DataError where no batch can be drawn, for no row comes twice in one, or nothing can be calibrated."""
    if not any(pair.held_back for pair in pairs):
        raise DataError(
            f"{table.name} names too few patients: one in twelve is left out, for the calibration, and "
            "none of them is."
        )
    count = sum(pair.teaches for pair in pairs)
    if count < batch_size:
        raise DataError(
            f"{table.name} has {count} rows to learn from, fewer than a batch of {batch_size}: "
            "give more rows or a smaller batch_size."
        )


def read_pair(row: dict[str, str], folder: Path, modality: str) -> Pair:
    """One row of a table, with the facts it states (and none it leaves out)."""
    text = read_row(row, modality)
    sentences = tuple(
        Description(sentence, statements)
        for sentence in text.sentences
        if (statements := tuple(read_statements(sentence, modality)))
    )
    facts = facts_of(text.statements, modality)
    if modality == "fundus":
        facts |= eye_facts(row["image"])
    if modality == "histopathology":
        facts |= {"nuclei": Fact(1.0)}
    return Pair(
        folder / row["image"],
        row["source"].split(" ")[0],
        modality,
        sentences,
        facts,
        held_back=_held_back(row.get("patient") or row["image"]),
    )


def _held_back(patient: str) -> bool:
    return hashlib.sha256(patient.encode()).digest()[0] % HELD_BACK == 0


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


def eye_facts(name: str) -> dict[str, Fact]:
    """What a photograph's name says of which eye it is: the disc lies on the nasal side, which of the right
    eye is the patient's left."""
    eye = EYE.search(name)
    return {"optic_disc": Fact(1.0, frozenset({OPPOSITE_SIDE[eye[1]]}))} if eye else {}


def mirror(pair: Pair) -> Pair:
    """What is known of a pair's image mirrored: left is right, in the facts and in the sentences, of which
    those are left out that name a side in other words."""
    facts = {
        finding: replace(fact, sides=frozenset(OPPOSITE_SIDE.get(side, side) for side in fact.sides))
        for finding, fact in pair.facts.items()
    }
    sentences = [
        mirror_sentence(each) for each in pair.sentences if not SIDE_IN_OTHER_WORDS.search(each.text)
    ]
    return replace(pair, facts=facts, sentences=tuple(sentences))


def mirror_sentence(description: Description) -> Description:
    """The description with left and right exchanged."""
    text = SIDE.sub(lambda found: OPPOSITE_SIDE[found[0].lower()], description.text)
    return Description(text, tuple(other_side(each) or each for each in description.statements))


def close_world(pairs: list[Pair], modality: str) -> list[Pair]:
    """Add what the rows leave unsaid: a finding that its source reports elsewhere, and this row does not, is
    absent.

    Except where the row affirms a finding of the same family (a "consolidation" may be another reader's
    "pneumonia"): those stay unknown. And where a source has too few images with or without a finding, it says
    nothing about it at all, lest the model learn the source instead of the finding; `told` keeps what it
    affirms. What belongs to every image, such as the optic disc, is left as it is.
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
        says_something = any(families[f] != "structure" for f in pair.facts)
        facts = {}
        for finding, family in families.items():
            known = pair.facts.get(finding)
            if family == "structure":
                facts |= {finding: known} if known else {}
                continue
            if known is None and says_something and family not in affirmed:
                known = Fact(0.0)
            n = counts[pair.source, finding]
            if known is not None and MIN_BOTH_WAYS <= n <= sizes[pair.source] - MIN_BOTH_WAYS:
                facts[finding] = known
        told = frozenset(finding for finding, fact in pair.facts.items() if fact.present == 1)
        closed.append(replace(pair, facts=facts, told=told))
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
