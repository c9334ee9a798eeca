"""A description is read once, and held against the image once a level, however much is asked of it."""

from collections import Counter

import numpy as np
import pytest

from afloc.imaging.image import image_from_array
from afloc.inference import finding, native_protocol
from afloc.language import reading
from afloc.model.calibration import Calibration
from afloc.model.tokenizer import WordPieceTokenizer

TEXT, AFFIRMED = "Left pleural effusion. No pneumothorax.", "Left pleural effusion."


@pytest.fixture
def calls(monkeypatch) -> Counter:
    """How often each step on the way from a text to a map is taken, with which of the two texts."""
    counted = Counter()

    def count(owner, name):
        real = getattr(owner, name)

        def counting(*given, **named):
            counted[
                name, *(each for each in given if isinstance(each, str) and each in (TEXT, AFFIRMED))
            ] += 1
            return real(*given, **named)

        monkeypatch.setattr(owner, name, counting)

    count(reading, "read_spans")
    reading.read.cache_clear()
    for name in ("word_cosines", "sentence_cosines", "report_cosines"):
        count(native_protocol, name)
    count(WordPieceTokenizer, "__call__")
    count(finding, "enlarge")
    return counted


def test_each_step_is_taken_once(small_model, monkeypatch, calls):
    calibration = Calibration(sentence_weight=0.5)
    monkeypatch.setattr(small_model, "calibration", lambda modality: calibration)
    view = small_model.encode(image_from_array(np.random.default_rng(0).integers(0, 256, (90, 60), np.uint8)))
    found = view.locate(TEXT)
    words = view.words(found)
    assert [word.text for word in words][:3] == ["Left", "pleural", "effusion"]
    assert f"The map is of what is there: “{AFFIRMED}”" in view.remarks(found, words)
    assert len(found.regions(0.0)) and found.evidence() is found.heatmap
    assert calls["read_spans",] == 2  # one for each sentence
    assert calls["__call__", TEXT] == 1
    assert calls["__call__", AFFIRMED] == 1
    for name in ("word_cosines", "sentence_cosines", "report_cosines", "enlarge"):
        assert calls[name,] == 1, name
