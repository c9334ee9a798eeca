"""Augmented images, and the targets of collages."""

import csv

import numpy as np
import torch

from afloc.inference.appearance import feature_distance
from afloc.language.statements import Statement
from afloc.training.compute import Compute
from afloc.training.data.facts import Description, Fact
from afloc.training.data.pairs import Pair
from afloc.training.data.sampler import Batch, Sampler
from afloc.training.fit.calibration import calibrate
from afloc.training.fit.split import CalibrationSplit
from afloc.training.pictures.collage import make_collages
from afloc.training.stages.images import targets_of_collages
from afloc.training.stages.loop import read_ahead, run_stage
from tests.training.small import image_stage

MUCUS = {"mucus": Fact(1.0)}, {"mucus": Fact(0.0)}


def test_of_a_picture_of_two_what_holds_of_one_holds_unless_its_side_is_in_doubt():
    pairs = tuple(Pair("a.png", "drawn", "histopathology", (), facts) for facts in MUCUS)
    said = (Statement("mucus", "affirmed"),)
    asked = Description("mucus", said), Description("mucus on the left", said)
    targets, weights = np.float32([[1, 1], [0, 0]]), np.ones((2, 2), np.float32)
    pixels, sampler = torch.zeros(2, 3, 64, 64), Sampler(list(pairs), 0, templates=0, reports=0)
    for mirrored, doubtful in (([False, False], 1), ([False, True], np.nan)):
        batch = Batch(np.arange(2), np.array(mirrored), pairs, asked, targets, weights)
        _, collages = make_collages(pixels, pairs, 1, torch.Generator().manual_seed(0))
        found, counts = targets_of_collages(batch, collages, sampler)
        np.testing.assert_equal(found.numpy(), [[1, doubtful], [0, 0]])
        assert counts.tolist() == [[1, 1], [1, 1]]


def test_an_image_stage_from_table_to_calibration(tmp_path):
    stage = image_stage(tmp_path)
    frozen = stage.encoder.backbone.stem.state_dict()["0.weight"].clone()
    assert 0 < sum(pair.in_calibration_split for pair in stage.pairs) < 30
    assert not any(stage.sampler.chances[[pair.in_calibration_split for pair in stage.pairs]])
    run_stage(stage, tmp_path / "run")
    assert torch.equal(frozen, stage.encoder.backbone.stem.state_dict()["0.weight"])
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        assert {"report", "sentence", "word", "total"} <= set(next(csv.DictReader(file)))
    inputs = stage.fit_inputs()
    calibration = calibrate(inputs)
    assert set(calibration.to_dict()) == {  # too few films, and no report, for the rest
        "levels",
        "map",
        "smoothing",
        "presence",
        "known",
        "unplaced",
        "words",
        "local",
        "precise",
        "detail",
        "turned",
    }
    assert 0 < calibration.presence["other"].threshold < 1
    known = calibration.training_distribution
    assert known.level == "shallow"
    assert np.mean(feature_distance(CalibrationSplit(inputs).textures, known) <= known.limit) > 0.9


def test_workers_and_half_precision_give_the_same_batches_and_nearly_the_same_losses(tmp_path):
    stage = image_stage(tmp_path)
    alone = stage.prepare(1)
    stage.compute = Compute(half=torch.bfloat16, workers=2)
    ahead = next(read_ahead(stage, 1))
    assert torch.equal(alone.pixels, ahead.pixels) and alone.texts == ahead.texts
    half = stage.losses(stage.send(ahead))["total"]
    stage.compute = Compute()
    torch.testing.assert_close(stage.losses(stage.send(alone))["total"], half, rtol=0.2, atol=0)
    assert half.dtype == torch.float32
