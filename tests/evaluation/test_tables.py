import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from afloc.evaluation.baselines import center_prior, means_of_others
from afloc.evaluation.bootstrap import bootstrap
from afloc.evaluation.datasets.ground_truth import Truth
from afloc.evaluation.map_frames import FRAME, from_frame, mask_to_frame, truth_mask
from afloc.evaluation.measure import measure
from afloc.evaluation.parts import NORMALS, SCORES
from afloc.evaluation.tables import classification, false_positives
from tests.released import REFERENCE


def test_the_interval_of_a_mean_is_that_of_its_sampling():
    random = np.random.default_rng(0)
    values = random.normal(3, 2, 400)
    mean = lambda weights: (weights @ values / weights.sum(1))[:, None]  # noqa: E731
    low, high = bootstrap(mean, [str(i) for i in range(400)])[0]
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.05)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    again = bootstrap(mean, [str(i) for i in range(400)])[0]
    assert (low, high) == tuple(again)
    # Four cases of a patient that agree are worth one.
    wide = bootstrap(
        lambda w: (w @ np.repeat(values[:100], 4) / w.sum(1))[:, None], np.repeat(np.arange(100), 4)
    )
    assert np.diff(wide[0]) == pytest.approx(2 * 1.96 * values[:100].std() / 10, rel=0.15)


def test_a_blind_map_never_holds_the_patient_it_is_held_against():
    frames = np.random.default_rng(0).random((6, FRAME, FRAME)).astype(np.float32)
    keys, patients = ["a", "a", "a", "a", "b", "b"], ["1", "1", "2", "3", "4", "4"]
    found = dict(means_of_others(keys, patients, frames))
    np.testing.assert_allclose(found[0], (frames[2] + frames[3]) / 2, rtol=1e-6)
    np.testing.assert_allclose(found[2], (frames[0] + frames[1] + frames[3]) / 3, rtol=1e-6)
    assert found[4] is None and found[5] is None


def test_frames_lie_over_the_image():
    mask = np.zeros((120, 60), bool)
    mask[90:, 30:] = True
    frame = mask_to_frame(mask)
    assert frame[24:, 16:].min() == pytest.approx(1) and frame[:23].max() == 0
    native = from_frame(frame, 120, 60, "native")
    assert ((native > 0.5) == mask).mean() > 0.99
    paper = from_frame(frame, 120, 60, "paper")
    assert paper.shape == (224, 224) and np.isnan(paper[:14]).all()
    rows, columns = np.nonzero(paper > 0.5)
    assert rows.min() in range(166, 170) and columns.min() in range(110, 114)
    assert center_prior().argmax() in (15 * 32 + 15,)


def test_scores_are_compared_within_a_source():
    scores = [0.1, 0.4, 0.35, 0.8, 0.9, 0.95]
    rows = [
        {"row": i, "patient": str(i), "source": "ab"[i // 4], "label": "x", "positive": i in (2, 3, 4, 5)}
        | {"score": scores[i], "present": scores[i] > 0.38}
        for i in range(6)
    ]
    found = classification(pa.Table.from_pylist(rows, SCORES))
    assert found["a"]["x"]["auroc"]["mean"] == 0.75
    assert found["a"]["x"]["sensitivity"] == 0.5 and found["a"]["x"]["specificity"] == 0.5
    assert found["b"]["x"]["auroc"] == {"mean": None, "ci95": None} and found["b"]["x"]["n_negative"] == 0


def test_images_without_a_finding():
    rows = [
        {"row": i // 2, "patient": str(i // 2), "source": "a", "finding": "xy"[i % 2]}
        | {"present": i == 0, "painted": 0.2 if i == 0 else 0.0}
        for i in range(4)
    ]
    found = false_positives(pa.Table.from_pylist(rows, NORMALS))["a"]
    assert found["n_images"] == 2 and found["judged_present"]["mean"] == 0.25
    assert found["painted_area"]["mean"] == pytest.approx(0.05)


def test_the_reference_vectors_of_the_released_code():
    expected = json.loads((REFERENCE / "expected.json").read_text())
    vectors = np.load(REFERENCE / "expected.npz")
    for row in (row for row in expected["rows"] if "box_model" in row):
        with Image.open(REFERENCE / "images" / f"{row['image']}.png") as picture:
            width, height = picture.size
        mask = truth_mask(Truth("a", (tuple(row["box_xywh"]),)), height, width, "paper")
        x, y, w, h = row["box_model"]
        assert mask.sum() == w * h and mask[y : y + h, x : x + w].all()
        heatmap = vectors[f"heatmap/{row['image']}/{row['prompt']}"].astype(np.float32)
        found = measure(heatmap, mask)
        assert found.cnr == pytest.approx(row["cnr"], abs=2e-3)  # the vectors are stored in half precision
        assert found.iou == pytest.approx(np.mean(list(row["iou"].values())), abs=2e-3)
