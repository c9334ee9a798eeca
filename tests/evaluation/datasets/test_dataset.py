import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from afloc.errors import DataError
from afloc.evaluation.datasets.dataset import read_dataset, source_of
from tests.evaluation.sets import COLUMNS, box, write_set, write_table


def test_rows(tmp_path):
    rows = read_dataset(write_set(tmp_path)).rows
    assert len(rows) == 12 and rows[0].name == "images/0.png" and rows[1].patient == "patient 0"
    assert [truth.label for truth in rows[0].truths] == ["Effusion"], (
        "the mask beats the box of the same finding"
    )
    assert rows[0].truths[0].mask is not None and rows[1].labels == ("Effusion", "Nodule")
    assert rows[2].truths == () and rows[2].labels == ("No Finding",)


def test_the_digest_of_a_set_is_that_of_earlier_versions(tmp_path):
    """By it a run finds its folder again, and the page the runs of its sets."""
    assert read_dataset(write_set(tmp_path)).digest.startswith("1a6468319367f9f1d5349aa1257ef3e2")


WITHOUT_TORCH = """
import importlib, pkgutil, sys
import afloc.evaluation.datasets as datasets
for module in pkgutil.iter_modules(datasets.__path__):
    importlib.import_module(f"{datasets.__name__}.{module.name}")
from afloc.evaluation.datasets.dataset import read_dataset
(row,) = read_dataset(sys.argv[1]).rows
assert row.truths[0].draw(20, 30).sum() == 12
assert not {"torch", "transformers", "pyarrow"} & sys.modules.keys()
"""


def test_reading_a_set_does_not_wait_for_torch(tmp_path):
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "film.png")
    coco = {
        "images": [{"id": 1, "file_name": "film.png"}],
        "categories": [{"id": 1, "name": "Effusion"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [4, 5, 4, 3]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH, tmp_path / "coco.json"], check=True)


def test_images_that_do_not_lie_beside_the_table(tmp_path):
    table = write_set(tmp_path / "set")
    (tmp_path / "elsewhere" / "images").mkdir(parents=True)
    for number in range(12):
        name = f"images/{number}.png"
        (tmp_path / "set" / name).rename(tmp_path / "elsewhere" / name)
    with pytest.raises(DataError, match="no such file"):
        read_dataset(table)
    rows = read_dataset(table, tmp_path / "elsewhere").rows
    assert rows[0].path == tmp_path / "elsewhere" / "images" / "0.png"
    assert rows[0].truths[0].mask.path == tmp_path / "set" / "images" / "0_mask.png"
    with pytest.raises(DataError, match=r"its images lie in it: leave out --images\.$"):
        read_dataset(tmp_path / "set", tmp_path / "elsewhere")


@pytest.mark.parametrize(
    "image, source, expected",
    [
        ("eval/nih/00000016_000.jpg", "NIH ChestX-ray14", "NIH ChestX-ray14"),
        (
            "eval/2361_left.jpg",
            "ODIR-5K (ODIR-2019) 2361_left.jpg, patient 2361; a copy",
            "ODIR-5K (ODIR-2019)",
        ),
        (
            "eval/seg_train_IDRiD_01.jpg",
            "IDRiD A. Segmentation (IDRiD_01.jpg); a copy",
            "IDRiD A. Segmentation",
        ),
        ("eval/Normal_400x_50.jpg", "Rahman 2020 (400x, H&E)", "Rahman 2020 (400x, H&E)"),
        (
            "eval/94_2.jpg",
            "HYGD v1.0.0 (open access) patient 94 quality 6.7; a copy",
            "HYGD v1.0.0 (open access)",
        ),
        ("eval/1.png", "", "all"),
    ],
)
def test_a_source_that_names_its_image_is_cut_there(image, source, expected):
    assert source_of(image, source) == expected


MALFORMED = {
    "a box outside": ({"boxes": [box("Effusion", 30, 2, 40, 5)]}, "row 3, column boxes.*outside"),
    "a box beyond": ({"boxes": [box("Effusion", 300, 2, 4, 5)]}, "row 3, column boxes.*outside"),
    "a box before": ({"boxes": [box("Effusion", -3, 2, 4, 5)]}, "row 3, column boxes.*outside"),
    "a negative box": ({"boxes": [box("Effusion", 3, 2, -4, 5)]}, "row 3, column boxes.*wider"),
    "NaN": ({"boxes": [box("Effusion", float("nan"), 2, 4, 5)]}, "row 3, column boxes.*finite"),
    "a text for a number": ({"boxes": [box("Effusion", "left", 2, 4, 5)]}, "row 3, column boxes.*numbers"),
    "a box without height": ({"boxes": [{"label": "a", "x": 1, "y": 1, "w": 1}]}, "row 3, column boxes"),
    "no finding": ({"boxes": [box("", 3, 2, 4, 5)]}, "row 3, column boxes.*name of a finding"),
    "no finding but a number": ({"boxes": [box(7, 3, 2, 4, 5)]}, "row 3, column boxes.*name of a finding"),
    "no JSON": ({"boxes": "[{]"}, "row 3, column boxes.*JSON"),
    "an object": ({"boxes": "{}"}, "row 3, column boxes.*list"),
    "a mask of another size": ({"mask": {"Effusion": "small.png"}}, "row 3, column mask.*20 x 20.*64 x 64"),
    "a mask that is missing": ({"mask": {"Effusion": "none.png"}}, "row 3, column mask.*no such file"),
    "a mask without path": ({"mask": {"Effusion": 3}}, "row 3, column mask.*path"),
    "the same image twice": ({"image": "first.png"}, "row 3, column image.*row 2"),
    "an image that is missing": ({"image": "none.png"}, "row 3, column image.*no such file"),
    "no image": ({"image": " "}, "row 3, column image.*missing"),
    "an image that is none": ({"image": "set.csv"}, "row 3, column image.*no picture"),
    "one cell too many": ({"source": 'a","b'}, "row 3, column source"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_ground_truth_is_named_by_row_and_column(tmp_path, name):
    changed, sentence = MALFORMED[name]
    for file, side in (("first.png", 64), ("second.png", 64), ("small.png", 20)):
        Image.fromarray(np.zeros((side, side), np.uint8)).save(tmp_path / file)
    bad = {"image": "second.png", "labels": "Effusion", "patient": "2", "source": "a"}
    bad |= {key: value if isinstance(value, str) else json.dumps(value) for key, value in changed.items()}
    path = write_table(tmp_path / "set.csv", [{"image": "first.png", "labels": "normal"}, bad])
    if name == "one cell too many":
        path.write_text(path.read_text().replace('""', '"'))
    with pytest.raises(DataError, match=sentence) as caught:
        read_dataset(path)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("", "is empty"),
        ("image,labels,boxes,mask\n", "no row"),
        ("picture,labels\na.png,x\n", "lacks the column image"),
        ("image,patient\na.png,x\n", "none of the columns labels, boxes, mask"),
        ("image\0,labels\n\xff", "UTF-8"),
    ],
)
def test_a_table_that_is_none(tmp_path, text, sentence):
    path = tmp_path / "set.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=sentence):
        read_dataset(path)


def test_the_fault_in_a_long_table_is_found_before_any_image_is_opened(tmp_path):
    rows = [{"image": f"{number}.png", "labels": "Effusion"} for number in range(20_000)]
    rows[-1]["boxes"] = json.dumps([box("Effusion", 1, 2, 0, 4)])
    with pytest.raises(DataError, match="row 20001, column boxes"):
        read_dataset(write_table(tmp_path / "set.csv", rows, COLUMNS))
