"""Training tables: several files, an index in memory, and what is wrong with one."""

import csv
import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from afloc.errors import DataError
from afloc.language.statements import Statement
from afloc.training.data.facts import Fact, facts_of
from afloc.training.data.pairs import Pair
from afloc.training.data.sampler import Sampler
from afloc.training.data.table import PairTable, find_tables, read_pairs, read_recipe_table
from afloc.training.pictures.stored_images import ImagePaths
from afloc.training.recipe import ImageRecipe, read_recipe
from afloc.training.stages.language import DescriptionSampler
from tests.training.small import write_films

CONFIGS = Path(__file__).parents[3] / "assets" / "configs"


def held_for(rows: int, folder) -> int:
    """The bytes that are held for a table of so many rows, and for what draws from it."""
    with (folder / "long.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "text", "labels", "source", "patient"])
        for n in range(rows):
            text, label = (("Left effusion.", "Effusion"), ("Clear lungs.", "No Finding"))[n % 2]
            writer.writerow([f"{n % 120}.png", text, label, "drawn", n % 120])
    tracemalloc.start()
    table = read_pairs(folder / "long.csv", "chest_xray")
    sampler = Sampler(table, 0, templates=4, reports=0.2)
    said = DescriptionSampler(table, "chest_xray", 0)
    for step in range(3):
        assert sampler.draw(8, step) and said.draw(4, step)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(table) == rows
    return held


def test_what_is_held_of_a_table_is_an_index(tmp_path, long):
    """20,000 rows with --long. A row as a pair takes several kilobytes."""
    write_films(tmp_path)
    few, many = (100, 20_000) if long else (60, 180)
    held_for(180, tmp_path)  # fills the caches of the language
    grown = held_for(many, tmp_path) - held_for(few, tmp_path)
    assert grown / (many - few) < 500


def test_several_files_are_one_table(tmp_path):
    table = write_films(tmp_path)
    with table.open(newline="") as file:
        head, *rows = csv.reader(file)
    for name, part in (("b.csv", rows[:70]), ("a.csv", rows[70:])):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([head, *part])
    shards = read_pairs(find_tables(tmp_path, "[ab].csv"), "chest_xray")
    whole = read_pairs(table, "chest_xray")
    assert list(shards) == [*list(whole)[70:], *list(whole)[:70]]
    assert [path.name for path in ImagePaths(shards)[:2]] == ["70.png", "71.png"]
    np.testing.assert_array_equal(shards.fact_index.facts[50:], whole.fact_index.facts[:70])


def test_a_weak_source_teaches_nothing_alone(tmp_path):
    def films(source, finding, count):
        facts = facts_of((Statement(finding, "affirmed"),), "chest_xray")
        return [Pair(tmp_path / "film.png", source, "chest_xray", (), facts)] * count

    rows = [
        *films("blurred", "tuberculosis", 30),
        *films("blurred", "pleural_effusion", 30),
        *films("sharp", "pleural_effusion", 30),
        *films("sharp", "cardiomegaly", 30),
    ]
    equal, weak = PairTable(rows, "chest_xray", "t"), PairTable(rows, "chest_xray", "t", weak=["blurred"])
    assert equal[0].facts["tuberculosis"].present == 1
    assert "tuberculosis" not in weak[0].facts and weak[0].affirmed == {"tuberculosis"}
    assert weak[30].facts["pleural_effusion"].present == 1
    weights = {"blurred": 0.25}
    chances = Sampler(weak, 0, templates=0, reports=0, source_weights=weights).chances
    assert chances[30] == pytest.approx(chances[60] / 4)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"blured": 0.5}, "names blured; the sources of t.csv are blurred, sharp"),
        ({"blurred": 0.5}, "only blurred shows cardiomegaly, and a source"),
        ({"blurred": 1.0, "sharp": 2.0}, None),
    ],
)
def test_a_weight_that_would_leave_a_finding_untaught_is_refused(tmp_path, weights, said):
    films = [
        *(["a.png", "Cardiomegaly", "blurred", n, ""] for n in range(6)),
        *(["a.png", "No Finding", "sharp", f"no{n}", ""] for n in range(6)),
        *(
            ["a.png", "Effusion", source, source + str(n), ""]
            for n in range(6)
            for source in ("blurred", "sharp")
        ),
    ]
    write(tmp_path, films)
    recipe = read_recipe(CONFIGS / "mini.toml")
    recipe.images["chest_xray"] = ImageRecipe("t.csv", steps=1, source_weights=weights)
    if said is None:
        return read_recipe_table(recipe, "chest_xray", tmp_path)
    with pytest.raises(DataError, match=said):
        read_recipe_table(recipe, "chest_xray", tmp_path)


def write(folder, rows):
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "labels", "source", "patient", "split"], *rows])
    return folder / "t.csv"


def test_a_patient_or_an_image_on_both_sides_is_named(tmp_path):
    rows = [["1.png", "Effusion", "a", "p1", "train"], ["2.png", "Effusion", "a", "p1", "calibration"]]
    with pytest.raises(DataError, match="t.csv has the patient p1 on both sides"):
        read_pairs(write(tmp_path, rows), "chest_xray").check_split()
    rows[1][3] = "p2"
    read_pairs(write(tmp_path, rows), "chest_xray").check_split()
    rows[1][0] = "1.png"
    with pytest.raises(DataError, match="t.csv has the image 1.png on both sides"):
        read_pairs(write(tmp_path, rows), "chest_xray").check_split()
    rows[0][3] = "p1"
    same = read_pairs(write(tmp_path, rows), "chest_xray", same_patients=[["p1", "p2"]])
    assert {pair.patient for pair in same} == {"p1"}


def test_images_that_are_not_there_are_counted(tmp_path):
    table = read_pairs(write(tmp_path, [["1.png", "Effusion", "a", "p", ""]] * 3), "chest_xray")
    with pytest.raises(DataError, match="3 of the 3 images that t.csv names are not there, first 1.png"):
        table.check_images()


def test_the_digest_of_a_table_does_not_hang_on_the_order_of_its_facts(tmp_path):
    facts = facts_of((Statement("pleural_effusion", "affirmed"), Statement("nodule", "denied")), "chest_xray")

    def digest(found):
        image = tmp_path / "film.png"
        return PairTable([Pair(image, "drawn", "chest_xray", (), found)], "chest_xray", "films").digest

    assert digest(facts) == digest(dict(reversed(facts.items())))
    assert digest(facts) != digest(facts | {"pleural_effusion": Fact(0.0)})
