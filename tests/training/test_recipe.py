"""What is wrong with a recipe or its table is said before anything is trained."""

import re
from pathlib import Path

import pytest

from afloc.cli.main import main
from afloc.training.recipe import FORMER_NAMES, read_recipe
from tests.training.small import write_films

CONFIGS = Path(__file__).parents[2] / "assets" / "configs"
IMAGES = "images.chest_xray"
END = None  # of the recipe
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


def train(folder: Path, recipe: str, *options: str) -> int:
    (folder / "recipe.toml").write_text(recipe)
    given = ("train", folder / "recipe.toml", "--data", folder, "--out", folder / "run", *options)
    return main([str(each) for each in given])


def refused(folder: Path, capsys) -> str:
    assert not (folder / "run").exists()
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and said.endswith(".\n")
    return said


@pytest.mark.parametrize(
    "line, wrong, sentence",
    [
        ("steps = 1", 'steps = "many"', "language.steps must be a whole number from 1"),
        ("steps = 1", "steps = true", "language.steps must be a whole number from 1"),
        ("steps = 1", "steps = 1.5", "language.steps must be a whole number from 1"),
        ("steps = 1", "steps = 0", "language.steps must be a whole number from 1"),
        ("steps = 1\n", 'steps = 1\nrate = "0.1"\n', "language.rate must be a number above 0"),
        ("steps = 1\n", "steps = 1\nrate = inf\n", "language.rate must be a number above 0"),
        ("steps = 1\n", "steps = 1\nthemes = 0\n", "language.findings_per_step must be a whole number"),
        ('table = "train.csv"', "table = 3", f"{IMAGES}.table must be a text that is not empty"),
        ('table = "train.csv"\n', "", f"{IMAGES}.table is missing"),
        (END, "batch_size = 0\n", f"{IMAGES}.batch_size must be a whole number from 1"),
        (END, "steps_per_day = 2\n", f"{IMAGES}.steps_per_day is no key that is known here"),
        (END, "reports = 1.1\n", f"{IMAGES}.reports must be a number from 0 to 1"),
        (END, "dropout = 1\n", f"{IMAGES}.dropout must be a number from 0 below 1"),
        (END, "joined = -0.5\n", f"{IMAGES}.collage_rate must be a number from 0 to 1"),
        (END, "collage_rate = 0.5\n", f"{IMAGES}.collage_rate must be 0"),
        (END, "turned = true\n", f"{IMAGES}.turned must be false: such images have an up and a down"),
        (END, "map_detail = 5\n", f"{IMAGES}.map_detail must be a whole number from 1 to 4"),
        (END, "weight_decay = nan\n", f"{IMAGES}.weight_decay must be a number from 0"),
        (END, "unplaced = [1]\n", f"{IMAGES}.unreliable_maps[1] must be a text"),
        (END, 'unreliable_maps = ["nodules"]\n', "must name findings of chest_xray, not 'nodules'"),
        (END, "skipped = 0.1\nstochastic_depth = 0.1\n", "stochastic_depth is given twice"),
        ("[model]", "seed = [0]\n[model]", "seed must be a whole number from 0"),
        ("[model]", 'without = ["images"]\n[model]', "without can name word, sentence, report"),
        ("[images.chest_xray]", "[images]", "images.table must be a table"),
        ('["chest_xray"]', "3", "images needs one table for each of the model's modalities"),
        ('["chest_xray"]', "[[]]", "images needs one table for each of the model's modalities"),
        ("[language]\nsteps = 1\n", "", "needs either [language] and [images], or [joint]"),
    ],
)  # fmt: skip
def test_the_first_fault_of_a_recipe_is_one_sentence(tmp_path, capsys, line, wrong, sentence):
    recipe = STAGES + wrong if line is END else STAGES.replace(line, wrong, 1)
    assert line is END or line in STAGES
    assert train(tmp_path, recipe) == 2
    said = refused(tmp_path, capsys)
    assert said.startswith(f"{tmp_path / 'recipe.toml'}: ") and sentence in said


@pytest.mark.parametrize(
    "option, sentence",
    [
        (["--seed", "-1"], "--seed: must be a whole number from 0 below 4294967296.\n"),
        (
            ["--without", "images"],
            "--without: can name word, sentence, report, reports, language, contraries, not 'images'.\n",
        ),
    ],
)
def test_an_option_out_of_range_is_named(tmp_path, capsys, option, sentence):
    assert train(tmp_path, STAGES, *option) == 2
    assert refused(tmp_path, capsys) == sentence


def test_a_recipe_with_former_names_is_the_same_recipe(tmp_path):
    now, before = tmp_path / "now.toml", tmp_path / "before.toml"
    former = {name: old for old, name in FORMER_NAMES.items()}
    now.write_text((CONFIGS / "mini.toml").read_text())
    before.write_text(
        re.sub(
            r"^\w+(?= =)", lambda found: former.get(found[0], found[0]), now.read_text(), flags=re.MULTILINE
        )
    )
    assert "skipped = 0.1" in before.read_text() and read_recipe(before) == read_recipe(now)


def test_the_recipes_that_come_with_the_project_are_read():
    assert [read_recipe(path).model["name"] for path in sorted(CONFIGS.glob("*.toml"))] == [
        "afloc-large",
        "afloc-mini",
        "afloc-published",
        "afloc-short",
    ]


def test_a_table_in_another_encoding_is_named(tmp_path, capsys):
    (tmp_path / "train.csv").write_bytes("image,labels,source\n1.png,Épanchement,a\n".encode("latin-1"))
    assert train(tmp_path, STAGES) == 2
    assert refused(tmp_path, capsys) == "train.csv is not a CSV in UTF-8.\n"


def test_a_table_smaller_than_a_batch_is_refused_before_the_language_stage(tmp_path, capsys):
    write_films(tmp_path)
    assert train(tmp_path, STAGES + "batch_size = 200\n") == 2
    said = refused(tmp_path, capsys)
    assert said.startswith("train.csv has 1") and "fewer than a batch of 200: give more rows" in said


@pytest.mark.parametrize("labels", [("No Finding",), ("Effusion",), ("Effusion", *["No Finding"] * 20)])
def test_a_table_that_cannot_be_calibrated_on_is_refused_before_anything_is_trained(tmp_path, capsys, labels):
    rows = "".join(f"{number}.png,{labels[number % len(labels)]},a,{number}\n" for number in range(120))
    (tmp_path / "train.csv").write_text("image,labels,source,patient\n" + rows)
    assert train(tmp_path, STAGES) == 2
    assert refused(tmp_path, capsys).startswith("train.csv is not enough for the calibration: ")


def test_a_table_of_one_patient_is_refused(tmp_path, capsys):
    rows = "".join(f"{number}.png,Effusion,a,one\n" for number in range(60))
    (tmp_path / "train.csv").write_text("image,labels,source,patient\n" + rows)
    assert train(tmp_path, STAGES) == 2
    assert "train.csv names too few patients" in refused(tmp_path, capsys)


def test_a_row_that_is_cut_short_is_an_empty_one(tmp_path, capsys):
    (tmp_path / "train.csv").write_text("image,labels,source\n1.png\n")
    assert train(tmp_path, STAGES) == 2
    assert refused(tmp_path, capsys).startswith("train.csv names too few patients")
