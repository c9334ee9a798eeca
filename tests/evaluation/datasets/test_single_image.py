import json

import numpy as np
import pytest
from PIL import Image

from afloc.errors import DataError
from afloc.evaluation.datasets.single_image import read_annotation_file
from afloc.imaging.regions import Box
from tests.evaluation.sets import box, write_table


def test_a_mask(tmp_path):
    mask = np.zeros((40, 60), np.uint8)
    mask[5:9, 10:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    (truth,) = read_annotation_file(tmp_path / "mask.png", 40, 60, label="effusion")
    assert truth.label == "effusion" and np.array_equal(truth.draw(40, 60), mask > 0)
    with pytest.raises(DataError, match="60 x 40 pixels, its image 64 x 64"):
        read_annotation_file(tmp_path / "mask.png", 64, 64)


def test_boxes_in_every_kind_of_file(tmp_path):
    boxes = [box("Effusion", 4, 5, 10, 8)]
    coco = {
        "images": [{"id": 1, "file_name": "a/film.png"}, {"id": 2, "file_name": "other.png"}],
        "categories": [{"id": 1, "name": "Effusion"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [4, 5, 10, 8]}],
    }
    for name, content in {"list": boxes, "object": {"boxes": boxes}, "coco": coco}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    rows = [{"image": "film.png", "boxes": json.dumps(boxes)}, {"image": "other.png"}]
    write_table(tmp_path / "table.csv", rows)
    for name in ("list.json", "object.json", "coco.json", "table.csv"):
        (truth,) = read_annotation_file(tmp_path / name, 40, 60, image="film.dcm")
        assert (truth.label, truth.boxes) == ("Effusion", (Box(4, 5, 10, 8),))
    with pytest.raises(DataError, match="not among them"):
        read_annotation_file(tmp_path / "table.csv", 40, 60, image="third.png")
    with pytest.raises(DataError, match="holds no ground truth"):
        read_annotation_file(tmp_path / "coco.json", 40, 60, image="other.png")


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("a.json", "3", "JSON object or list"),
        ("a.json", "{}", "list of boxes"),
        ("a.json", '[{"label": "a"}]', "each box needs"),
        ("a.json", json.dumps([box("a", 50, 5, 20, 8)]), "outside its image of 60 x 40"),
        ("a.txt", "", "no ground truth"),
        ("a.png", "", "no picture"),
        ("a.csv", 'image,mask\nb.png,"{""x"": ""/etc/c.png""}"\n', "give the mask itself"),
    ],
)
def test_what_is_none_is_refused_in_a_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=sentence) as caught:
        read_annotation_file(tmp_path / name, 40, 60)
    assert "\n" not in str(caught.value)
