"""A training table: one CSV or several of the same columns, of which an index is held in memory.

The files are read once, from beginning to end. What is read from each row goes into a temporary file, from
which a row comes back when it is asked for. The memory that a table takes hardly grows with its length: below
400 bytes a row.
"""

import csv
import hashlib
import json
import os
import tempfile
import weakref
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from afloc.errors import DataError
from afloc.language.findings import load_findings
from afloc.language.statements import Statement
from afloc.training.data.fact_index import (
    COMMON,
    MIN_BOTH_WAYS,
    PRESENT,
    UNNAMED,
    FactIndex,
    close_world,
    index_rows,
)
from afloc.training.data.facts import Description, Fact
from afloc.training.data.pairs import Pair, in_calibration_split, read_pair
from afloc.training.recipe import ImageRecipe, Recipe

REPORTED = ("text", "findings", "impression", "mesh")  # the columns that come from a report
NEEDED = ("image", "labels", "source")
TRAIN, CALIBRATION, TEST = PARTS = "train", "calibration", "test"  # what the column `split` may say
TEST_ONE_IN = 6  # of a table that a model goes on with, one patient in six measures what changed


class PairTable(Sequence[Pair]):
    """The rows of a table as pairs, and their `fact_index`, with its facts under the closed-world assumption.

    `name`: of the table, for messages. `digest`: 16 hexadecimal digits that stand for all its rows. `weak`:
    sources that may not teach a finding alone.
    """

    def __init__(self, rows: Iterable[Pair], modality: str, name: str, weak: Sequence[str] = ()):
        self.modality, self.name = modality, name
        handle, self._path = tempfile.mkstemp(prefix="afloc-table-")
        weakref.finalize(self, _remove, self._path, os.getpid())
        offsets, names = array("q", [0]), array("Q")
        self._missing: list[str] = []
        digest = hashlib.sha256()
        with os.fdopen(handle, "wb") as file:

            def stated() -> Iterator[tuple[str, Mapping[str, Fact], Collection[str], bool]]:
                for pair in rows:
                    record = json.dumps(_to_record(pair)).encode()
                    file.write(record)
                    digest.update(record)
                    offsets.append(offsets[-1] + len(record))
                    names.extend((_short_hash(pair.patient), _short_hash(str(pair.image))))
                    if not pair.image.is_file():
                        self._missing.append(pair.image.name)
                    yield pair.source, pair.facts, _affirmed(pair.facts), pair.in_calibration_split

            index = index_rows(modality, stated())
        self.fact_index = replace(index, facts=close_world(index, weak))
        self.digest = digest.hexdigest()[:16]
        self._offsets = np.array(offsets, np.int64)
        self._names = np.array(names, np.uint64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, row: Any) -> Any:
        row = range(len(self))[row]  # IndexError beyond the end
        start, end = map(int, self._offsets[row : row + 2])
        with open(self._path, "rb") as file:
            file.seek(start)
            record = json.loads(file.read(end - start))
        return _from_record(record, self.modality, self.fact_index, row)

    def check_split(self) -> None:
        """DataError where a patient or an image is both learned from and held back for the calibration."""
        held = self.fact_index.held_back
        self._check_apart(self._names[held], self._names[~held])

    def check_apart(self, other: "PairTable") -> None:
        """DataError where a patient or an image stands in both tables, which are parts of one."""
        self._check_apart(self._names, other._names)

    def _check_apart(self, first: np.ndarray, second: np.ndarray) -> None:
        for column, what in enumerate(("patient", "image")):
            both = np.intersect1d(first[:, column], second[:, column])
            if both.size:
                pair = self[int(np.flatnonzero(self._names[:, column] == both[0])[0])]
                name = pair.patient if what == "patient" else pair.image.name
                raise DataError(
                    f"{self.name} has the {what} {name} on both sides of the split, learned from and held "
                    "back: give all their rows the same `patient` and, if any, the same `split`."
                )

    def check_images(self) -> None:
        """DataError where images are not there."""
        if self._missing:
            raise DataError(
                f"{len(self._missing)} of the {len(self)} images that {self.name} names are not there, "
                f"first {self._missing[0]}: give their paths from the table's folder."
            )

    def check_enough(self, batch_size: int) -> None:
        """DataError where a batch needs more rows than there are (no row comes twice in a batch), or where
        the calibration split is empty or no operating point can be fitted on it."""
        if not self.fact_index.held_back.any():
            raise DataError(
                f"{self.name} names too few patients: one in twelve is left out, for the calibration, and "
                "none of them is."
            )
        check_calibration_split(self.fact_index, self.name)
        count = int(self.fact_index.usable.sum())
        if count < batch_size:
            raise DataError(
                f"{self.name} has {count} rows to learn from, fewer than a batch of {batch_size}: "
                "give more rows or a smaller batch_size."
            )


