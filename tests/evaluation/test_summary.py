import pyarrow as pa
import pytest

from afloc.evaluation.chunks import NORMALS, SCORES
from afloc.evaluation.summary import classification, false_positives


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
    rows[0]["present"] = None  # an image in doubt: the others are judged
    doubted = classification(pa.Table.from_pylist(rows, SCORES))["a"]["x"]
    assert doubted["sensitivity"] == 0.5 and doubted["specificity"] == 0 and doubted["n_negative"] == 2
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
