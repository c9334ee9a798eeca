import csv
import io

import pyarrow as pa

from afloc.evaluation.csv_tables import cases_csv, comparison_csv, to_csv
from afloc.evaluation.entrant import Entrant


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_cases_are_rows_without_their_curves():
    table = pa.table(
        {
            "image": ["=1+1", "b.png"],
            "iou": [0.25, None],
            "present": [True, None],
            "fixed_iou": [[0.1], [0.2]],
        }
    )
    assert read(cases_csv(table)) == [
        {"image": "'=1+1", "iou": "0.25", "present": "true"},
        {"image": "b.png", "iou": "", "present": ""},
    ]


def test_a_comparison_is_one_table():
    def figures(iou):
        return {"iou": {"mean": iou, "ci95": [iou - 0.1, iou + 0.1]}, "cnr": {"mean": None, "ci95": None}}

    def summary(iou):
        return {
            "categories": {"Nodule": {"n": 12, **figures(iou)}},
            "overall": dict.fromkeys(("pathology", "all"), figures(iou)),
        }

    entrants = [
        Entrant(name, "simple", "", summary(iou), pa.table({})) for name, iou in (("a", 0.25), ("b", 0.5))
    ]
    rows = read(comparison_csv(entrants, [summary(0.25)]))
    assert [row["finding"] for row in rows] == ["Nodule", "mean over pathologies", "mean over all findings"]
    assert {row["measure"] for row in rows} == {"IoU"}  # what there is not has no row
    first = rows[0]
    assert (first["first"], first["other"], first["n"]) == ("a", "b", "12")
    assert [float(first[f"{each}_mean"]) for each in ("first", "other", "difference")] == [0.25, 0.5, 0.25]
    assert float(first["difference_low"]) == 0.15


def test_nothing_is_written_as_nothing():
    assert to_csv([{"a": None, "b": float("nan"), "c": False}], ["a", "b", "c"]) == "a,b,c\n,,false\n"
