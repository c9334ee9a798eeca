"""Sets as other tools and people write them: each is read right, or refused in a sentence that is true."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from afloc.errors import DataError
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.evaluation.datasets.single_image import read_annotation_file
from afloc.imaging.image import image_size
from afloc.web.state.set_uploads import SetUploads

FILM = np.random.default_rng(0).integers(0, 255, (48, 64), dtype=np.uint8)
MASK = np.zeros((48, 64), np.uint8)
MASK[10:20, 10:30] = 255
IMAGE = {"id": 1, "file_name": "a.png", "width": 64, "height": 48}
BOX = {"image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 10]}
OWN_BOX = '"[{""label"":""Effusion"",""x"":10,""y"":10,""w"":20,""h"":10}]"'


def coco(images=(IMAGE,), annotations=(BOX,), categories=({"id": 1, "name": "Effusion"},)) -> str:
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


def put(folder, files):
    """Files by name: bytes, text, or an array that is saved as the ending says."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, np.ndarray):
            Image.fromarray(content).save(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def drawn(path, **options):
    """What is marked on each image of a set: name to (label to mask)."""
    rows = read_dataset(path, **options).rows
    return {
        row.name: {truth.label: truth.draw(*image_size(row.path)) for truth in row.truths} for row in rows
    }


def one_mask(path) -> np.ndarray:
    (marked,) = drawn(path).values()
    (mask,) = marked.values()
    return mask


def turned(pixels, turn) -> bytes:
    """A JPEG that shows `pixels` turned as the EXIF orientation says."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = turn
    Image.fromarray(pixels).save(file, "JPEG", exif=exif)
    return file.getvalue()


VINDR = "image_id,class_name,x_min,y_min,x_max,y_max,width,height\na,Effusion,10,10,30,20,{},{}\n"
LABEL_STUDIO = {
    "data": {"image": "/data/upload/1/3f2a9c1b-a.png"},
    "annotations": [
        {
            "result": [
                {
                    "original_width": 64,
                    "original_height": 48,
                    "value": {"x": 12.5, "y": 50, "width": 25, "height": 25, "rectanglelabels": ["Effusion"]},
                }
            ]
        }
    ],
}
SIZED = {
    "COCO": ("s.json", lambda w, h: coco([IMAGE | {"width": w, "height": h}])),
    "COCO, as text": ("s.json", lambda w, h: coco([IMAGE | {"width": str(w), "height": str(h)}])),
    "own": ("s.csv", lambda w, h: f"image,boxes,width,height\na.png,{OWN_BOX},{w},{h}\n"),
    "VinDr": ("s.csv", VINDR.format),
    "Label Studio": ("s.json", lambda w, h: label_studio(original_width=w, original_height=h)),
    "JSON-MIN": ("s.json", lambda w, h: json.dumps([json_min(original_width=w, original_height=h)])),
}


def label_studio(**changed) -> str:
    task = json.loads(json.dumps(LABEL_STUDIO))
    task["annotations"][0]["result"][0] |= changed
    return json.dumps([task])


def json_min(**changed) -> dict:
    (drawn,) = LABEL_STUDIO["annotations"][0]["result"]
    shape = {key: value for key, value in drawn.items() if key != "value"} | drawn["value"] | changed
    return {"image": LABEL_STUDIO["data"]["image"], "label": [shape]}


@pytest.mark.parametrize("layout", SIZED)
def test_what_was_drawn_on_an_image_of_another_size_is_refused(tmp_path, layout):
    name, make = SIZED[layout]
    put(tmp_path, {"a.png": FILM, name: make(64, 48)})
    assert one_mask(tmp_path / name).sum() in (200, 192)
    put(tmp_path, {name: make(128, 96)})
    with pytest.raises(DataError, match="128 x 96 pixels, this has 64 x 48"):
        read_dataset(tmp_path / name)
    if not name.endswith("csv"):
        with pytest.raises(DataError, match="128 x 96 pixels, this has 64 x 48"):
            read_annotation_file(tmp_path / name, 48, 64, "a.png")


def test_what_label_studio_draws_in_percent(tmp_path):
    result = LABEL_STUDIO["annotations"][0]["result"][0]
    polygon = {"points": [[12.5, 50], [37.5, 50], [37.5, 75], [12.5, 75]], "polygonlabels": ["Effusion"]}
    upright = {"x": 37.5, "y": 50, "width": 18.75, "height": 100 / 3, "rotation": 90}
    for value in (result["value"], polygon, upright | {"rectanglelabels": ["Effusion"]}):
        put(tmp_path, {"3f2a9c1b-a.png": FILM, "s.json": label_studio(value=value)})
        mask = one_mask(tmp_path / "s.json")
        assert mask[24:36, 8:24].all() and mask.sum() == 12 * 16, value
    put(tmp_path, {"s.json": label_studio(value={"rle": [1], "brushlabels": ["Effusion"]})})
    with pytest.raises(DataError, match="task 1: brushlabels are not read"):
        read_dataset(tmp_path / "s.json")


WRONG = {
    "two images of an id": (
        coco([IMAGE, IMAGE | {"file_name": "b.png"}]),
        r"images\[1\], id: 1 stands for another",
    ),
    "two categories of an id": (
        coco(categories=[{"id": 1, "name": "Effusion"}, {"id": 1, "name": "Mass"}]),
        r"categories\[1\], id: 1",
    ),
    "an id that is an object": (coco([IMAGE | {"id": {}}]), r"images\[0\], id: .*number or a text"),
    "an id that is a list": (coco(categories=[{"id": [1], "name": "a"}]), r"categories\[0\], id"),
    "an annotation's id": (coco(annotations=[BOX | {"image_id": [1]}]), r"annotations\[0\], image_id"),
    "a category's id": (coco(annotations=[BOX | {"category_id": None}]), r"annotations\[0\], category_id"),
    "a phrase that is a list": (coco(annotations=[BOX | {"label_text": ["a"]}]), "label_text"),
    "a segmentation": (coco(annotations=[BOX | {"segmentation": 3}]), "segmentation"),
    "no name": (coco([IMAGE | {"file_name": None}]), "file_name: the image is missing"),
    "a size": (coco([IMAGE | {"width": [64]}]), "whole numbers of pixels"),
    "a relative box": (coco(annotations=[BOX | {"bbox": [0.1, 0.1, 0.3, 0.2]}]), "within 0 … 1.*in pixels"),
    "a relative polygon": (
        coco(annotations=[BOX | {"segmentation": [[0.1, 0.1, 0.3, 0.1, 0.3, 0.2]]}]),
        "polygon lies within 0 … 1",
    ),
    "a polygon outside": (
        coco([{"id": 1, "file_name": "a.png"}], [BOX | {"segmentation": [[10, 10, 90, 10, 90, 20]]}]),
        "a polygon of 'Effusion' reaches outside",
    ),
    "another tool's": (json.dumps({"samples": [{"filepath": "a.png"}]}), "no JSON that is read"),
    "a list": ("[1]", "give the JSON of COCO or of Label Studio"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_json_that_cannot_be_right_is_refused(tmp_path, name):
    content, sentence = WRONG[name]
    put(tmp_path, {"a.png": FILM, "b.png": FILM, "s.json": content})
    with pytest.raises(DataError, match=sentence) as caught:
        read_dataset(tmp_path / "s.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "table",
    [
        'image,boxes\na.png,"[{""label"":""Effusion"",""x"":0.1,""y"":0,""w"":0.9,""h"":1}]"\n',
        "patientId,x,y,width,height,Target\na,0.1,0.2,0.3,0.2,1\n",
        "image_id,class_name,x_min,y_min,x_max,y_max\na,Effusion,0.1,0.2,0.3,0.4\n",
    ],
)
def test_relative_boxes_of_a_table_are_refused(tmp_path, table):
    put(tmp_path, {"a.png": FILM, "s.csv": table})
    with pytest.raises(DataError, match="row 2, column .*within 0 … 1: give it in pixels"):
        read_dataset(tmp_path / "s.csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_json_in_every_encoding_of_unicode(tmp_path, encoding):
    put(tmp_path, {"ä.png": FILM, "s.json": coco([IMAGE | {"file_name": "ä.png"}]).encode(encoding)})
    assert list(drawn(tmp_path / "s.json")) == ["ä.png"]
    assert read_annotation_file(tmp_path / "s.json", 48, 64, "ä.png")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t", "sep=;", '"sep=,"'])
def test_a_table_as_excel_saves_it(tmp_path, encoding, mark):
    delimiter = mark.strip('"')[-1]
    first = f"{mark}\r\n" if "sep" in mark else ""
    cells = ["a.png", '"Effusion;Mass"', '"[{""label"":""Mass"",""x"":10,""y"":10,""w"":20,""h"":10}]"']
    text = first + "".join(f"{delimiter.join(each)}\r\n" for each in (["image", "labels", "boxes"], cells))
    put(tmp_path, {"a.png": FILM, "s.csv": text.encode(encoding)})
    (row,) = read_dataset(tmp_path / "s.csv").rows
    assert row.labels == ("Effusion", "Mass") and row.truths[0].label == "Mass"


@pytest.mark.parametrize("cell", ["A;B", "A|B", "['A', 'B']", '[""A"", ""B"", ""A""]'])
def test_labels_joined_in_every_way(tmp_path, cell):
    put(tmp_path, {"a.png": FILM, "s.csv": f'image,labels\na.png,"{cell}"\n'})
    assert read_dataset(tmp_path / "s.csv").rows[0].labels == ("A", "B")


@pytest.mark.parametrize("cell", ["[A, B]", "[1, 2]", "['A'"])
def test_a_list_of_labels_that_is_none(tmp_path, cell):
    put(tmp_path, {"a.png": FILM, "s.csv": f'image,labels\na.png,"{cell}"\n'})
    with pytest.raises(DataError, match="row 2, column labels: this should be a list"):
        read_dataset(tmp_path / "s.csv")


@pytest.mark.parametrize("column", ["image_id", "patientId", "ImageId", "Image Index"])
def test_an_own_table_may_have_a_column_of_another_set(tmp_path, column):
    put(tmp_path, {"a.png": FILM, "s.csv": f"{column},image,labels\n7,a.png,Effusion\n"})
    assert list(drawn(tmp_path / "s.csv")) == ["a.png"]


NAMES = {  # what the table says: where the file lies
    "images\\a.png": "images/a.png",
    "C:\\Users\\me\\set\\images\\a.png": "images/a.png",
    "/home/me/set/images/a.png": "images/a.png",
    "file:///home/me/set/images/a.png": "images/a.png",
    "./images//a.png": "images/a.png",
    "images/a.png": "a.png",
    "a.png": "data/a.png",
    "A.PNG": "images/a.png",
    "u\u0308.png": "images/\u00fc.png",
    "3f2a9c1b-a.png": "images/a.png",
    "a .png": "images/3f2a9c1b-a .png",
    "/data/upload/12/3f2a9c1b-a.png": "images/3f2a9c1b-a.png",
    "/data/local-files/?d=images%5Ca.png": "images/a.png",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_found_under_the_name_that_other_tools_write(tmp_path, name):
    put(tmp_path, {NAMES[name]: FILM, "s.json": coco([IMAGE | {"file_name": name}])})
    assert one_mask(tmp_path / "s.json").sum() == 200
    with open(tmp_path / "s.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "mask"), ("film.png", json.dumps({"Effusion": name}))])
    put(tmp_path, {"film.png": FILM, NAMES[name]: MASK})
    assert one_mask(tmp_path / "s.csv").sum() == 200


@pytest.mark.parametrize(
    "name, files, sentence",
    [
        ("patient2/1.png", ["patient1/1.png"], "no such file as 1.png"),
        ("3f2a9c1b-a.png", ["aaaabbbb-a.png"], "no such file as 3f2a9c1b-a.png"),
        ("20210304-a.png", ["a.png"], "no such file as 20210304-a.png"),
        ("a.png", ["one/a.png", "two/a.png"], "several files are called a.png"),
        ("a" * 300 + ".png", ["b.png"], "no such file as aaa"),
        ("a\0.png", ["b.png"], "no such file"),
    ],
)
def test_another_file_than_the_one_named_is_never_taken(tmp_path, name, files, sentence):
    put(tmp_path, {"s.json": coco([IMAGE | {"file_name": name}])} | dict.fromkeys(files, FILM))
    with pytest.raises(DataError, match=rf"images\[0\].*{sentence}"):
        read_dataset(tmp_path / "s.json")


def test_two_names_of_one_file_are_the_same_image(tmp_path):
    images = [IMAGE | {"file_name": "one/a.png"}, IMAGE | {"id": 2, "file_name": "two/a.png"}]
    put(tmp_path, {"a.png": FILM, "s.json": coco(images)})
    with pytest.raises(DataError, match=r"images\[1\].*the same image as in images\[0\]"):
        read_dataset(tmp_path / "s.json")


EXPORTS = {
    "CVAT": ["annotations/instances_default.json", "images/a.png"],
    "CVAT, a subset": ["annotations/instances_train.json", "images/train/a.png", "images/test/a.png"],
    "COCO": ["annotations/instances_val2017.json", "val2017/a.png", "train2017/a.png"],
    "Label Studio": ["result.json", "images/a.png"],
    "Roboflow": ["train/_annotations.coco.json", "train/a.png", "README.roboflow.txt"],
    "FiftyOne": ["labels.json", "data/a.png"],
    "beside": ["s.json", "a.png"],
    "in a folder": ["export/annotations/s.json", "export/images/a.png"],
    "with masks of the same name": ["annotations/s.json", "images/a.png", "masks/a.png"],
}


@pytest.mark.parametrize("tool", EXPORTS)
def test_zip_files_as_tools_export_them(tmp_path, tool):
    table, *files = EXPORTS[tool]
    put(tmp_path / "set", {table: coco()} | {each: FILM if each.endswith("png") else "" for each in files})
    assert one_mask(tmp_path / "set").sum() == 200
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in (tmp_path / "set").rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path / "set"))
    uploads = SetUploads(tmp_path / "uploads", 1 << 20)
    key = uploads.add(packed.getvalue(), "export.zip")
    (row,) = read_dataset(uploads.table(key), within=uploads.folder(key)).rows
    assert row.path.relative_to(uploads.folder(key) / "set").as_posix() == files[0]


def test_the_parts_of_a_set_are_read_together(tmp_path):
    parts = {f"{part}/_annotations.coco.json": coco() for part in ("train", "valid")}
    put(tmp_path / "r", parts | {"train/a.png": FILM, "valid/a.png": FILM})
    assert list(drawn(tmp_path / "r")) == ["train/_annotations.coco/a.png", "valid/_annotations.coco/a.png"]
    captions = json.dumps({"images": [IMAGE], "annotations": [{"image_id": 1, "caption": "a film"}]})
    put(tmp_path / "c", {"annotations/captions_a.json": captions, "annotations/instances_a.json": coco()})
    put(tmp_path / "c", {"a/a.png": FILM})
    assert list(drawn(tmp_path / "c")) == ["a.png"]
    for files, sentence in (
        ({"a.csv": "image,labels\n", "b/b.csv": "image,labels\n"}, "several tables, a.csv, b/b.csv"),
        ({"labels/a.txt": "0 0.5 0.5 0.1 0.1\n"}, "holds no set: give a CSV or a COCO JSON"),
    ):
        with pytest.raises(DataError, match=sentence):
            read_dataset(put(tmp_path / sentence[:7], files))


def mask_set(folder, name, content):
    table = f'image,mask\na.png,"{{""Effusion"":""{name}""}}"\n'
    return put(folder, {"a.png": FILM, name: content, "s.csv": table}) / "s.csv"


def saved(kind, pixels=MASK, **options) -> bytes:
    file = io.BytesIO()
    pictures = [Image.fromarray(each) for each in (pixels if pixels.ndim == 3 else [pixels])]
    pages = {"save_all": True, "append_images": pictures[1:]} if len(pictures) > 1 else {}
    pictures[0].save(file, kind, **options, **pages)
    return file.getvalue()


LOSSY = {
    "m.jpg": saved("JPEG", quality=75),
    "m.png": saved("JPEG", quality=30),  # whatever it is called
    "m.webp": saved("WEBP", quality=30),
    "m.tif": saved("TIFF", compression="jpeg", quality=60),
}


@pytest.mark.parametrize("name", LOSSY)
def test_what_compression_leaves_around_a_mask_is_no_finding(tmp_path, name):
    assert abs(one_mask(mask_set(tmp_path, name, LOSSY[name])).sum() - 200) <= 10


def test_a_lossy_mask_that_is_gray_is_refused_and_an_empty_one_is_empty(tmp_path):
    table = mask_set(tmp_path, "m.jpg", saved("JPEG", MASK // 255))
    with pytest.raises(DataError, match="m.jpg.*black and white: save it as PNG"):
        one_mask(table)
    assert not one_mask(mask_set(tmp_path, "m.jpg", saved("JPEG", MASK * 0))).any()


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "u2", "u4", "f4", "f8"])
@pytest.mark.parametrize("value", [1, -1])
def test_a_mask_is_not_zero_as_it_is_stored(tmp_path, kind, value):
    if kind[0] == "u" and value < 0:
        value = 3
    for pixels in ((MASK > 0).astype(kind) * np.array(value, kind), np.full((48, 64), value, kind)):
        tifffile.imwrite(tmp_path / "made.tif", pixels)
        content = (tmp_path / "made.tif").read_bytes()
        assert np.array_equal(one_mask(mask_set(tmp_path, "m.tif", content)), pixels != 0)


def test_a_mask_of_several_pages_is_refused(tmp_path):
    pages = np.stack([MASK * 0, MASK])
    for name, content in (("m.tif", saved("TIFF", pages)), ("m.webp", saved("WEBP", pages, lossless=True))):
        with pytest.raises(DataError, match=f"column mask: {name} holds 2 pages: give a mask of one"):
            read_dataset(mask_set(tmp_path, name, content))


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
def test_what_was_drawn_on_a_picture_as_stored_is_turned_with_it(tmp_path, turn):
    stored = Image.fromarray(MASK)
    put(tmp_path, {"a.jpg": turned(MASK, turn)})
    shown = Image.open(tmp_path / "a.jpg")
    right = np.asarray(ImageOps.exif_transpose(shown)) > 127
    box, corners = BOX["bbox"], [10, 10, 30, 10, 30, 20, 10, 20]
    for segmentation in ([], [corners]):
        annotation = BOX | {"bbox": box, "segmentation": segmentation}
        put(tmp_path, {"s.json": coco([IMAGE | {"file_name": "a.jpg"}], [annotation])})
        assert np.array_equal(one_mask(tmp_path / "s.json"), right), "64 x 48 is the stored picture"
    stored.save(tmp_path / "stored.png")
    Image.fromarray(right).save(tmp_path / "upright.png")
    for mask in ("stored.png", "upright.png"):
        table = f'image,mask\na.jpg,"{{""Effusion"":""{mask}""}}"\n'
        assert np.array_equal(one_mask(put(tmp_path, {"s.csv": table}) / "s.csv"), right), mask
    upright = coco(
        [IMAGE | {"file_name": "a.jpg", "width": 48, "height": 64}], [BOX | {"bbox": [5, 5, 9, 30]}]
    )
    assert one_mask(put(tmp_path, {"s.json": upright}) / "s.json")[5:35, 5:14].sum() == 270


@pytest.mark.parametrize("turn, size", [(3, {}), (2, {}), (6, {"width": None, "height": None})])
def test_a_turned_picture_whose_boxes_may_be_either_is_refused(tmp_path, turn, size):
    put(tmp_path, {"a.jpg": turned(FILM, turn), "s.json": coco([IMAGE | {"file_name": "a.jpg"} | size])})
    with pytest.raises(DataError, match=f"EXIF orientation {turn}.*save the picture upright"):
        read_dataset(tmp_path / "s.json")


def test_a_dropped_file_of_many_images_is_asked_for_this_one(tmp_path):
    images = [
        IMAGE | {"id": n, "file_name": name} for n, name in enumerate(["a.png", "a.jpg", "3f2a9c1b-c.png"])
    ]
    marks = [BOX | {"image_id": n, "bbox": [n, n, 9, 9]} for n in range(3)]
    put(tmp_path, {"s.json": coco(images, marks)})
    for name, first in (("a.jpg", 1), ("x/a.png", 0), ("c.png", 2), ("c.dcm", 2), ("3f2a9c1b-c.png", 2)):
        (truth,) = read_annotation_file(tmp_path / "s.json", 48, 64, name)
        assert truth.boxes[0].x == first, name
    with pytest.raises(DataError, match="names 2 images a: give the rows of one"):
        read_annotation_file(tmp_path / "s.json", 48, 64, "a.tif")
