"""The report level in closed form."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from afloc.model.image_encoder import ImageEncoder
from afloc.model.text_encoder import TextEncoder
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.data.table import read_pairs
from afloc.training.fit.calibration import COSINES
from afloc.training.fit.report_level import IMAGES, fit_report_level, ridge
from afloc.training.fit.split import CalibrationSplit
from afloc.training.pictures.augmentation import plain_input
from afloc.training.recipe import ImageRecipe
from afloc.training.stages.images import ImageStage
from afloc.training.stages.text_bank import TextBank
from tests.released import REFERENCE
from tests.training.small import CONFIG, write_films


def test_ridge_is_the_minimum_of_what_it_says():
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(12, 40)), rng.normal(size=(12, 3))
    weights = rng.uniform(0.3, 2, 12)
    found = ridge(features, targets, weights)
    # the gradient of sum(weights * (features @ found - targets) ** 2) + IMAGES * |found| ** 2
    gradient = features.T @ (weights[:, None] * (features @ found - targets)) + IMAGES * found
    assert np.abs(gradient).max() < 1e-4


def test_it_tells_held_back_films_apart_that_the_encoder_was_not_trained_on(tmp_path):
    torch.manual_seed(0)
    config = replace(CONFIG, global_grids={"chest_xray": 2})
    tokenizer = WordPieceTokenizer.read(REFERENCE / "bert", config.max_tokens, 206)
    texts = TextBank(TextEncoder(config).eval(), tokenizer)
    pairs = read_pairs(write_films(tmp_path), "chest_xray")
    encoder = ImageEncoder(config, "chest_xray")
    stage = ImageStage(encoder, texts, pairs, ImageRecipe("train.csv", steps=1), 64, 0, tmp_path)
    for module in encoder.modules():  # let something of the films come through layers that know nothing yet
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    encoder.backbone.train()(plain_input(stage.images[range(len(pairs))], 64))
    assert "report" not in stage.losses(stage.send(stage.prepare(0)))
    inputs = stage.fit_inputs()
    fit_report_level(inputs)
    split = CalibrationSplit(inputs)
    cosines, targets = (
        split.logits(["There is a pleural effusion."], COSINES),
        split.targets(["pleural_effusion"]),
    )
    assert cosines[targets == 1].min() > cosines[targets == 0].max()
