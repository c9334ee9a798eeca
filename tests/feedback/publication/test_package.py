import dataclasses
import hashlib
import io
import zipfile
from collections import Counter

import pandas as pd
from PIL import Image

from afloc.feedback.publication.package import package


def test_the_package_is_whole(published, study):
    store, found = published
    archive = zipfile.ZipFile(io.BytesIO(package(store, found)))
    files = {name.removeprefix(f"{study.id}/"): archive.read(name) for name in archive.namelist()}
    sums = dict(line.split("  ")[::-1] for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    expected = {
        "data/simulated.csv",
        "data/simulated.parquet",
        "data/simulated.json",
        "report.md",
        "report.html",
    }
    expected |= {f"figures/{name}.{kind}" for name in ("roc", "auc", "times") for kind in ("svg", "png")}
    assert expected | {"data/simulated.simulated.study.json", "tables/roc.csv", "README.md"} <= set(files)
    table = pd.read_csv(io.BytesIO(files["tables/roc.csv"]))
    assert table["AUC"].tolist() == found.found.roc["auc"].tolist() and "95% from" in table
    picture = Image.open(io.BytesIO(files["figures/roc.png"]))
    assert round(picture.info["dpi"][0]) == 300 and picture.width > 1000
    assert b"<svg" in files["figures/roc.svg"] and b"<text" in files["figures/roc.svg"]
    assert not any("demo-1" in content.decode(errors="replace") for content in files.values())  # no code


def test_the_ratings_are_there_as_other_programs_read_them(published, study):
    """Read back, every rating of a case with known truth is in each of the files, once."""
    store, found = published
    archive = zipfile.ZipFile(io.BytesIO(package(store, found)))
    start = f"{study.id}/mrmc/"
    files = {name.removeprefix(start): archive.read(name) for name in archive.namelist() if start in name}
    frame = found.frame[found.frame["repeat"] == 0]
    rated = frame[frame[f"q_{study.presence}"].notna() & frame["case_id"].isin(found.references)]
    expected = Counter(
        (row.reader, row.case_id, row.arm, int(getattr(row, f"q_{study.presence}")))
        for row in rated.itertuples()
    )
    assert len(expected) > 20

    head, data = files[f"{study.id}.imrmc"].decode().split("BEGIN DATA:\n")
    lines = [line.split(",") for line in data.splitlines()]
    told = {case: truth == "1" for reader, case, _, truth in lines if reader == "-1"}
    assert told == {case: found.references[case].truth for case in set(rated["case_id"])}
    assert Counter((r, c, a, int(n)) for r, c, a, n in lines if r != "-1") == expected
    assert f"N1: {sum(told.values())}\n" in head and f"NR: {rated['reader'].nunique()}\n" in head

    sheets = {
        name: pd.read_csv(io.BytesIO(files[f"{name}.csv"])) for name in ("ROC/TP", "ROC/FP", "ROC/TRUTH")
    }
    cases = pd.read_csv(io.BytesIO(files["cases.csv"]), index_col="CaseID")["case"]
    marks = [
        (row.ReaderID, cases[row.CaseID], row.ModalityID, getattr(row, f"{kind}_Rating"))
        for kind in ("TP", "FP")
        for row in sheets[f"ROC/{kind}"].itertuples()
    ]
    assert Counter(marks) == expected
    truth = sheets["ROC/TRUTH"]
    assert {cases[row.CaseID]: row.LesionID > 0 for row in truth.itertuples()} == told
    book = zipfile.ZipFile(io.BytesIO(files[f"{study.id}.xlsx"]))
    for number, sheet in enumerate(("TRUTH", "TP", "FP"), 1):
        xml = book.read(f"xl/worksheets/sheet{number}.xml").decode()
        assert xml.count("<row ") == len(sheets[f"ROC/{sheet}"]) + 1

    # Of FROC every region that was drawn is a mark.
    marked = [len(pd.read_csv(io.BytesIO(files[f"FROC/{kind}.csv"]))) for kind in ("TP", "FP")]
    assert 0 < sum(marked) <= sum(len(each) for each in rated["regions"] if each is not None)
    explained = pd.read_csv(io.BytesIO(files["dictionary.csv"]))
    columns = {name.strip() for each in explained["column"].dropna() for name in each.split(",")}
    assert all(set(table) <= columns for table in sheets.values())


def test_a_study_without_truth_says_why_there_are_no_ratings(published, study):
    store, found = published
    untold = dataclasses.replace(
        study, cases=tuple(dataclasses.replace(case, truth=None, boxes=()) for case in study.cases)
    )
    told = dataclasses.replace(found, selected=dataclasses.replace(found.selected, study=untold))
    archive = zipfile.ZipFile(io.BytesIO(package(store, told)))
    assert not [name for name in archive.namelist() if "/mrmc/" in name]
    assert b"not here. The study simulated has no rating" in archive.read(f"{study.id}/README.md")
