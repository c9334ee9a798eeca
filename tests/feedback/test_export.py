import csv
import dataclasses
import json
import logging
import shutil
import subprocess
import zipfile
from xml.etree import ElementTree

import duckdb
import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet
from pycocotools.coco import COCO
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from afloc.errors import DataError
from afloc.feedback.analysis import data_frames
from afloc.feedback.analysis.results import analyse
from afloc.feedback.backup import COPY_NAME, Backup
from afloc.feedback.export import export, import_rows
from afloc.feedback.store.events import ADDED, COLUMNS, NAMES, Event
from afloc.feedback.store.store import FILE_NAME, Store
from afloc.feedback.studies import readings
from afloc.feedback.studies.reference_standard import import_reference, references
from afloc.feedback.studies.schedule import schedule
from afloc.feedback.studies.study import load_image
from afloc.feedback.studies.study_file import read_study
from afloc.imaging.regions import Box
from afloc.text import safe_cell, unsafe_cell
from tests.feedback.conftest import HOSTILE

EVERYTHING = "SELECT * FROM events ORDER BY seq"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_export_read_again_is_the_same_rows(filled, study, tmp_path, ending):
    file, dictionary, definition = export(filled, tmp_path / f"out.{ending}")
    with Store(tmp_path / "again") as store:
        before = filled.rows(EVERYTHING)
        assert import_rows(store, file) == len(before)
        assert store.rows(EVERYTHING) == before
        assert import_rows(store, file) == 0
        assert data_frames.kept_study(store, study.id).definition() == study.definition()
    with open(dictionary, encoding="utf-8", newline="") as opened:
        assert [row["column"] for row in csv.DictReader(opened)][: len(NAMES)] == list(NAMES)
    assert json.loads(definition.read_text())["version"] == study.version


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_export_of_an_earlier_version_is_read(filled, tmp_path, ending):
    """It lacks the columns that were added since."""
    file, *_ = export(filled, tmp_path / f"new.{ending}")
    kept = ", ".join(name for name in NAMES if name not in ADDED)
    old = tmp_path / f"old.{ending}"
    options = ", all_varchar=true" if ending == "csv" else ""
    duckdb.execute(f"COPY (SELECT {kept} FROM read_{ending}('{file}'{options})) TO '{old}'")
    with Store(tmp_path / "again") as store:
        rows = filled.rows(EVERYTHING)
        assert import_rows(store, old) == len(rows)
        assert store.rows(EVERYTHING) == [row | dict.fromkeys(ADDED) for row in rows]


def test_no_cell_is_a_formula(filled, tmp_path):
    export(filled, tmp_path / "out.csv")
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [(name, cell) for row in rows for name, cell in row.items() if cell]
    assert not [cell for name, cell in texts if cell[0] in "=+-@\t\r" and name not in ("score", "threshold")]
    for text in [*HOSTILE, "", "'", "'x", "'''=1", "x=1"]:
        assert unsafe_cell(safe_cell(text)) == text
        assert not str(safe_cell(text)).startswith(tuple("=+-@\t\r"))


def test_an_export_of_one_study(filled, study, tmp_path):
    export(filled, tmp_path / "out.parquet", study=study.id)
    found = duckdb.sql(f"SELECT DISTINCT study FROM '{tmp_path / 'out.parquet'}'").fetchall()
    assert found == [(study.id,)]
    with pytest.raises(DataError, match=r"no answer to a study 'other'; it has simulated\.$"):
        export(filled, tmp_path / "out.csv", study="other")


def test_a_csv_has_a_column_a_question_the_order_and_the_truth(filled, study, tmp_path):
    export(filled, tmp_path / "out.csv", study=study.id)
    table = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    read = table[table["kind"] == "reading"]
    assert read["answer_sure"].astype(int).tolist() == [json.loads(each)["sure"] for each in read["answers"]]
    truth = {case.id: str(int(case.truth)) for case in study.cases}
    assert read["truth"].astype(str).tolist() == [truth[case] for case in read["case_id"]]
    for reader, mine in read[read["replaces"] == ""].groupby("reader"):
        slots = {slot.key: slot.index + 1 for slot in schedule(study, reader)}
        keys = mine[["period", "case_id", "arm", "repeat"]].astype({"period": int, "repeat": int})
        places = [slots[key] for key in keys.itertuples(index=False, name=None)]
        assert mine["order"].astype(int).tolist() == places
    times = pd.to_datetime(table["time"])
    assert str(times.dt.tz) == "UTC" and table["time"].str.endswith("+00:00").all()


