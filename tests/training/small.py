"""Small stages on drawn films."""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from afloc.imaging.chest_phantom import draw_chest_film
from afloc.model.config import ModelConfig
from afloc.model.image_encoder import ImageEncoder
from afloc.model.text_encoder import TextEncoder
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.data.table import read_pairs
from afloc.training.distributed import start
from afloc.training.recipe import ImageRecipe, LanguageRecipe
from afloc.training.stages.images import ImageStage
from afloc.training.stages.language import LanguageStage
from afloc.training.stages.loop import run_stage
from afloc.training.stages.text_bank import TextBank
from tests.released import REFERENCE

CONFIG = ModelConfig(
    name="small",
    version="1",
    backbone="efficientnet_lite0",
    image_size=64,
    normalisation="lite",
    text_encoder={
        "vocab_size": 206,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
    },
    last_n_layers=2,
    embedding_dim=32,
    max_tokens=32,
    modalities=("chest_xray",),
)


@cache
def drawn_film(effusion: bool) -> np.ndarray:
    """A small film; drawn once, for it takes a second."""
    return draw_chest_film(effusion)[::8, ::8]


def write_films(folder: Path, reports: bool = True) -> Path:
    """A table of drawn films, half of them with an effusion, as the training table is laid out; with
    `reports`, or labels alone."""
    rows, drawn = [], [drawn_film(effusion) for effusion in (True, False)]
    for number in range(120):
        film = np.roll(drawn[number % 2], number // 2, axis=0)
        PIL.Image.fromarray(film).save(folder / f"{number}.png")
        label = "Effusion" if number % 2 == 0 else "No Finding"
        text = "There is a small left effusion. No pneumothorax." if number % 2 == 0 else "Clear lungs."
        row = {"image": f"{number}.png", "labels": label, "source": "drawn", "patient": str(number)}
        rows.append(row | ({"text": text} if reports else {}))
    with (folder / "train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "train.csv"


def image_stage(folder: Path) -> ImageStage:
    """An image stage of three steps on drawn films with labels alone."""
    torch.manual_seed(0)
    tokenizer = WordPieceTokenizer.read(REFERENCE / "bert", CONFIG.max_tokens, 206)
    return ImageStage(
        ImageEncoder(CONFIG, "chest_xray"),
        TextBank(TextEncoder(CONFIG), tokenizer),
        read_pairs(write_films(folder, reports=False), "chest_xray"),
        ImageRecipe("train.csv", steps=3, batch_size=8),
        CONFIG.image_size,
        seed=0,
        folder=folder,
    )


def main(table: Path, folder: Path, steps: int = 10) -> None:
    """The language stage and an image stage, in double precision: in single precision, rounding errors grow
    to visible differences within ten steps."""
    folder.mkdir(exist_ok=True)
    start()
    torch.manual_seed(0)
    tokenizer = WordPieceTokenizer.read(REFERENCE / "bert", CONFIG.max_tokens, 206)
    text, encoder = TextEncoder(CONFIG).double(), ImageEncoder(CONFIG, "chest_xray").double()
    encoder.backbone.stem.register_forward_pre_hook(lambda _, inputs: inputs[0].double())
    pairs = read_pairs(table, "chest_xray")
    recipe = LanguageRecipe(steps=steps, findings_per_step=8)
    run_stage(LanguageStage(text, tokenizer, {"chest_xray": pairs}, recipe, 0), folder / "language")
    text.requires_grad_(False)
    recipe = ImageRecipe("train.csv", steps=steps, batch_size=7, stochastic_depth=0.1)
    stage = ImageStage(encoder, TextBank(text, tokenizer), pairs, recipe, CONFIG.image_size, 0, folder)
    stage.modules.double()
    run_stage(stage, folder / "images")
