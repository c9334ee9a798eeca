"""MIMIC-CXR-JPG in its published layout."""

import pytest

from afloc.errors import DataError
from afloc.training.data.mimic import read_mimic, read_sections
from tests.training.mimic import write_mimic


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