def test_a_parquet_has_times_with_their_zone(filled, tmp_path):
    export(filled, tmp_path / "out.parquet")
    found = parquet.read_table(tmp_path / "out.parquet")["time"]
    assert found.type.tz == "UTC"
    kept = filled.rows("SELECT time FROM events ORDER BY seq")
    assert [each.replace(tzinfo=None) for each in found.to_pylist()] == [row["time"] for row in kept]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_no_cell_is_a_formula_whatever_the_separator(tmp_path, separator):
    """As a spreadsheet of another country opens the file."""
    text = "x;=cmd|'/C calc'!A0;y\t+1|-2\n=3"
    with Store(tmp_path / "store") as store:
        store.record(Event("feedback", description=text, comment=text, answers={"agreement": text}))
        export(store, tmp_path / "out.csv")
        with open(tmp_path / "out.csv", newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file, delimiter=separator) for cell in row]
        assert not [cell for cell in cells if cell.lstrip().startswith(tuple("=+-@"))]
        with Store(tmp_path / "again") as again:
            import_rows(again, tmp_path / "out.csv")
            assert again.rows(EVERYTHING) == store.rows(EVERYTHING)


def test_coco(filled, study, tmp_path):
    export(filled, tmp_path / "out.json")
    coco = json.loads((tmp_path / "out.json").read_text())
    standing = [row for row in filled.rows("SELECT * FROM answers ORDER BY seq") if row["regions"]]
    assert len(coco["annotations"]) == sum(len(row["regions"]) for row in standing)
    images = {image["id"]: image for image in coco["images"]}
    categories = {category["id"]: category["name"] for category in coco["categories"]}
    assert len(images) == len({image["file_name"] for image in coco["images"]}) == 7
    for row, annotation in zip(standing, coco["annotations"], strict=True):
        image = images[annotation["image_id"]]
        name = f"simulated-{row['case_id']}" if row["case_id"] else row["image_digest"]
        assert image["file_name"] == f"{name}.png" and image["sha256"] == row["image_digest"]
        assert image["width"] == row["image_width"]
        assert categories[annotation["category_id"]] == row["description"]
        assert annotation["attributes"]["id"] == row["id"]
        if "box" in row["regions"][0]:
            assert annotation["bbox"] == row["regions"][0]["box"]
            assert annotation["area"] == pytest.approx(annotation["bbox"][2] * annotation["bbox"][3])
        else:
            assert annotation["bbox"] == [0, 0, 10, 9.25] and annotation["area"] == pytest.approx(46.25)


def test_coco_as_its_own_tools_read_it(tmp_path):
    """The mask of each region has its area, also of a box, of a double loop, and of a ring; what lies outside
    the image is cut off, and nothing is drawn of nothing."""
    loop = [[10, 10], [20, 10], [20, 20], [10, 20], [10, 10], [20, 10], [20, 20], [10, 20]]
    ring = [
        [30, 30],
        [60, 30],
        [60, 60],
        [30, 60],
        [30, 30],
        [40, 40],
        [40, 50],
        [50, 50],
        [50, 40],
        [40, 40],
    ]
    drawn = [{"box": [5, 5, 20, 10]}, {"outline": loop}, {"outline": ring}, {"box": [90, 40, 40, 20]}]
    drawn += [{"box": [200, 200, 10, 10]}, {"outline": [[0, 0], [5, 5], [9, 9]]}]
    with Store(tmp_path / "store") as store:
        event = {"image_digest": "f" * 64, "image_width": 100, "image_height": 80}
        store.record(Event("feedback", description=None, regions=drawn, **event))
        export(store, tmp_path / "out.json")
    coco = COCO(str(tmp_path / "out.json"))
    found = coco.loadAnns(coco.getAnnIds())
    assert len(found) == 4 and [each["area"] for each in found[:2]] == [200, 100]
    for each in found:
        assert coco.annToMask(each).sum() == pytest.approx(each["area"], rel=0.1)
    assert found[3]["bbox"] == [90, 40, 10, 20] and coco.loadCats([1])[0]["name"] == "finding"


