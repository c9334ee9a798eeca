"""The one checker of studies, which opens the images."""

import tomllib

import numpy as np
from PIL import Image as Picture

from afloc.feedback.studies.study_check import advise, check_study
from afloc.feedback.studies.study_file import FOLDER, read_study
from tests.cli.test_feedback import run
from tests.imaging.dicoms import dicom

DEMO = FOLDER / "demo.toml"


def test_a_sound_study_has_no_fault_and_gets_advice(tmp_path):
    checked = check_study(DEMO)
    assert checked.study.id == "demo" and not checked.faults
    assert "short codes can be guessed." in checked.advice


def test_images_and_boxes_are_held_against_each_other(tmp_path):
    Picture.new("L", (400, 300), 90).save(tmp_path / "film.png")
    (tmp_path / "none.png").write_bytes(b"no image")
    values = tomllib.loads(DEMO.read_text()) | {"title": ""}
    boxed = {"description": "x", "truth": True}
    values["cases"] = [
        boxed | {"id": "in", "image": "film.png", "boxes": [[0, 0, 400, 300]]},
        boxed | {"id": "below", "image": "film.png", "boxes": [[0, 0, 10, 10], [10, 290, 20, 20]]},
        boxed | {"id": "left", "image": "film.png", "boxes": [[-30, 0, 40, 40]]},
        {"id": "none", "image": "none.png", "description": "x"},
        {"id": "gone", "image": "gone.png", "description": "x"},
        {"id": "dir", "image": ".", "description": "x"},
        boxed | {"id": "example", "image": "example:retina", "boxes": [[1400, 0, 40, 40]]},
    ]
    (tmp_path / "s.toml").touch()
    found = {fault.key: fault.sentence for fault in check_study(tmp_path / "s.toml", values).faults}
    assert list(found) == [
        *("title", "cases[5].image", "cases[6].image", "cases[2].boxes", "cases[3].boxes"),
        *("cases[4].image", "cases[7].boxes"),
    ]
    assert "400 × 300" in found["cases[2].boxes"] and "not an image" in found["cases[4].image"]


def test_the_command_says_all_of_it(tmp_path, capsys):
    text = DEMO.read_text().replace("seed = 20261124", "seed = 1.5").replace('id = "c02"', 'id = "c01"')
    (tmp_path / "s.toml").write_text(text.replace("[733, 533, 187, 328]", "[733, 533, 1870, 328]"))
    assert run("study", "check", tmp_path / "s.toml") == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3 and all(line.startswith("s.toml: ") and line.endswith(".") for line in said)


def test_advice_on_training_and_blocks(tmp_path):
    (tmp_path / "a.dcm").write_bytes(dicom(np.zeros((64, 64), np.uint8), PatientName="Doe^J"))
    text = DEMO.read_text().replace("[readers]", "training_feedback = true\n[readers]", 1)
    text = text.replace('id = "c01"', 'id = "c01"\nblock = "A"').replace(
        'id = "c02"', 'id = "c02"\nblock = "B"'
    )
    text = text.replace('id = "c03"', 'id = "c03"\nblock = "B"')
    text += '[[training]]\nid = "t1"\nimage = "example:retina"\ndescription = "optic disc"\n'
    (tmp_path / "s.toml").write_text(text.replace('"example:chest_film"', '"a.dcm"'))
    said = " ".join(check_study(tmp_path / "s.toml").advice)
    for part in (
        "blocks have 1 to 2",
        "comes again",
        "no training case has one",
        "4 of the image files have the tags or texts",
    ):
        assert part in said
    assert not any("blocks" in each for each in advise(read_study(DEMO)))
