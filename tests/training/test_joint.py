"""The paper's own training, from MIMIC-CXR-JPG in its published layout."""

import csv
import gzip
import json
import shutil

import PIL.Image
import pytest
from transformers import BertConfig, BertModel

from afloc import load_model
from afloc.errors import DataError
from afloc.phantom import draw_chest_film
from afloc.training.mimic import read_mimic, read_sections
from afloc.training.recipe import read_recipe
from afloc.training.train import train
from tests.released import REFERENCE

REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with cough.

 FINDINGS:

 The heart is mildly enlarged.  There is a small
 left pleural effusion.  No pneumothorax.

 IMPRESSION:

 1. Small left pleural effusion.
"""

RECIPE = """
seed = 1
[model]
name = "small"
version = "1"
backbone = "resnet50"
image_size = 224
normalisation = "half"
last_n_layers = 4
embedding_dim = 32
max_tokens = 32
modalities = ["chest_xray"]
[model.backbone_options]
embedding_size = 8
hidden_sizes = [16, 24, 32, 48]
depths = [1, 1, 1, 1]
[model.text_encoder]
{text}
[joint]
text = "{folder}"
steps = 2
batch_size = 3
"""


@pytest.fixture
def mimic(tmp_path):
    """Four studies of four patients, one of them with a lateral film besides, one in another part."""
    folder, split, metadata = tmp_path / "mimic", [], []
    film = PIL.Image.fromarray(draw_chest_film()[::4, ::4])
    for index in range(5):
        subject, study = 10000032 + index, 50414267 + index
        place = folder / "files" / "p10" / f"p{subject}"
        (place / f"s{study}").mkdir(parents=True)
        (place / f"s{study}.txt").write_text(REPORT)
        for view in ("PA", "LATERAL") if index == 0 else ("AP",):
            name = f"{view.lower()}-{index}"
            film.save(place / f"s{study}" / f"{name}.jpg")
            split.append([name, study, subject, "test" if index == 4 else "train"])
            metadata.append([name, subject, study, view])
    for name, head, rows in (
        ("split", ["dicom_id", "study_id", "subject_id", "split"], split),
        ("metadata", ["dicom_id", "subject_id", "study_id", "ViewPosition"], metadata),
    ):
        with gzip.open(folder / f"mimic-cxr-2.0.0-{name}.csv.gz", "wt", newline="") as file:
            csv.writer(file).writerows([head, *rows])
    return folder


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
    bert = tmp_path / "bert"
    shutil.copytree(REFERENCE / "bert", bert)
    values = json.loads((bert / "config.json").read_text())
    values |= {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 4}
    BertModel(BertConfig(**values), add_pooling_layer=False).save_pretrained(bert)
    kept = ("vocab_size", "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers")
    text = "\n".join(f"{key} = {values[key]}" for key in (*kept, "max_position_embeddings"))
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(text=text, folder=bert))
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