def test_a_jafroc_workbook(filled, study, tmp_path):
    written = export(filled, tmp_path / "out.xlsx", study=study.id)
    names = ["out.xlsx", "out.lroc.xlsx", "out.froc.xlsx", "out.cases.csv", "out.dictionary.csv"]
    assert [path.name for path in written] == [*names, "out.simulated.study.json"]
    cases = dict(csv.reader((tmp_path / "out.cases.csv").read_text().splitlines()))
    rated = {
        (row["reader"], row["arm"], row["case_id"]): row["answers"]["sure"]
        for row in filled.rows("SELECT * FROM answers WHERE kind = 'reading' AND repeat = 0")
    }
    sheets = read_workbook(tmp_path / "out.xlsx")
    assert list(sheets) == ["TRUTH", "TP", "FP"]
    assert sheets["TRUTH"][0] == ["CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm"]
    assert [row[5] for row in sheets["TRUTH"][1:3]] == ["ROC", "FCTRL"]
    assert {row[3] for row in sheets["TRUTH"][1:]} == {"R1, R2, R3"}
    found = {(*row[:2], cases[row[2]]): int(row[-1]) for row in sheets["TP"][1:] + sheets["FP"][1:]}
    assert found == rated and len(sheets["TP"]) == 1 + 3 * 2 * 6
    froc = read_workbook(tmp_path / "out.froc.xlsx")  # each box hits, with the rating of its case
    assert froc["TP"] == sheets["TP"] and len(froc["FP"]) == 1 and froc["TRUTH"][1][5] == "FROC"
    with pytest.raises(DataError, match="--study"):
        export(filled, tmp_path / "out.xlsx")


def test_what_jafroc_calls_found(study, tmp_path):
    """Two lesions; a box on one, a box beside, with ratings of their own; then a case located wrongly."""
    boxes = (Box(0, 0, 100, 100), Box(300, 300, 100, 100))
    cases = [dataclasses.replace(study.cases[0], id="p", boxes=boxes)]
    cases += [dataclasses.replace(study.cases[0], id="q", boxes=boxes[:1])]
    cases += [dataclasses.replace(study.cases[0], id="n", truth=False, boxes=())]
    one = dataclasses.replace(study, cases=tuple(cases), design="aided", repeats=0, consent="")
    drawn = {"p": [[310, 310, 100, 100], [600, 600, 50, 50]], "q": [[500, 0, 100, 100]], "n": []}
    with Store(tmp_path / "store") as store:
        store.keep_study(one.version, one.id, one.definition())
        for number, (case, regions) in enumerate(drawn.items()):
            answers = {"sure": 4 - number} | ({"place": [5, 2]} if case == "p" else {})
            event = Event(
                "reading", reader="R1", study=one.id, study_version=one.version, case_id=case, arm="aided",
                period=1, repeat=0, answers=answers, regions=[{"box": box} for box in regions],
            )  # fmt: skip
            store.record(event)
        export(store, tmp_path / "out.xlsx", study=one.id)
    froc, lroc = (read_workbook(tmp_path / f"out.{name}.xlsx") for name in ("froc", "lroc"))
    truth = [row[:3] for row in froc["TRUTH"][1:]]
    assert truth == [["1", "0", "0"], ["2", "1", "0"], ["2", "2", "0"], ["3", "1", "0"]]
    assert froc["TP"][1:] == [["R1", "aided", "2", "2", "5"]]
    assert froc["FP"][1:] == [["R1", "aided", "2", "2"], ["R1", "aided", "3", "3"]]
    assert lroc["TP"][1:] == [["R1", "aided", "2", "1", "4"]]
    assert lroc["FP"][1:] == [["R1", "aided", "3", "3"], ["R1", "aided", "1", "2"]]


