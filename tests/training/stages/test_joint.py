"""The paper's own training, from MIMIC-CXR-JPG in its published layout."""

import csv

import pytest

from afloc import load_model
from afloc.errors import DataError
from afloc.training.data.mimic import read_mimic, read_sections
from afloc.training.recipe import read_recipe
from afloc.training.train import train
from tests.training.mimic import write_mimic, write_recipe


@pytest.fixture
def mimic(tmp_path):
    return write_mimic(tmp_path / "mimic")


def test_frontal_films_of_the_training_part_with_their_sentences(mimic):
    films = read_mimic(mimic)
    assert [film.image.name for film in films] == ["pa-0.jpg", "ap-1.jpg", "ap-2.jpg", "ap-3.jpg"]
    assert films[0].image.is_file()
    assert films[0].sentences[:2] == (
        "The heart is mildly enlarged.",
        "There is a small left pleural effusion.",
    )
    assert not any("cough" in sentence for sentence in films[0].sentences)
    assert len(read_mimic(mimic, "test")) == 1


def test_a_report_without_headings_is_taken_whole():
    assert read_sections("Lungs are clear.\nNo effusion.") == "Lungs are clear. No effusion."


def test_what_is_missing_is_named(mimic, tmp_path):
    with pytest.raises(DataError, match="mimic-cxr-2.0.0-split.csv.gz"):
        read_mimic(tmp_path)
    (mimic / "files" / "p10" / "p10000033" / "s50414268.txt").unlink()
    with pytest.raises(DataError, match="s50414268.txt"):
        read_mimic(mimic)


def test_the_papers_recipe_trains_a_model_that_loads(mimic, tmp_path):
    path = write_recipe(tmp_path)
    folder = train(read_recipe(path), mimic, tmp_path / "run")
    with (tmp_path / "run" / "joint" / "log.csv").open(newline="") as file:
        losses = [row for row in csv.DictReader(file)]
    assert len(losses) == 2
    assert all(
        float(row["total"])
        == pytest.approx(
            sum(float(row[n]) for n in ("word", "sentence", "report")),
            abs=1e-5,  # each is logged to six digits
        )
        for row in losses
    )
    assert load_model(folder).name == "small"
