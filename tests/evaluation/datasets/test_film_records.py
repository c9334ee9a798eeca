"""The sets that are lists of records, and TBX11K and CheXmask, in the layout they are downloaded in."""

import json
from pathlib import Path

import numpy as np
import pytest

from afloc.errors import DataError
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.imaging.regions import Box
from tests.evaluation.datasets.test_public_sets import picture


def padchest_gr(folder: Path) -> Path:
    for name in ("1_a.png", "2_b.png"):
        picture(folder / "Padchest_GR_files" / "PadChest_GR" / name)
    thick = {
        "sentence_en": "Minimal biapical pleural thickening.",
        "sentence_es": "Mínimo engrosamiento pleural biapical.",
        "abnormal": True,
        "boxes": [[0.25, 0.1, 0.5, 0.35], [0.6, 0.1, 0.75, 0.35]],
        "extra_boxes": [[0.25, 0.1, 0.45, 0.35]],
        "labels": ["apical pleural thickening"],
        "locations": ["pleural"],
        "progression": None,
    }
    enlarged = thick | {"sentence_en": "The heart is enlarged.", "labels": ["cardiomegaly"], "boxes": []}
    normal = {"sentence_en": "No effusion.", "sentence_es": "Sin derrame.", "abnormal": False}
    records = [
        {"StudyID": "11", "ImageID": "1_a.png", "findings": [thick, enlarged | {"extra_boxes": []}, normal]},
        {"StudyID": "12", "ImageID": "2_b.png", "PreviousStudyID": None, "findings": [normal]},
    ]
    (folder / "master_table.csv").write_text(
        "StudyID,ImageID,label,split,PatientID\n11,1_a.png,x,test,p1\n11,1_a.png,y,test,p1\n12,2_b.png,z,train,p2\n"
    )
    table = folder / "grounded_reports_20240819.json"
    table.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return table


def chestx_det(folder: Path) -> Path:
    for name in ("00000042_006.png", "00000043_000.png"):
        picture(folder / "test_data" / name, 1024, 1024)
    records = [
        {
            "file_name": "00000042_006.png",
            "syms": ["Fibrosis", "Fibrosis", "Mass"],
            "boxes": [[632, 721, 909, 969], [129, 611, 474, 909], [1, 2, 3, 4]],
        },
        {"file_name": "00000043_000.png", "syms": [], "boxes": []},
    ]
    table = folder / "test.json"
    table.write_text(json.dumps(records))
    return table


def tbx11k(folder: Path) -> Path:
    names = ("health/h0001.png", "sick/s0001.png", "tb/tb0003.png", "extra/da/p1.png")
    for name in names:
        picture(folder / "imgs" / name, 512, 512)
    images = [
        {"id": number, "file_name": name, "width": 512, "height": 512} for number, name in enumerate(names)
    ]
    kinds = ("ActiveTuberculosis", "ObsoletePulmonaryTuberculosis", "PulmonaryTuberculosis")
    categories = [{"id": number, "name": name} for number, name in enumerate(kinds, start=1)]
    annotation = {"id": 1, "image_id": 2, "category_id": 1, "bbox": [40.5, 60, 100, 120], "iscrowd": 0}
    table = folder / "annotations" / "json" / "TBX11K_val.json"
    table.parent.mkdir(parents=True)
    table.write_text(json.dumps({"images": images, "annotations": [annotation], "categories": categories}))
    return table


def rows_of(mask: np.ndarray) -> str:
    """Run lengths as CheXmask's own tools write them: along the rows, starts counted from 1."""
    flat = np.concatenate([[0], mask.reshape(-1).astype(int), [0]])
    changes = np.flatnonzero(np.diff(flat)) + 1
    changes[1::2] -= changes[::2]
    return " ".join(map(str, changes))


LUNG = np.zeros((40, 60), bool)
LUNG[5:30, 35:55] = True


def chexmask(folder: Path, column: str = "image_id", films: tuple[str, ...] = ("a1", "b2")) -> Path:
    for film in films:
        picture(folder / "films" / (film if film.endswith("g") else f"{film}.png"))
    anatomy = f"{rows_of(LUNG)},{rows_of(LUNG[:, ::-1])},,40,60"
    table = folder / "VinDr-CXR.csv"
    table.write_text(
        f"{column},Dice RCA (Max),Dice RCA (Mean),Landmarks,Left Lung,Right Lung,Heart,Height,Width\n"
        f'{films[0]},0.9,0.85,"[1 2]",{anatomy}\n{films[1]},0.7,0.6,"[1 2]",{anatomy}\n'
    )
    return table


def test_padchest_gr(tmp_path):
    first, second = read_dataset(padchest_gr(tmp_path)).rows
    (truth,) = first.truths
    assert (truth.label, truth.description) == (
        "apical pleural thickening",
        "Minimal biapical pleural thickening.",
    )
    assert [tuple(box) for box in truth.boxes] == [
        pytest.approx((15, 4, 15, 10)),  # of 60 x 40 pixels
        pytest.approx((36, 4, 9, 10)),
    ]
    assert [tuple(box) for box in first.readers[0].boxes] == [pytest.approx((15, 4, 12, 10))]
    assert first.labels == ("apical pleural thickening", "cardiomegaly") and first.patient == "p1"
    assert (first.source, second.source) == ("PadChest-GR test", "PadChest-GR train")
    assert second.labels == ("No finding",) and second.truths == ()
    (tmp_path / "master_table.csv").unlink()
    first, _ = read_dataset(tmp_path / "grounded_reports_20240819.json").rows
    assert (first.source, first.patient) == ("PadChest-GR", "11")