def read_pairs(
    tables: Path | Sequence[Path],
    modality: str,
    *,
    labels_only: bool = False,
    weak: Sequence[str] = (),
    same_patients: Sequence[Sequence[str]] = (),
    parts: Collection[str] = (TRAIN, CALIBRATION),
    tested: bool = False,
    needed: Collection[str] = NEEDED,
) -> PairTable:
    """Read the pairs of CSVs with the columns `image`, `text`, `labels`, `source` (see docs/training.md).

    `labels_only` ignores the reports. `weak`: sources that may not teach a finding alone. `same_patients`:
    names that stand for one patient. `parts`: those of PARTS that are wanted. A row without `split` belongs
    to a part by its patient; with `tested`, one patient in TEST_ONE_IN to the test. Raises DataError where a
    table or one of the columns `needed` is missing, or a table is no CSV in UTF-8.
    """
    tables = [tables] if isinstance(tables, Path) else list(tables)
    first_of = {name: names[0] for names in same_patients for name in names}

    def rows() -> Iterator[Pair]:
        for table in tables:
            for row in read_rows(table, needed):
                row = {"labels": "", "source": table.stem.replace(" ", "-"), **row}
                if labels_only:
                    row |= dict.fromkeys(REPORTED, "")
                named = row.get("patient") or row["image"]
                row["patient"] = first_of.get(named, named)
                part = _part(row, tested, table.name)
                if part in parts:
                    pair = read_pair(row, table.parent, modality)
                    yield replace(pair, in_calibration_split=part == CALIBRATION)

    return PairTable(rows(), modality, " and ".join(table.name for table in tables), weak)


def read_recipe_table(recipe: Recipe, modality: str, data: Path) -> PairTable:
    """The table of a modality, as a recipe says, below the folder `data`. DataError for a `source_weights`
    that does not fit it."""
    own = recipe.images[modality]
    table = read_pairs(
        find_tables(data, own.table),
        modality,
        labels_only="reports" in recipe.without,
        weak=own.weak_sources,
        same_patients=own.same_patients,
    )
    _check_sources(own, table)
    return table


def _check_sources(own: ImageRecipe, table: PairTable) -> None:
    index = table.fact_index
    if unknown := sorted(set(own.source_weights) - set(index.sources)):
        raise DataError(
            f"source_weights names {', '.join(unknown)}; the sources of {table.name} are "
            f"{', '.join(sorted(index.sources))}."
        )
    weak = np.isin(index.sources, own.weak_sources)[index.source]
    only_there = (index.affirmed[weak].sum(0) >= MIN_BOTH_WAYS) & ~(index.facts == PRESENT).any(0)
    if only_there.any():
        findings = load_findings(table.modality)
        names = [findings[index.findings[number]].name for number in np.flatnonzero(only_there)]
        raise DataError(
            f"source_weights: only {' and '.join(own.weak_sources)} shows {', '.join(names)}, and a source "
            "with a weight below 1 teaches no finding alone. Give it the weight 1."
        )


