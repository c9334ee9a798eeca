"""A small random model, for when the embedded one is not there: real code, meaningless answers."""

import math
import string
from dataclasses import replace
from pathlib import Path

import torch

from afloc.imaging.examples import EXAMPLES
from afloc.inference.model import Model
from afloc.model.config import ModelConfig
from afloc.model.files.checkpoint import Checkpoint, write_folder
from afloc.model.network import AFLoc
from afloc.model.tokenizer import WordPieceTokenizer

LETTERS = [*string.ascii_lowercase, *string.digits]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS, *("##" + letter for letter in LETTERS), "."]
CONFIG = ModelConfig(
    name="tiny",
    version="0",
    backbone="resnet50",
    backbone_options={"embedding_size": 8, "hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 1, 1]},
    image_size=128,
    normalisation="half",
    text_encoder={
        "vocab_size": len(VOCABULARY),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
    },
    last_n_layers=2,
    embedding_dim=32,
    max_tokens=64,
    modalities=("chest_xray", "fundus", "histopathology"),
)


def write_tiny_model(folder: Path, calibrated: bool = True) -> Path:
    """Write the model; calibrated, it finds about half of all things in the first example."""
    torch.manual_seed(0)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    tokenizer = WordPieceTokenizer.read(folder, CONFIG.max_tokens, len(VOCABULARY))
    network = AFLoc(CONFIG).eval()
    for name, weights in network.named_parameters():
        if "embeddings" in name and weights.ndim == 2:  # far apart, so that texts differ
            torch.nn.init.normal_(weights)
    if calibrated:
        model = Model(Checkpoint.of(network, tokenizer), torch.device("cpu"))
        found = model.encode(EXAMPLES[0].load()).classify()
        logits = sorted(math.log(each.score / (1 - each.score)) for each in found)
        slope, middle = 4 / (logits[-1] - logits[0]), logits[len(logits) // 2]
        point = {"slope": slope, "intercept": -slope * middle, "threshold": 0.5}
        calibration = {modality: {"presence": {"other": point}} for modality in CONFIG.modalities}
        network.config = replace(CONFIG, calibration=calibration)
    write_folder(folder, network, tokenizer, "# tiny\n")
    return folder
