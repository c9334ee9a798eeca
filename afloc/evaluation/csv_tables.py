"""The tables of an evaluation as CSV: the cases of a run, and a comparison."""

import csv
import io
from collections.abc import Iterable, Sequence

import pyarrow as pa

from afloc.evaluation.catalogue import MEASURES
from afloc.evaluation.entrant import Entrant
from afloc.text import safe_cell

GROUPS = {"pathology": "mean over pathologies", "all": "mean over all findings"}


def cases_csv(cases: pa.Table) -> str:
    """The cases of a run, a row each. Their curves, which are lists, stand in `cases.parquet` alone."""
    columns = [field.name for field in cases.schema if not pa.types.is_list(field.type)]
    return to_csv(cases.select(columns).to_pylist(), columns)


def comparison_csv(entrants: Sequence[Entrant], differences: Sequence[dict]) -> str:
    """The first entrant beside each other one: a row for each finding and measure, and for the means over
    findings, with the paired difference (the other less the first) and the 95% intervals.

    `differences`: of the others to the first, as `paired_differences` gives them.
    """
    first, *others = entrants
    rows: list[dict] = []
    for other, difference in zip(others, differences, strict=True):
        places = [("categories", name, name) for name in first.summary["categories"]]
        places += [("overall", group, title) for group, title in GROUPS.items()]
        for part, name, title in places:
            found = [each[part].get(name, {}) for each in (first.summary, other.summary, difference)]
            rows += _compare(found, {"first": first.name, "other": other.name, "finding": title})
    return to_csv(rows, _COMPARED)


_FIGURES = ("first", "other", "difference")
_COMPARED = ["first", "other", "finding", "n", "measure", "scale"] + [
    f"{name}_{part}" for name in _FIGURES for part in ("mean", "low", "high")
]


def _compare(found: Sequence[dict], about: dict) -> Iterable[dict]:
    difference = found[-1]
    for key, measure in MEASURES.items():
        if difference.get(key, {}).get("mean") is None:
            continue
        row = about | {"n": difference.get("n"), "measure": measure.name, "scale": measure.scale}
        for name, figures in zip(_FIGURES, found, strict=True):
            low, high = figures[key]["ci95"] or (None, None)
            row |= {f"{name}_mean": figures[key]["mean"], f"{name}_low": low, f"{name}_high": high}
        yield row


def to_csv(rows: Iterable[dict], columns: Sequence[str]) -> str:
    """Rows as CSV: what there is not is empty, a verdict true or false, no text a formula."""
    written = io.StringIO()
    table = csv.DictWriter(written, columns, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({column: _cell(row.get(column)) for column in columns})
    return written.getvalue()


def _cell(value: object) -> object:
    if value is None or value != value:
        return ""
    return str(value).lower() if isinstance(value, bool) else safe_cell(value)
