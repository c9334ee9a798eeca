"""The encoders through ONNX Runtime: the same answers as PyTorch's, and PyTorch where they cannot be had."""

import numpy as np
import pytest
import torch

from afloc import image_from_array, load_model
from afloc.model import runtime

DESCRIPTIONS = ("effusion", "small left pleural effusion", "No consolidation. The left lung is clear.")


def films(count):
    random = np.random.default_rng(0)
    return [image_from_array(random.integers(0, 256, (300, 260 + 9 * k), np.uint8)) for k in range(count)]


def answers(model):
    return [view.locate_all(DESCRIPTIONS) for view in map(model.encode, films(3))]


@pytest.mark.parametrize("name", ["small", "embedded", "released"])
def test_onnx_runtime_and_pytorch_give_the_same_answers(name, small_folder, released_checkpoint):
    source = {"small": small_folder, "embedded": None, "released": released_checkpoint}[name]
    fast, plain = load_model(source, "cpu"), load_model(source, "cpu")
    assert fast.encoders.session("text") and fast.encoders.session("chest_xray")
    plain.encoders = plain.network
    for ours, theirs in zip(answers(fast), answers(plain), strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert abs(one.score - other.score) < 1e-3
            if one.present is not None and abs(one.probability - one.operating_point) > 0.01:
                assert one.present == other.present
            assert np.abs(one.grid - other.grid).max() < 1e-3


@pytest.mark.parametrize("lengths", [[2], [24], [3, 24, 9]])
def test_texts_of_any_length_and_number_are_encoded_alike(lengths, small_model):
    vocabulary = ["lung", "left", "effusion", "no", "clear"]
    texts = [
        small_model.tokenizer(" ".join(vocabulary[k % 5] for k in range(length - 2))) for length in lengths
    ]
    with torch.inference_mode():
        ours, theirs = small_model.encoders.encode_texts(texts), small_model.network.encode_texts(texts)
    assert small_model.encoders.session("text")
    for name in ("words", "sentences", "report"):
        assert torch.allclose(getattr(ours, name), getattr(theirs, name), atol=1e-4), name


def test_an_export_is_made_once_and_a_damaged_one_made_anew(small_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("AFLOC_CACHE_DIR", str(tmp_path))
    exports = []
    export = runtime._export
    monkeypatch.setattr(runtime, "_export", lambda *given: exports.append(1) or export(*given))
    expected = answers(load_model(small_folder, "cpu"))[0][0].grid
    assert len(exports) == 2  # the image encoder and the text encoder
    answers(load_model(small_folder, "cpu"))
    assert len(exports) == 2
    (text,) = tmp_path.rglob("text.onnx")
    text.write_bytes(text.read_bytes()[:1000])
    np.testing.assert_allclose(answers(load_model(small_folder, "cpu"))[0][0].grid, expected, atol=1e-6)
    assert len(exports) == 3
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"text.onnx", "chest_xray.onnx"}


def test_without_a_place_for_the_export_pytorch_answers(small_folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AFLOC_CACHE_DIR", str(tmp_path / "file"))
    model = load_model(small_folder, "cpu")
    assert model.encode(films(1)[0]).locate("effusion").score > 0
    assert model.encoders.session("text") is None


def test_of_many_models_the_last_used_stay_exported(tmp_path):
    folders = [tmp_path / f"{number}-torch-1" for number in range(6)]
    for folder in folders:
        folder.mkdir()
    runtime._forget_old(folders[-1])
    assert folders[-1].is_dir() and len(list(tmp_path.iterdir())) == runtime._KEPT
