import json

import numpy as np
import pytest
from PIL import Image

from afloc.evaluation.datasets.ground_truth import GroundTruth
from afloc.evaluation.map_grids import map_mask
from afloc.evaluation.measure import measure
from tests.released import REFERENCE


def test_the_reference_vectors_of_the_released_code():
    expected = json.loads((REFERENCE / "expected.json").read_text())
    vectors = np.load(REFERENCE / "expected.npz")
    for row in (row for row in expected["rows"] if "box_model" in row):
        with Image.open(REFERENCE / "images" / f"{row['image']}.png") as picture:
            width, height = picture.size
        truth = GroundTruth("a", (tuple(row["box_xywh"]),))
        mask = map_mask(truth, truth.draw(height, width), "paper")
        x, y, w, h = row["box_model"]
        assert mask.sum() == w * h and mask[y : y + h, x : x + w].all()
        heatmap = vectors[f"heatmap/{row['image']}/{row['prompt']}"].astype(np.float32)
        found = measure(heatmap, mask)
        assert found.cnr == pytest.approx(row["cnr"], abs=2e-3)  # the vectors are stored in half precision
        assert found.iou == pytest.approx(np.mean(list(row["iou"].values())), abs=2e-3)
