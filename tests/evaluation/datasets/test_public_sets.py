"""Each public set in the layout it is downloaded in, drawn small; and what is said of another layout."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pycocotools import mask as coco
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from afloc.errors import DataError
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.imaging.regions import Box


def picture(path: Path, height: int = 40, width: int = 60) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((height, width), np.uint8)).save(path)
    return path


def dicom(path: Path, height: int = 40, width: int = 60) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = pydicom.Dataset()
    data.file_meta = meta
    data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    data.Rows, data.Columns, data.SamplesPerPixel = height, width, 1
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation, data.PhotometricInterpretation = 7, 0, "MONOCHROME2"
    data.PixelData = bytes(height * width)
    data.save_as(path, enforce_file_format=True)
    return path


def runs_of(mask: np.ndarray) -> dict:
    encoded = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode()}


def nih(folder: Path) -> Path:
    picture(folder / "images_001" / "images" / "00000001_000.png", 1024, 1024)
    picture(folder / "images_012" / "images" / "00000002_000.png", 1024, 1024)
    (folder / "Data_Entry_2017.csv").write_text(
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n"
        "00000001_000.png,Cardiomegaly|Effusion,0,1,58,M,PA,2682,2749,0.143,0.143,\n"
        "00000002_000.png,Infiltration,0,2,58,M,PA,2682,2749,0.143,0.143,\n"
    )
    table = folder / "BBox_List_2017.csv"
    table.write_text(
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
        "00000001_000.png,Effusion,4.5,10,20,11.25,,,\n"
        "00000002_000.png,Infiltrate,1,2,3,4,,,\n"
        "00000001_000.png,Effusion,30,10,5,5,,,\n"
    )
    return table


def rsna(folder: Path) -> Path:
    for name in ("a1", "b2"):
        dicom(folder / "stage_2_train_images" / f"{name}.dcm", 1024, 1024)
    table = folder / "stage_2_train_labels.csv"
    table.write_text(
        "patientId,x,y,width,height,Target\na1,,,,,0\nb2,4.0,5.0,10.0,8.0,1\nb2,20.0,5.0,10.0,8.0,1\n"
    )
    return table


def vindr(folder: Path) -> Path:
    for name in ("a1", "b2"):
        dicom(folder / "test" / f"{name}.dicom")
    table = folder / "annotations" / "annotations_test.csv"
    table.parent.mkdir(exist_ok=True)
    table.write_text(
        "image_id,class_name,x_min,y_min,x_max,y_max\na1,No finding,,,,\nb2,Pleural effusion,4.0,5,14,25.5\n"
    )
    return table


def siim(folder: Path) -> Path:
    for name in ("1.2.3", "1.2.4"):
        dicom(folder / "dicom-images-train" / name / name / f"{name}.dcm", 1024, 1024)
    table = folder / "train-rle.csv"
    table.write_text("ImageId, EncodedPixels\n1.2.3, -1\n1.2.4, 1034 2 1022 2\n1.2.4, 5000 7\n")
    return table


def chexlocalize(folder: Path) -> Path:
    picture(folder / "CheXpert" / "val" / "patient64541" / "study1" / "view1_frontal.jpg")
    mask = np.zeros((40, 60), bool)
    mask[10:20, 30:50] = True
    name = "patient64541_study1_view1_frontal"
    table = folder / "CheXlocalize" / "gt_segmentations_val.json"
    table.parent.mkdir(exist_ok=True)
    drawn = {"Airspace Opacity": runs_of(mask), "Edema": runs_of(mask & False)}
    table.write_text(json.dumps({name: drawn}))
    human = {"Airspace Opacity": runs_of(np.roll(mask, 5, axis=1))}
    table.with_name("hb_segmentations_val.json").write_text(json.dumps({name: human}))
    return table


def ms_cxr(folder: Path) -> Path:
    film = "files/p10/p10001038/s57312671/fb3e6efd.jpg"
    picture(folder / film)
    table = folder / "MS_CXR_Local_Alignment_v1.0.0.json"
    phrase = {"image_id": 7, "category_id": 2, "segmentation": [], "iscrowd": 0, "area": 80}
    annotations = [
        phrase | {"id": 1, "bbox": [4, 5, 10, 8], "label_text": "small left effusion"},
        phrase | {"id": 2, "bbox": [30, 5, 10, 8], "label_text": "small left effusion"},
        phrase | {"id": 3, "bbox": [5, 20, 10, 8], "label_text": "right effusion"},
    ]
    images = [
        {"id": 7, "file_name": "fb3e6efd.jpg", "path": film, "width": 60, "height": 40, "num_annotations": 3}
    ]
    categories = [{"id": 2, "name": "Pleural Effusion", "supercategory": "pathology"}]
    table.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return table


def covid_rural(folder: Path) -> Path:
    for name in ("COVID-19-AR-1_01-08-2012-XR", "COVID-19-AR-1_01-15-2012-XR"):
        picture(folder / "covid_rural_annot" / "jpgs" / f"{name}.jpg")
    picture(folder / "covid_rural_annot" / "pngs_masks" / "COVID-19-AR-1_01-15-2012-XR.png")
    return folder


def idrid(folder: Path) -> Path:
    segmentation, part = folder / "A. Segmentation", "b. Testing Set"
    picture(segmentation / "1. Original Images" / part / "IDRiD_55.jpg")
    lesions = (
        "1. Microaneurysms",
        "2. Haemorrhages",
        "3. Hard Exudates",
        "4. Soft Exudates",
        "5. Optic Disc",
    )
    for lesion in lesions:
        (segmentation / "2. All Segmentation Groundtruths" / part / lesion).mkdir(parents=True)
    masks = segmentation / "2. All Segmentation Groundtruths" / part
    picture(masks / "1. Microaneurysms" / "IDRiD_55_MA.tif")
    picture(masks / "5. Optic Disc" / "IDRiD_55_OD.tif")
    return folder


def masks(folder: Path) -> Path:
    for name in ("a", "b"):
        picture(folder / "images" / f"{name}.jpg")
    picture(folder / "masks" / "prostate_gland" / "a.png")
    return folder


def test_nih(tmp_path):
    first, second = read_dataset(nih(tmp_path)).rows
    assert first.name == "00000001_000.png" and first.path.is_file() and first.patient == "1"
    assert first.labels == ("Cardiomegaly", "Effusion")
    assert [(t.label, t.boxes) for t in first.truths] == [
        ("Effusion", (Box(4.5, 10, 20, 11.25), Box(30, 10, 5, 5)))
    ]
    assert second.truths[0].label == "Infiltrate"


def test_rsna(tmp_path):
    first, second = read_dataset(rsna(tmp_path)).rows
    assert first.truths == () and first.labels == () and first.path.suffix == ".dcm"
    assert second.truths[0].boxes == (Box(4, 5, 10, 8), Box(20, 5, 10, 8)) and second.labels == ("Pneumonia",)


def test_vindr(tmp_path):
    first, second = read_dataset(vindr(tmp_path)).rows
    assert first.truths == () and first.labels == ("No finding",)
    assert second.truths[0].boxes == (Box(4, 5, 10, 20.5),)


def test_siim(tmp_path):
    first, second = read_dataset(siim(tmp_path)).rows
    assert first.truths == () and first.labels == ()
    mask = second.truths[0].draw(1024, 1024)
    assert np.argwhere(mask)[:2].tolist() == [[10, 1], [10, 2]] or mask.T.ravel().nonzero()[0].tolist() == [
        *(1034, 1035),
        *(2058, 2059),
        *range(5000, 5007),
    ]
    assert mask[10, 1] and mask[11, 1] and mask[10, 2] and mask.sum() == 11


def test_chexlocalize_and_what_radiologists_drew(tmp_path):
    (row,) = read_dataset(chexlocalize(tmp_path)).rows
    assert [truth.label for truth in row.truths] == ["Airspace Opacity"], "an empty mask is no finding"
    assert row.truths[0].draw(40, 60)[10:20, 30:50].all() and row.truths[0].draw(40, 60).sum() == 200
    assert row.readers[0].draw(40, 60)[10:20, 35:55].all() and row.patient == "patient64541"


def test_ms_cxr_keeps_phrases_apart(tmp_path):
    (row,) = read_dataset(ms_cxr(tmp_path)).rows
    found = [(truth.label, truth.description, len(truth.boxes)) for truth in row.truths]
    assert found == [
        ("Pleural Effusion", "small left effusion", 2),
        ("Pleural Effusion", "right effusion", 1),
    ]
    assert row.patient == "p10001038"


def test_coco_polygons_and_run_lengths(tmp_path):
    picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    mask = np.zeros((40, 60), bool)
    mask[30:35, 2:9] = True
    on = {"image_id": 1, "category_id": 1}
    annotations = [
        on | {"bbox": [4, 5, 10, 8], "segmentation": [[4, 5, 14, 5, 14, 13, 4, 13]]},
        on | {"bbox": [2, 30, 7, 5], "segmentation": runs_of(mask), "iscrowd": 1},
        on | {"bbox": [40, 5, 10, 8]},
        on | {"category_id": 2, "bbox": [40, 5, 10, 8]},
    ]
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    categories = [{"id": 1, "name": "Mass"}, {"id": 2, "name": "Nodule"}]
    table = tmp_path / "instances.json"
    table.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    first, second = read_dataset(table).rows
    drawn = first.truths[0].draw(40, 60)
    assert (
        drawn[5:13, 4:14].all() and drawn[mask].all() and drawn[5:13, 40:50].all() and not drawn[20:28].any()
    )
    assert first.truths[1].boxes == (Box(40, 5, 10, 8),) and second.labels == ()


def test_folders_of_masks(tmp_path):
    (row,) = read_dataset(covid_rural(tmp_path / "c")).rows
    assert row.truths[0].label == "Opacity" and row.patient == "COVID-19-AR-1"
    (row,) = read_dataset(idrid(tmp_path / "i")).rows
    assert [truth.label for truth in row.truths] == ["microaneurysm", "optic disc"]
    first, second = read_dataset(masks(tmp_path / "m")).rows
    assert first.truths[0].label == "prostate gland" and second.truths == ()


WRONG = [
    (nih, "BBox_List_2017.csv", "Finding Label", "Finding", "lacks the column Finding Label"),
    (nih, "BBox_List_2017.csv", "Bbox [x", "Box [x", r"lacks the column Bbox \[x"),
    (nih, "BBox_List_2017.csv", ",10,20,", ",ten,20,", r"row 2, column Bbox \[x.*numbers"),
    (nih, "BBox_List_2017.csv", "00000002_000", "00000003_000", "row 3, column Image Index"),
    (rsna, "stage_2_train_labels.csv", "Target", "target", "lacks the column Target"),
    (rsna, "stage_2_train_labels.csv", "8.0,1\n", "-8.0,1\n", "row 3, column x.*wider"),
    (rsna, "stage_2_train_labels.csv", "b2,20.0", "b2,1020.0", "row 3, column x.*outside"),
    (vindr, "annotations/annotations_test.csv", "y_max", "bottom", "lacks the column y_max"),
    (vindr, "annotations/annotations_test.csv", ",14,", ",,", "row 3, column x_min"),
    (siim, "train-rle.csv", "EncodedPixels", "Pixels", "lacks the column EncodedPixels"),
    (siim, "train-rle.csv", "5000 7", "5000", "row 4, column EncodedPixels.*pairs"),
    (chexlocalize, "CheXlocalize/gt_segmentations_val.json", '"size"', '"shape"', "lacks size"),
    (chexlocalize, "CheXlocalize/gt_segmentations_val.json", "patient64541", "patient1", "no such film"),
    (chexlocalize, "CheXlocalize/gt_segmentations_val.json", "[40, 60]", "[60, 40]", "60 pixels|40 x 60"),
    (ms_cxr, "MS_CXR_Local_Alignment_v1.0.0.json", '"categories"', '"kinds"', "lacks the list categories"),
    (ms_cxr, "MS_CXR_Local_Alignment_v1.0.0.json", '"file_name"', '"name"', r"images\[0\] lacks file_name"),
    (ms_cxr, "MS_CXR_Local_Alignment_v1.0.0.json", '"category_id": 2', '"category_id": 3', "category_id: 3"),
    (ms_cxr, "MS_CXR_Local_Alignment_v1.0.0.json", "[30, 5, 10, 8]", "[30, 5, 10]", r"\[1\], bbox"),
    (ms_cxr, "MS_CXR_Local_Alignment_v1.0.0.json", '"width": 60', '"width": 90', "90 x 40 .*60 x 40"),
]  # fmt: skip


@pytest.mark.parametrize("make, file, old, new, sentence", WRONG)
def test_a_wrong_layout_is_named(tmp_path, make, file, old, new, sentence):
    table = make(tmp_path)
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    with pytest.raises(DataError, match=sentence) as caught:
        read_dataset(table)
    assert (tmp_path / file).name in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "make, missing, sentence",
    [
        (covid_rural, "covid_rural_annot/pngs_masks", "lacks the folder pngs_masks"),
        (idrid, "A. Segmentation/1. Original Images", "lacks the folder 1. Original Images"),
        (
            idrid,
            "A. Segmentation/2. All Segmentation Groundtruths/b. Testing Set/4. Soft Exudates",
            "4. Soft",
        ),
        (masks, "masks", "lacks the folder masks"),
        (masks, "images", "lacks the folder images"),
    ],
)
def test_a_folder_that_is_missing_is_named(tmp_path, make, missing, sentence):
    folder = make(tmp_path / "set")
    (folder / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=sentence):
        read_dataset(folder)
