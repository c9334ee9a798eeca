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
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from afloc.errors import DataError
from afloc.language.findings import load_findings
from afloc.language.statements import other_side, read_statements
from afloc.training.data.facts import OPPOSITE_SIDE, SIDE, SIDE_IN_OTHER_WORDS, Description, Fact, facts_of
from afloc.training.data.reports import read_row

REPORTED = ("text", "findings", "impression", "mesh")  # the columns that come from a report


EYE = re.compile(r"_(left|right)\.\w+$")  # how ODIR-5K names its photographs
COMMON = 20  # a finding is asked of every batch if so many images have it
PHRASINGS = 24  # of a statement, so that a frozen text encoder need not read ever new ones
HELD_BACK = 12  # one patient in so many is left out of training
MIN_BOTH_WAYS = 5  # a source teaches a finding only if it has at least so many images with it and without it


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
    """The pairs of a CSV with the columns `image`, `text`, `labels`, `source` (see docs/training.md); with
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
    if modality in ALWAYS_KNOWN:
        facts |= ALWAYS_KNOWN[modality](row["image"])
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


def eye_facts(name: str) -> dict[str, Fact]:
    """What a photograph's name says of which eye it is: the disc lies on the nasal side, which of the right
    eye is the patient's left."""
    eye = EYE.search(name)
    return {"optic_disc": Fact(1.0, frozenset({OPPOSITE_SIDE[eye[1]]}))} if eye else {}


# What an image shows whatever its text says, from the image's name; by modality.
ALWAYS_KNOWN = {"fundus": eye_facts, "histopathology": lambda name: {"nuclei": Fact(1.0)}}


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
