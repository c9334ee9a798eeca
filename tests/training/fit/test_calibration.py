"""The calibration, against its definition and on a small model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from afloc.errors import DataError
from afloc.inference.appearance import feature_distance
from afloc.inference.native_protocol import native_map
from afloc.model.image_encoder import seen_turned
from afloc.training.fit.calibration import calibrate
from afloc.training.fit.split import CalibrationSplit
from tests.training.small import image_stage


def test_a_model_that_sees_no_difference_is_calibrated_too(tmp_path):
    stage = image_stage(tmp_path)
    encoder = stage.encoder
    for projection in (encoder.global_projection, encoder.deep_projection, encoder.shallow_projection):
        nn.init.zeros_(projection.weight)
    inputs = stage.fit_inputs()
    calibration, split = calibrate(inputs), CalibrationSplit(inputs)
    known = calibration.training_distribution
    assert (feature_distance(split.textures, known) <= known.limit).all()
    assert calibration.side_margins is None  # no report names a side
    assert calibration.presence["other"].specificity == 1  # nobody is told of a finding it cannot see
    text = stage.texts(["There is a pleural effusion."])
    with torch.inference_mode():
        image = encoder(next(inputs.encoder_inputs(np.array([0]))))
        heatmap = native_map(image, text, calibration)
    assert heatmap.max() < 0.01


@torch.inference_mode()
def test_images_that_are_turned_are_calibrated_as_they_are_looked_at(tmp_path):
    plain = image_stage(tmp_path).fit_inputs()
    inputs = replace(plain, recipe=replace(plain.recipe, turned=True))
    inputs.encoder.eval()
    rows = inputs.calibration_rows
    seen = torch.cat([each.deep for each in inputs.encode(rows)])
    upright = next(plain.encode(rows))
    expected = seen_turned(inputs.encoder, next(inputs.encoder_inputs(rows[:2]))).deep
    torch.testing.assert_close(seen[:2], expected)
    assert len(seen) == len(rows) and (seen[:2] - upright.units.deep[:2]).abs().max() > 0.01
    assert calibrate(inputs).turned and not calibrate(plain).turned


@pytest.mark.parametrize("label", ["Effusion", "No Finding"])
def test_a_calibration_split_of_one_kind_of_image_is_one_sentence(tmp_path, label):
    inputs = image_stage(tmp_path).fit_inputs()
    present = float(label == "Effusion")
    one_kind = [
        pair
        for pair in inputs.pairs
        if not pair.in_calibration_split or pair.facts["pleural_effusion"].present == present
    ]
    with pytest.raises(DataError, match=r"^The table train\.csv is not enough for the calibration: .*\.$"):
        calibrate(replace(inputs, pairs=one_kind))
