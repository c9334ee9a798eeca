"""MIMIC-CXR-JPG in its published layout, four drawn films large, and the paper's recipe for it."""

import csv
import gzip
import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import PIL.Image
from transformers import BertConfig, BertModel, ResNetConfig, ResNetModel

from afloc.imaging.chest_phantom import draw_chest_film
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
image = "{resnet}"
steps = 2
batch_size = 3
"""


@cache
def drawn_film() -> np.ndarray:
    return draw_chest_film()[::4, ::4]


def write_mimic(folder: Path) -> Path:
    """Six studies of six patients, one of them with a lateral film besides, two in other parts."""
    split, metadata = [], []
    film = PIL.Image.fromarray(drawn_film())
    for index in range(6):
        subject, study = 10000032 + index, 50414267 + index
        place = folder / "files" / "p10" / f"p{subject}"
        (place / f"s{study}").mkdir(parents=True)
        (place / f"s{study}.txt").write_text(REPORT)
        for view in ("PA", "LATERAL") if index == 0 else ("AP",):
            name = f"{view.lower()}-{index}"
            film.save(place / f"s{study}" / f"{name}.jpg")
            split.append([name, study, subject, {4: "test", 5: "validate"}.get(index, "train")])
            metadata.append([name, subject, study, view])
    for name, head, rows in (
        ("split", ["dicom_id", "study_id", "subject_id", "split"], split),
        ("metadata", ["dicom_id", "subject_id", "study_id", "ViewPosition"], metadata),
    ):
        with gzip.open(folder / f"mimic-cxr-2.0.0-{name}.csv.gz", "wt", newline="") as file:
            csv.writer(file).writerows([head, *rows])
    return folder


def write_recipe(folder: Path) -> Path:
    """A recipe of two steps, and beside it the random encoders that it starts from: `bert`, `resnet`."""
    shape = {"embedding_size": 8, "hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 1, 1]}
    ResNetModel(ResNetConfig(layer_type="bottleneck", **shape)).save_pretrained(folder / "resnet")
    bert = shutil.copytree(REFERENCE / "bert", folder / "bert")
    values = json.loads((bert / "config.json").read_text())
    values |= {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 4}
    BertModel(BertConfig(**values), add_pooling_layer=False).save_pretrained(bert)
    kept = ("vocab_size", "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers")
    text = "\n".join(f"{key} = {values[key]}" for key in (*kept, "max_position_embeddings"))
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(text=text, folder=bert, resnet=folder / "resnet"))
    return path