def read_workbook(path) -> dict[str, list[list[str]]]:
    """The texts of the cells that hold one, by sheet."""
    name = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    found = {}
    with zipfile.ZipFile(path) as archive:
        sheets = ElementTree.fromstring(archive.read("xl/workbook.xml")).findall(".//m:sheet", name)
        for number, sheet in enumerate(sheets, 1):
            rows = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
            found[sheet.get("name")] = [
                ["".join(cell.itertext()) for cell in row.findall("m:c", name)]
                for row in rows.findall(".//m:row", name)
            ]
    return found


def test_base_r_reads_what_is_exported(filled, study, tmp_path):
    """R alone, as of a fresh installation: the ratings of the iMRMC file, and the sheets of the workbook."""
    if not shutil.which("Rscript"):
        pytest.skip("R is not installed")
    export(filled, tmp_path / "out.imrmc", study=study.id)
    export(filled, tmp_path / "out.xlsx", study=study.id)
    script = """
    lines <- readLines("out.imrmc"); start <- grep("BEGIN DATA:", lines)
    d <- read.csv(text = lines[-seq_len(start)], header = FALSE)
    cat(sum(d[[1]] != "-1"), sum(as.numeric(d[d[[1]] != "-1", 4])), "")
    unzip("out.xlsx", exdir = "x"); xml <- readLines("x/xl/worksheets/sheet2.xml", warn = FALSE)
    cat(length(gregexpr("<row ", paste(xml, collapse = ""))[[1]]))
    """
    (tmp_path / "read.R").write_text(script)
    command = ["Rscript", "read.R"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
    rated = filled.rows("SELECT * FROM answers WHERE kind = 'reading' AND repeat = 0")
    assert found == [str(len(rated)), str(sum(row["answers"]["sure"] for row in rated)), str(1 + 3 * 2 * 6)]


def test_imrmc(filled, study, tmp_path):
    export(filled, tmp_path / "out.imrmc", study=study.id)
    head, _, body = (tmp_path / "out.imrmc").read_text().partition("BEGIN DATA:\n")
    assert {"N0: 6", "N1: 6", "NR: 3", "NM: 2"} <= set(head.splitlines())
    rows = [line.split(",") for line in body.splitlines()]
    assert {(case, truth) for reader, case, _, truth in rows if reader == "-1"} == {
        (case.id, str(int(case.truth))) for case in study.cases
    }
    ratings = [tuple(row) for row in rows if row[0] != "-1"]
    expected = filled.rows("SELECT * FROM answers WHERE kind = 'reading' AND repeat = 0")
    assert sorted(ratings) == sorted(
        (row["reader"], row["case_id"], row["arm"], str(row["answers"]["sure"])) for row in expected
    )
    assert len(ratings) == 3 * 12 * 2
    with pytest.raises(DataError, match="--study"):
        export(filled, tmp_path / "out.imrmc")


UNSOUND = [
    [{"box": [0, 0, 1, 1], "outline": 5}],
    [{"outline": [[0, 0], [10, 0], [5, 9]], "box": None}],
    [{"box": [0, 0, 1e308, 1e308]}],
    [{"outline": [[0, 0], [1e308, 0], [0, 1e308]]}],
    ["box", None, {"box": 7}, {"outline": [[0, 0], 1, 2]}],
]


@pytest.fixture
def with_unsound_regions(filled_folder, tmp_path):
    """The simulated study with regions in some rows that are none, as earlier versions let them in."""
    shutil.copytree(filled_folder, tmp_path / "unsound")
    with duckdb.connect(tmp_path / "unsound" / FILE_NAME) as connection:
        query = "SELECT id FROM answers WHERE kind = ? AND len(regions::JSON[]) > 0 ORDER BY seq LIMIT ?"
        for kind in ("reading", "feedback"):
            ids = connection.execute(query, [kind, len(UNSOUND)]).fetchall()
            for (name,), regions in zip(ids, UNSOUND, strict=True):
                connection.execute("UPDATE events SET regions = ? WHERE id = ?", [json.dumps(regions), name])
    with Store(tmp_path / "unsound") as store:
        yield store


def test_stored_regions_that_are_none_are_skipped(with_unsound_regions, filled, study, tmp_path):
    store = with_unsound_regions
    counts = []
    for each in (store, filled):
        file = export(each, tmp_path / "out.json")[0]
        coco = json.loads(file.read_text(), parse_constant=pytest.fail)
        counts.append(len(coco["annotations"]))
    assert counts[0] == counts[1] - 2 * len(UNSOUND)


def test_a_study_is_summarised_without_regions_that_are_none(with_unsound_regions, study):
    store = with_unsound_regions
    frame, known = data_frames.study_frame(store, study), references(store, study)
    unsound = frame["regions"].isin([json.dumps(regions) for regions in UNSOUND])
    assert unsound.sum() == len(UNSOUND)
    expected = analyse(study, frame[~unsound], known).overlaps
    pd.testing.assert_frame_equal(analyse(study, frame, known).overlaps, expected)


def test_an_export_with_regions_that_are_none_can_be_read_again(with_unsound_regions, tmp_path):
    for ending in ("csv", "parquet"):
        file = export(with_unsound_regions, tmp_path / f"out.{ending}")[0]
        with Store(tmp_path / ending) as store:
            import_rows(store, file)
            pairs = zip(store.rows(EVERYTHING), with_unsound_regions.rows(EVERYTHING), strict=True)
            changed = [(row["regions"], before["regions"]) for row, before in pairs if row != before]
            assert sorted(map(str, changed)) == sorted(str(([], regions)) for regions in UNSOUND * 2)


def test_formats(filled, tmp_path):
    export(filled, tmp_path / "out.txt", "coco")
    assert json.loads((tmp_path / "out.txt").read_text())["annotations"]
    with pytest.raises(DataError, match=r"^The format must be one of csv, parquet.*\.$"):
        export(filled, tmp_path / "out.docx")


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe", b"PAR1 not"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_no_export_is_refused(tmp_path, content, ending):
    path = tmp_path / f"in.{ending}"
    path.write_bytes(content)
    with Store(tmp_path / "store") as store:
        with pytest.raises(DataError, match=r"^in\.\w+ is not a CSV or Parquet file"):
            import_rows(store, path)
        with pytest.raises(DataError):
            import_rows(store, tmp_path / f"none.{ending}")
        assert store.rows(EVERYTHING) == []


def test_the_last_imported_reference_stands(study, tmp_path):
    with Store(tmp_path) as store:
        assert references(store, study)["c0"].truth and len(references(store, study)) == 12
        path = tmp_path / "truth.csv"
        path.write_text(
            'case,truth,boxes\nc0,0,\nc7,yes,"[{""label"": ""x"", ""x"": 1, ""y"": 2, ""w"": 3, ""h"": 4}]"\n'
        )
        assert len(import_reference(store, study, path)) == 2
        found = references(store, study)
        assert not found["c0"].truth and found["c0"].regions == ()
        assert found["c7"].truth and found["c7"].regions == (Box(1, 2, 3, 4),)
        for text, message in [
            ("case\nc0\n", "columns case and truth"),
            ("case,truth\nc99,1\n", "Line 2: the study has no case 'c99'"),
            ("case,truth\nc0,1\nc1,maybe\n", "Line 3: truth is 'maybe'"),
            ('case,truth,boxes\nc0,1,"[[1,2,0,4]]"\n', "Line 2: boxes must be"),
            ("case,truth\n", "holds no case"),
            ("case,truth\nc0,1\nc0,0\n", "Line 3: case 'c0' stands in line 2 already"),
            ('case,truth,boxes\nc0,0,"[[1,2,3,4]]"\n', "Line 2: boxes are only for"),
            ("case,truth,boxes\nc0,1," + "[" * 9999 + "\n", "Line 2: boxes must be"),
            ("case,truth\nx,1\nc0,2\ny,0\n", r"Line 2: .* 'x'\. Line 3: truth is '2'.* Line 4: .* 'y'\."),
        ]:
            path.write_text(text)
            with pytest.raises(DataError, match=message):
                import_reference(store, study, path)
        assert references(store, study) == found
        # As a spreadsheet of another country saves it; a line without a truth says nothing.
        path.write_text('\ufeffCase;Truth;Boxes\nc0;1;"[[1,2,3,4]]"\nc7;;\n;;\n', encoding="utf-8")
        assert len(import_reference(store, study, path)) == 1
        assert references(store, study)["c0"].regions == (Box(1, 2, 3, 4),)


def test_no_identifier_is_kept(tmp_path, caplog):
    """26 planted in file names and DICOM tags, and the sign-in code, sought in files, log and export."""
    caplog.set_level(logging.DEBUG)
    films = tmp_path / "films"
    films.mkdir()
    tags = "PatientName PatientID PatientBirthDate PatientAddress InstitutionName ReferringPhysicianName "
    tags += "AccessionNumber StudyID StudyDescription OperatorsName PatientComments OtherPatientIDs"
    secrets, cases = [], []
    for number in range(2):
        dataset = Dataset()
        for place, tag in enumerate(tags.split()):
            secret = f"1928073{number}" if tag == "PatientBirthDate" else f"ZQ{place}TAG{number}X"
            secrets.append(secret)
            setattr(dataset, tag, secret)
        name = f"ZQFILE{number}NAME_Doe.dcm"
        secrets += [name.removesuffix(".dcm")]
        _write_dicom(dataset, films / name)
        cases.append(f'[[cases]]\nid = "c{number}"\nimage = "films/{name}"\ndescription = "effusion"\n')
    assert len(set(secrets)) == 26
    (tmp_path / "s.toml").write_text(
        'id = "s"\ntitle = "S"\ndesign = "aided"\nseed = 1\n[readers]\nR1 = "ZQCODEX1"\n'
        '[[questions]]\nid = "q"\ntext = "?"\nkind = "choice"\nlabels = ["yes", "no"]\n' + "".join(cases)
    )
    study = read_study(tmp_path / "s.toml")
    data = tmp_path / "data"
    out = tmp_path / "out"
    with Store(data) as store:
        while slot := readings.next_slot(store, study, "R1"):
            image = load_image(study, slot.case)
            readings.save_reading(
                store, study, "R1", slot.index, {"q": "yes"}, image_digest=image.digest,
                image_width=image.width, image_height=image.height,
            )  # fmt: skip
        for ending in ("csv", "parquet", "json"):
            export(store, out / f"x.{ending}")
        kept = [path.read_bytes() for path in data.iterdir()]  # the log as it is while the page runs
        assert any(path.name.endswith(".wal") for path in data.iterdir())
    kept += [path.read_bytes() for folder in (data, out) for path in folder.iterdir()] + [
        caplog.text.encode()
    ]
    found = [secret for secret in [*secrets, "ZQ", "films/"] if any(secret.encode() in each for each in kept)]
    assert found == [] and image.digest.encode() in b"".join(kept)


def _write_dicom(dataset: Dataset, path) -> None:
    pixels = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(path, enforce_file_format=True)


def test_a_copy_brings_everything_back(filled_folder, tmp_path):
    with Store(filled_folder) as store:
        backup = Backup(store, tmp_path / "bucket", minutes=60)
        assert backup.copy() and backup.problem is None
        before = store.rows(EVERYTHING)
        copy = tmp_path / "bucket" / COPY_NAME
        first = copy.stat().st_mtime_ns
        backup.close()
        assert copy.stat().st_mtime_ns == first  # nothing new
    assert sorted(path.name for path in copy.parent.iterdir())[0].startswith("feedback.")
    with Store(tmp_path / "again") as store:
        assert import_rows(store, copy) == len(before) and store.rows(EVERYTHING) == before


@pytest.fixture
def bucket(tmp_path):
    """A folder with the copy of 21 rows, and the ids of those."""
    with Store(tmp_path / "first") as store:
        ids = {saved.id for saved in store.record_all([Event("feedback", visible_ms=n) for n in range(21)])}
        Backup(store, tmp_path / "bucket", minutes=60).close()
    return tmp_path / "bucket", ids


def copied_ids(folder) -> set[str]:
    with duckdb.connect() as connection:
        found = connection.execute("SELECT id::VARCHAR FROM read_parquet(?)", [str(folder / COPY_NAME)])
        return {name for (name,) in found.fetchall()}


def test_a_copy_that_could_not_be_read_is_not_overwritten_by_less(tmp_path, bucket):
    folder, ids = bucket
    folder.rename(tmp_path / "away")
    folder.mkdir()
    (folder / COPY_NAME).write_bytes(b"PAR1 not")
    with Store(tmp_path / "data") as store:
        backup = Backup(store, folder, minutes=60)
        added = store.record(Event("feedback")).id
        backup.close()
        assert backup.problem.startswith("The copy of the feedback could not be read")
    shutil.rmtree(folder)
    (tmp_path / "away").rename(folder)
    with Store(tmp_path / "data") as store:
        backup = Backup(store, folder, minutes=60)
        backup.close()
        assert backup.problem is None and store.last_seq == 22
    assert copied_ids(folder) == ids | {added}


def test_rows_lost_with_a_damaged_log_come_back_from_the_copy(tmp_path, bucket):
    folder, ids = bucket
    with Store(tmp_path / "data") as store:
        store.record(Event("feedback"))
    with Store(tmp_path / "data") as store:
        backup = Backup(store, folder, minutes=60)
        backup.copy()
        shutil.copytree(tmp_path / "data", tmp_path / "killed")
        backup.close()
    log = tmp_path / "killed" / f"{FILE_NAME}.wal"
    content = log.read_bytes()
    log.write_bytes(content[:150] + bytes(each ^ 255 for each in content[150:]))
    with Store(tmp_path / "killed") as store:
        assert store.last_seq < 22
        Backup(store, folder, minutes=60).close()
        assert store.last_seq == 22
    assert copied_ids(folder) > ids and len(copied_ids(folder)) == 22


def test_rows_lost_while_it_runs_come_back_from_the_copy(tmp_path, bucket):
    folder, ids = bucket
    with Store(tmp_path / "data") as store:
        backup = Backup(store, folder, minutes=60)
        assert store.last_seq == 21
        store._log._disconnect()  # as after a fatal error
        (tmp_path / "data" / FILE_NAME).write_bytes(b"not a database " * 4000)
        added = {store.record(Event("feedback")).id for _ in range(30)}  # more than there were
        assert store.last_seq == 30 and backup.copy() and store.last_seq == 51
        assert copied_ids(folder) == ids | added
        backup.close()


def test_a_copy_that_fails_says_so(filled, tmp_path):
    (tmp_path / "bucket").write_text("in the way")
    backup = Backup(filled, tmp_path / "bucket", minutes=60)
    assert not backup.copy() and backup.problem.startswith("The copy of the feedback failed")
    backup.close()


def test_an_export_of_an_old_database_is_the_old_one_but_for_new_columns(filled, tmp_path):
    """The database as the third version of the schema had it, before active time and erasures."""
    filled_now, *_ = export(filled, tmp_path / "now.csv")
    old = tmp_path / "old" / FILE_NAME
    old.parent.mkdir()
    with duckdb.connect() as connection:
        rows = filled.frame("SELECT * EXCLUDE active_ms FROM events ORDER BY seq")
        studies, claims = (filled.frame(f"SELECT * FROM {name}") for name in ("studies", "claims"))
        columns = ", ".join(f'"{c.name}" {c.type}' for c in COLUMNS if c.name != "active_ms")
        connection.execute(f"ATTACH '{old}' AS old")
        connection.execute(f"CREATE TABLE old.events ({columns}, PRIMARY KEY (id))")
        connection.execute("CREATE TABLE old.store (key VARCHAR PRIMARY KEY, value VARCHAR)")
        connection.execute("INSERT INTO old.store VALUES ('id', 'old'), ('schema', '3')")
        connection.execute("CREATE TABLE old.notices (time TIMESTAMP, notice VARCHAR)")
        connection.execute(
            "CREATE TABLE old.studies (version VARCHAR, study VARCHAR, time TIMESTAMP, definition JSON)"
        )
        connection.execute("CREATE TABLE old.claims (claim VARCHAR PRIMARY KEY, id UUID)")
        for name, table in (("events", rows), ("studies", studies), ("claims", claims)):
            connection.register("table_now", table)
            connection.execute(f"INSERT INTO old.{name} SELECT * FROM table_now")
    with Store(old.parent) as store:
        again, *_ = export(store, tmp_path / "again.csv")
    assert (old.parent / "feedback.v3.duckdb").is_file()
    tables = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in (filled_now, again)]
    assert tables[1]["active_ms"].eq("").all()
    pd.testing.assert_frame_equal(*(table.drop(columns="active_ms") for table in tables))