def _part(row: Mapping[str, str], tested: bool, table: str) -> str:
    if given := row.get("split"):
        if given not in PARTS:
            raise DataError(f"{table}: `split` is {given!r}; it may be {', '.join(PARTS)}.")
        return given
    if in_calibration_split(row["patient"]):
        return CALIBRATION
    return TEST if tested and _short_hash(row["patient"]) % TEST_ONE_IN == 0 else TRAIN


def read_rows(table: Path, needed: Collection[str] = NEEDED) -> Iterator[dict[str, str]]:
    """The rows of a CSV, one at a time; DataError as of `read_pairs`."""
    if not table.is_file():
        raise DataError(
            f"There is no training table {table.name}: give the folder that holds it with --data."
        )
    try:
        with table.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, restval="")
            if missing := set(needed) - set(reader.fieldnames or ()):
                raise DataError(f"{table.name} lacks the column {', '.join(sorted(missing))}.")
            yield from reader
    except (UnicodeDecodeError, csv.Error):
        raise DataError(f"{table.name} is not a CSV in UTF-8.") from None


def find_tables(data: Path, name: str) -> list[Path]:
    """The files that a recipe's `table` stands for below `data`: one, or those that fit a pattern such as
    "films/*.csv", in the order of their names."""
    return sorted(data.glob(name)) or [data / name]


def check_calibration_split(index: FactIndex, source: str) -> None:
    """Raise DataError, which names `source`, where the calibration split has no image with, or none without,
    a common pathology: no operating point can be fitted."""
    entries = load_findings(index.modality)
    common = [
        index.findings.index(finding) for finding in index.common_findings() if not entries[finding].normal
    ]
    known = index.facts[index.held_back][:, common]
    if not ((known == PRESENT).any() and (known == 0).any()):
        raise DataError(
            f"{source} is not enough for the calibration: among the patients left out of training, one in "
            f"twelve, some images must have, and some must lack, a finding that {COMMON} images have. "
            "Give more rows."
        )


def index_of(pairs: Sequence[Pair]) -> FactIndex:
    """The index of pairs; those of a table have theirs."""
    if isinstance(pairs, PairTable):
        return pairs.fact_index
    rows = ((pair.source, pair.facts, pair.affirmed, pair.in_calibration_split) for pair in pairs)
    return index_rows(pairs[0].modality, rows)


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a process that was forked from it
        Path(path).unlink(missing_ok=True)


def _affirmed(facts: Mapping[str, Fact]) -> frozenset[str]:
    return frozenset(finding for finding, fact in facts.items() if fact.present == 1)


def _short_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _to_record(pair: Pair) -> dict[str, Any]:
    return {
        "image": str(pair.image),
        "source": pair.source,
        "sentences": [
            [d.text, [list(asdict(each).values()) for each in d.statements]] for d in pair.sentences
        ],
        "facts": {  # in one order: the digest is that of another process, too
            finding: [fact.present, sorted(fact.sides), sorted(fact.zones)]
            for finding, fact in sorted(pair.facts.items())
        },
        "held_back": pair.in_calibration_split,
        "texts": pair.texts,
        "patient": pair.patient,
    }


def _from_record(record: dict[str, Any], modality: str, index: FactIndex, row: int) -> Pair:
    stated = {
        finding: Fact(present, frozenset(sides), frozenset(zones))
        for finding, (present, sides, zones) in record["facts"].items()
    }
    known = np.flatnonzero(index.facts[row] != UNNAMED)
    return Pair(
        Path(record["image"]),
        record["source"],
        modality,
        tuple(
            Description(text, tuple(_statement(each) for each in statements))
            for text, statements in record["sentences"]
        ),
        {index.findings[f]: stated.get(index.findings[f], Fact(0.0)) for f in known},
        _affirmed(stated),
        record["held_back"],
        tuple(record["texts"]),
        record["patient"],
    )


def _statement(values: list) -> Statement:
    finding, status, side, zone, zones = values
    return Statement(finding, status, side, zone, tuple(zones))