def test_chestx_det10(tmp_path):
    first, second = read_dataset(chestx_det(tmp_path)).rows
    fibrosis, mass = first.truths
    assert fibrosis.boxes == (Box(632, 721, 277, 248), Box(129, 611, 345, 298))
    assert (
        mass.boxes == (Box(1, 2, 2, 2),)
        and first.labels == ("Fibrosis", "Mass")
        and first.patient == "00000042"
    )
    assert second.truths == () and second.labels == ()


def test_tbx11k(tmp_path):
    healthy, sick, ill, unknown = read_dataset(tbx11k(tmp_path)).rows
    assert (healthy.labels, sick.labels, unknown.labels) == (("No finding",), (), None)
    assert ill.labels == ("active tuberculosis",) and ill.truths[0].boxes == (Box(40.5, 60, 100, 120),)
    assert ill.path == tmp_path / "imgs" / "tb" / "tb0003.png" and ill.modality == "chest_xray"


@pytest.mark.parametrize(
    "column, films, patient",
    [
        ("image_id", ("a1", "b2"), "a1"),
        ("Image Index", ("00000001_000.png", "00000002_000.png"), "00000001_000.png"),
        ("ImageID", ("1.2.840.1", "1.2.840.2"), "1.2.840.1"),
        (
            "Path",
            ("patient1/study1/view1_frontal.jpg", "patient2/study1/view1_frontal.jpg"),
            "patient1",
        ),
    ],
)
def test_chexmask(tmp_path, column, films, patient):
    (row,) = read_dataset(chexmask(tmp_path, column, films)).rows  # the second is below 0.7
    assert row.name == films[0] and row.patient == patient and row.labels is None
    left, right = row.truths  # an empty mask is none
    assert (left.label, right.label) == ("Left Lung", "Right Lung")
    assert (left.draw(40, 60) == LUNG).all() and (right.draw(40, 60) == LUNG[:, ::-1]).all()


PADCHEST, DET, TBX = "grounded_reports_20240819.json", "test.json", "annotations/json/TBX11K_val.json"
WRONG = [
    (padchest_gr, PADCHEST, "[0.25, 0.1, 0.5, 0.35]", "[0.25, 0.1, 50, 0.35]", "boxes.*0 … 1"),
    (padchest_gr, PADCHEST, "[0.25, 0.1, 0.5, 0.35]", "[0.25, 0.1, 0.5]", r"1, findings\[0\], boxes.*four"),
    (padchest_gr, PADCHEST, "[0.25, 0.1, 0.45, 0.35]", '["a", 1, 1, 1]', r"findings\[0\], extra_boxes.*four"),
    (padchest_gr, PADCHEST, '["cardiomegaly"]', '"cardiomegaly"', r"findings\[1\], labels: .* a list"),
    (padchest_gr, PADCHEST, '["cardiomegaly"]', "[7]", r"findings\[1\], labels: 7 is not the name"),
    (padchest_gr, PADCHEST, "2_b.png", "3_c.png", "record 2, ImageID: there is no such file as 3_c.png"),
    (padchest_gr, PADCHEST, '"StudyID": "12"', '"Study": "12"', "record 2, StudyID"),
    (padchest_gr, "master_table.csv", "PatientID", "Patient", "lacks the column PatientID"),
    (chestx_det, DET, ", [1, 2, 3, 4]", "", "record 1: it has 3 syms and 2 boxes"),
    (chestx_det, DET, "[1, 2, 3, 4]", "[3, 2, 1, 4]", "record 1, boxes.*wider"),
    (chestx_det, DET, "[1, 2, 3, 4]", "[1, 2, 3, 1400]", "record 1, column boxes.*outside"),
    (chestx_det, DET, "[1, 2, 3, 4]", "[1, 2, 3, null]", "record 1, boxes.*four numbers"),
    (chestx_det, DET, "00000043_000", "00000044_000", "record 2, column file_name.*no such file"),
    (tbx11k, TBX, '"width": 512', '"width": 256', r"images\[0\], column file_name.*256 x 512"),
    (tbx11k, TBX, "[40.5, 60, 100, 120]", "[40.5, 60, 500, 120]", r"images\[2\], column bbox.*outside"),
    (chexmask, "VinDr-CXR.csv", ",Height", ",High", "lacks the column Height"),
    (chexmask, "VinDr-CXR.csv", "image_id", "film", "none of the columns image_id"),
    (chexmask, "VinDr-CXR.csv", ",0.85,", ",good,", r"row 2, column Dice RCA \(Mean\)"),
    (chexmask, "VinDr-CXR.csv", ",40,60\nb2", ",60,40\nb2", "row 2, column image_id.*40 x 60"),
    (chexmask, "VinDr-CXR.csv", ",40,60\nb2", ",,\nb2", "row 2, column Height: the size"),
    (chexmask, "VinDr-CXR.csv", "336 20", "336 20 350", "row 2, column Left Lung.*pairs"),
    (chexmask, "VinDr-CXR.csv", "336 20", "336 99", "row 2, column Left Lung.*before the one before"),
]  # fmt: skip


@pytest.mark.parametrize("make, file, old, new, sentence", WRONG)
def test_a_wrong_record_is_named(tmp_path, make, file, old, new, sentence):
    table = make(tmp_path)
    text = (tmp_path / file).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=sentence) as caught:
        read_dataset(table)
    assert str(caught.value).startswith(Path(file).name) and str(caught.value).endswith(".")


def test_a_film_of_another_size_is_refused(tmp_path):
    table = chestx_det(tmp_path)
    picture(tmp_path / "test_data" / "00000042_006.png", 512, 512)
    with pytest.raises(DataError, match="drawn on an image of 1024 x 1024 pixels, this has 512 x 512"):
        read_dataset(table)
