"""What is wrong with a recipe or its table is said before anything is trained."""

from pathlib import Path

import pytest

from afloc.cli.main import main
from tests.training.small import write_films

STAGES = """
[model]
name = "small"
version = "1"
modalities = ["chest_xray"]

[language]
steps = 1

[images.chest_xray]
table = "train.csv"
steps = 1
"""


def train(folder: Path, recipe: str) -> int:
    (folder / "recipe.toml").write_text(recipe)
    given = ("train", folder / "recipe.toml", "--data", folder, "--out", folder / "run")
    return main([str(each) for each in given])


def refused(folder: Path, capsys) -> str:
    assert not (folder / "run").exists()
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and said.endswith(".\n")
    return said


@pytest.mark.parametrize(
    "line, wrong, named",
    [
        ("steps = 1", 'steps = "many"', 'has steps = "many", of the wrong type'),
        ("steps = 1", "steps = true", "has steps = true, of the wrong type"),
        ("steps = 1", "steps = 1.5", "has steps = 1.5, of the wrong type"),
        ("steps = 1\n", 'steps = 1\nrate = "0.1"\n', 'has rate = "0.1", of the wrong type'),
        ('table = "train.csv"', "table = 3", "has table = 3, of the wrong type"),
        (
            'table = "train.csv"',
            'table = "train.csv"\nunplaced = [1]',
            "has unplaced = [1], of the wrong type",
        ),
        ("[model]", "seed = [0]\n[model]", "has seed = [0], of the wrong type"),
        ("[images.chest_xray]", "[images]", "[images.table], should be a table"),
        ('["chest_xray"]', "3", "for each of the model's modalities"),
        ('["chest_xray"]', "[[]]", "for each of the model's modalities"),
    ],
)
def test_a_setting_of_the_wrong_type_is_named(tmp_path, capsys, line, wrong, named):
    assert line in STAGES and train(tmp_path, STAGES.replace(line, wrong, 1)) == 2
    assert named in refused(tmp_path, capsys)


def test_a_table_in_another_encoding_is_named(tmp_path, capsys):
    (tmp_path / "train.csv").write_bytes("image,labels,source\n1.png,Épanchement,a\n".encode("latin-1"))
    assert train(tmp_path, STAGES) == 2
    assert refused(tmp_path, capsys) == "train.csv is not a CSV in UTF-8.\n"


def test_a_table_smaller_than_a_batch_is_refused_before_the_language_stage(tmp_path, capsys):
    write_films(tmp_path)
    assert train(tmp_path, STAGES + "batch_size = 200\n") == 2
    said = refused(tmp_path, capsys)
    assert said.startswith("train.csv has 1") and "fewer than a batch of 200: give more rows" in said


def test_a_table_of_one_patient_is_refused(tmp_path, capsys):
    rows = "".join(f"{number}.png,Effusion,a,one\n" for number in range(60))
    (tmp_path / "train.csv").write_text("image,labels,source,patient\n" + rows)
    assert train(tmp_path, STAGES) == 2
    assert "train.csv names too few patients" in refused(tmp_path, capsys)


def test_a_row_that_is_cut_short_is_an_empty_one(tmp_path, capsys):
    (tmp_path / "train.csv").write_text("image,labels,source\n1.png\n")
    assert train(tmp_path, STAGES) == 2
    assert refused(tmp_path, capsys).startswith("train.csv names too few patients")
