import json

import numpy as np
import pytest
from PIL import Image

from afloc.evaluation.datasets.ground_truth import GroundTruth
from afloc.evaluation.map_grids import map_mask
from afloc.evaluation.measure import RANKED, measure
from afloc.evaluation.metrics import auroc
from tests.evaluation.display_curve import sharpen
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


def blob(row, column, width, side=64):
    rows, columns = np.mgrid[:side, :side]
    return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * width**2))


def test_a_steeper_display_curve_raises_the_published_overlap_alone():
    """Forty maps with a high spot near the finding and one elsewhere, beside a blind map. Under the curve
    nothing is localized better, yet IoU and Dice rise."""
    random = np.random.default_rng(0)
    found = {(name, sharp): [] for name in ("model", "blind") for sharp in (False, True)}
    for _ in range(40):
        row, column = random.uniform(12, 52, 2)
        mask = blob(row, column, 10) > 0.5
        heatmap = 0.1 + 0.6 * blob(row + random.normal(0, 4), column + random.normal(0, 4), 9)
        heatmap += 0.4 * blob(*random.uniform(0, 64, 2), 9) + random.normal(0, 1e-3, (64, 64))
        for name, values in (("model", heatmap), ("blind", blob(31.5, 31.5, 16))):
            found[name, False].append(measure(values, mask))
            found[name, True].append(measure(sharpen(values), mask))

    def values(name, sharp, key):
        return np.array([getattr(each, key) for each in found[name, sharp]])

    for key in ("pointing", *RANKED):
        for name in ("model", "blind"):
            assert values(name, True, key) == pytest.approx(values(name, False, key), abs=1e-12), key
    for key in ("iou", "dice"):
        assert values("model", True, key).mean() > 1.05 * values("model", False, key).mean(), key
    # LROC takes the rating of the image, and of the map the place of its maximum
    scores, positive = random.random(60), np.arange(60) < 40
    areas = [
        auroc(scores, positive, np.ones((1, 60)), np.append(values("model", sharp, "pointing"), np.ones(20)))
        for sharp in (False, True)
    ]
    assert areas[0] == areas[1] and 0 < areas[0] < 1
    # and the lift over the blind map is what it was
    lifts = [values("model", each, "pixel_ap") - values("blind", each, "pixel_ap") for each in (False, True)]
    assert lifts[0] == pytest.approx(lifts[1], abs=1e-12) and lifts[0].mean() > 0.1
