"""Image-report pairs: the rows of a training table, with the facts that each report states about its image.

A row's report (or its labels) becomes one `Fact` per finding: present, absent or unknown, with the sides and
zones that the report names. A description is a text with the statements that were read from it. `entails`
decides whether the facts of an image confirm a description (1), contradict it (0) or leave it open (NaN). The
sigmoid objective is trained on these targets. Rows with the same meaning are therefore never each other's
negatives, while "no X" and the wrong side are.
"""

import csv
import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from afloc.errors import DataError
from afloc.language.findings import load_findings
from afloc.language.statements import other_side, read_statements
from afloc.training.data.facts import OPPOSITE_SIDE, SIDE, SIDE_IN_OTHER_WORDS, Description, Fact, facts_of
from afloc.training.data.reports import read_row

REPORTED = ("text", "findings", "impression", "mesh")  # the columns that come from a report
EYE = re.compile(r"_(left|right)\.\w+$")  # the end of a photograph's name in ODIR-5K
COMMON = 20  # a finding that at least 20 images have is common: every batch may ask for it
PHRASINGS = 24  # of a statement: few enough for `TextBank` to keep the vector of each
CALIBRATION_ONE_IN = 12  # one patient in twelve is left out of training, for the calibration
MIN_BOTH_WAYS = 5  # images that a source needs with a finding, and without it, to be trained on that finding


@dataclass(frozen=True)
class Pair:
    """One row of a training table.

    `sentences`: the sentences of the report that state something. `facts`: per finding id, what is known of
    the image. `affirmed`: the ids of all findings that the row affirms, also those that `facts` leaves out.
    `in_calibration_split`: the row is not trained on, but used for the calibration. `texts`: all sentences of
    the report.
    """

    image: Path
    source: str
    modality: str
    sentences: tuple[Description, ...]
    facts: dict[str, Fact]
    affirmed: frozenset[str] = frozenset()
    in_calibration_split: bool = False
    texts: tuple[str, ...] = ()

    @property
    def has_pathology(self) -> bool:
        """Whether the row affirms a finding that is not normal."""
        entries = load_findings(self.modality)
        return any(not entries[finding].normal for finding in self.affirmed)

    @property
    def usable(self) -> bool:
        """Whether training batches may draw the row."""
        return bool(self.facts) and not self.in_calibration_split


def read_pairs(table: Path, modality: str, *, labels_only: bool = False) -> list[Pair]:
    """Read the pairs of a CSV with the columns `image`, `text`, `labels`, `source` (see docs/training.md).
    `labels_only` ignores the reports.

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
    """Raise DataError where a batch needs more rows than there are (no row comes twice in a batch), or where
    the calibration split is empty."""
    if not any(pair.in_calibration_split for pair in pairs):
        raise DataError(
            f"{table.name} names too few patients: one in twelve is left out, for the calibration, and "
            "none of them is."
        )
    check_calibration_split(pairs, table.name)
    count = sum(pair.usable for pair in pairs)
    if count < batch_size:
        raise DataError(
            f"{table.name} has {count} rows to learn from, fewer than a batch of {batch_size}: "
            "give more rows or a smaller batch_size."
        )


def common_findings(pairs: Sequence[Pair]) -> dict[str, int]:
    """The findings that at least COMMON images have, with their number."""
    counts: defaultdict[str, int] = defaultdict(int)
    for pair in pairs:
        for finding, fact in pair.facts.items():
            if not math.isnan(fact.present):
                counts[finding] += int(fact.present)
    return {finding: count for finding, count in counts.items() if count >= COMMON}


def check_calibration_split(pairs: Sequence[Pair], source: str) -> None:
    """Raise DataError, which names `source`, where the calibration split has no image with, or none without,
    a common pathology: no operating point can be fitted."""
    split = [pair.facts for pair in pairs if pair.in_calibration_split]
    entries = load_findings(pairs[0].modality)
    common = [finding for finding in common_findings(pairs) if not entries[finding].normal]
    present = {facts[finding].present for facts in split for finding in common if finding in facts}
    if not {0.0, 1.0} <= present:
        raise DataError(
            f"{source} is not enough for the calibration: among the patients left out of training, one in "
            f"twelve, some images must have, and some must lack, a finding that {COMMON} images have. "
            "Give more rows."
        )


def read_pair(row: dict[str, str], folder: Path, modality: str) -> Pair:
    """Read one row of a table. Its facts are those that the row states; `close_world` adds the absent
    ones."""
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
        in_calibration_split=_in_calibration_split(row.get("patient") or row["image"]),
        texts=text.sentences,
    )


def _in_calibration_split(patient: str) -> bool:
    return hashlib.sha256(patient.encode()).digest()[0] % CALIBRATION_ONE_IN == 0


def eye_facts(name: str) -> dict[str, Fact]:
    """The side of the optic disc, from the name of a fundus photograph, which tells which eye it shows. The
    disc lies on the nasal side: in the right eye, on the patient's left."""
    eye = EYE.search(name)
    return {"optic_disc": Fact(1.0, frozenset({OPPOSITE_SIDE[eye[1]]}))} if eye else {}


# What an image shows whatever its text says, from the image's name; by modality.
ALWAYS_KNOWN = {"fundus": eye_facts, "histopathology": lambda name: {"nuclei": Fact(1.0)}}


def mirror(pair: Pair) -> Pair:
    """The pair of the mirrored image: left and right are exchanged in its facts and sentences. Sentences that
    name a side in other words are left out."""
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
    """The pairs under a closed-world assumption: a finding that a source reports in other rows, and that this
    row does not name, is absent.

    Three exceptions. If the row affirms a finding of the same family, the finding stays unknown: one reader's
    "consolidation" may be another reader's "pneumonia". If a source has too few images with or without a
    finding, the finding is unknown in all its rows, or the model would learn the source instead of the
    finding; `affirmed` still names it. Structures that every image has, such as the optic disc, are left as
    they are.
    """
    families = {entry.id: entry.family for entry in load_findings(modality).values()}
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    for pair in pairs:
        for finding, fact in pair.facts.items():
            counts[pair.source, finding] += fact.present == 1
    sizes: defaultdict[str, int] = defaultdict(int)
    for pair in pairs:
        sizes[pair.source] += 1
    closed = []
    for pair in pairs:
        possible = {families[f] for f, fact in pair.facts.items() if fact.present != 0}
        says_something = any(families[f] != "structure" for f in pair.facts)
        facts: dict[str, Fact] = {}
        for finding, family in families.items():
            known = pair.facts.get(finding)
            if family == "structure":
                facts |= {finding: known} if known else {}
                continue
            if known is None and says_something and family not in possible:
                known = Fact(0.0)
            n = counts[pair.source, finding]
            if known is not None and MIN_BOTH_WAYS <= n <= sizes[pair.source] - MIN_BOTH_WAYS:
                facts[finding] = known
        affirmed = frozenset(finding for finding, fact in pair.facts.items() if fact.present == 1)
        closed.append(replace(pair, facts=facts, affirmed=affirmed))
    return closed
