"""The encoders through ONNX Runtime: the same answers as PyTorch's, and PyTorch where they cannot be had."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from afloc import image_from_array, load_model
from afloc.errors import ModelError
from afloc.model import onnx_encoders as runtime
from afloc.model.files import checkpoint
from tests import loaded

CLONE_NEWNS = 0x20000  # of linux/sched.h
DESCRIPTIONS = ("effusion", "small left pleural effusion", "No consolidation. The left lung is clear.")


def films(count):
    random = np.random.default_rng(0)
    return [image_from_array(random.integers(0, 256, (300, 260 + 9 * k), np.uint8)) for k in range(count)]


def answers(model):
    return [view.locate_all(DESCRIPTIONS) for view in map(model.encode, films(3))]


@pytest.fixture(autouse=True)
def as_on_most_machines(monkeypatch):
    """Whatever this one's times are."""
    monkeypatch.setattr(runtime, "_is_slower", lambda session, exported: False)


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


def test_what_a_first_answer_needs_is_opened_where_it_is_exported(small_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("AFLOC_CACHE_DIR", str(tmp_path))
    opened = []
    start = runtime._start_session
    monkeypatch.setattr(runtime, "_start_session", lambda path: opened.append(path.name) or start(path))
    model = load_model(small_folder, "cpu")
    model.open_encoders()
    assert not opened and not any(tmp_path.iterdir())  # an export takes seconds, and nobody asked yet
    model.prepare()
    opened.clear()
    again = load_model(small_folder, "cpu")
    again.open_encoders()
    assert opened == ["text.onnx", "chest_xray.onnx"]
    again.encode(films(1)[0], "chest_xray").locate("effusion")
    assert len(opened) == 2


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
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    exported = {"text.onnx", "chest_xray.onnx"}
    assert files == exported | {f"{name}.sha256" for name in exported}


def test_where_pytorch_is_faster_it_runs_and_the_next_time_too(small_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("AFLOC_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(runtime, "_is_slower", lambda session, exported: "pixels" in exported.inputs)
    model = load_model(small_folder, "cpu")
    expected = answers(model)[0][0].score
    assert model.encoders.session("text") and model.encoders.session("chest_xray") is None
    monkeypatch.setattr(runtime, "_is_slower", lambda session, exported: False)
    again = load_model(small_folder, "cpu")
    assert answers(again)[0][0].score == expected and again.encoders.session("chest_xray") is None


def flip_bits(export: Path, _: Path) -> None:
    content = bytearray(export.read_bytes())
    for place in np.random.default_rng(0).integers(len(content) // 4, len(content) - 100, 200):
        content[place] ^= 0x40
    export.write_bytes(content)


def lose_checksum(export: Path, _: Path) -> None:
    flip_bits(export, _)
    checksum_of(export).unlink()


def swap(export: Path, other: Path) -> None:
    shutil.copy(other, export)


def swap_with_checksum(export: Path, other: Path) -> None:
    shutil.copy(other, export)
    shutil.copy(checksum_of(other), checksum_of(export))


def checksum_of(export: Path) -> Path:
    return export.with_name(f"{export.name}.sha256")


@pytest.fixture(scope="module")
def exported(small_folder, tmp_path_factory):
    """A cache with the small model and one of other weights: (cache, (model, other), the model's answers)."""
    other_folder = shutil.copytree(small_folder, tmp_path_factory.mktemp("other") / "model")
    weights = load_file(other_folder / "model.safetensors")
    save_file({name: each * 1.5 for name, each in weights.items()}, other_folder / "model.safetensors")
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFLOC_CACHE_DIR", str(cache))
        models = load_model(small_folder, "cpu"), load_model(other_folder, "cpu")
        expected, others = map(answers, models)
    assert others[0][0].score != expected[0][0].score
    return cache, models, expected


@pytest.mark.parametrize("part", ["text", "chest_xray"])
@pytest.mark.parametrize("damage", [flip_bits, lose_checksum, swap, swap_with_checksum])
def test_an_export_that_is_not_as_it_was_written_changes_no_answer(
    damage, part, small_folder, exported, tmp_path, monkeypatch, caplog
):
    cache, models, expected = exported
    monkeypatch.setenv("AFLOC_CACHE_DIR", str(tmp_path))
    shutil.copytree(cache, tmp_path, dirs_exist_ok=True)
    folders = (next(tmp_path.glob(f"{each.fingerprint}-*")) for each in models)
    export, foreign = (folder / f"{part}.onnx" for folder in folders)
    written = export.read_bytes()
    damage(export, foreign)
    again = load_model(small_folder, "cpu")
    for ours, theirs in zip(answers(again), expected, strict=True):
        for one, two in zip(ours, theirs, strict=True):
            assert one.score == two.score and np.array_equal(one.grid, two.grid)
    assert again.encoders.session(part) is not None and export.read_bytes() == written
    assert [record.getMessage() for record in caplog.records if "checksum" in record.getMessage()]


def answer_from_a_read_only_disk(folder: Path, cache: Path) -> None:
    """With a sound export and with a damaged one, on a disk that is read-only for this process alone."""
    expected = answers(load_model(folder, "cpu"))[0][0].score
    assert not ctypes.CDLL(None).unshare(CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", cache, cache], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", cache], check=True)
    sound = load_model(folder, "cpu")
    assert answers(sound)[0][0].score == expected and sound.encoders.session("text")
    subprocess.run(["mount", "-o", "remount,rw,bind", cache], check=True)
    (text,) = cache.rglob("text.onnx")
    flip_bits(text, text)
    subprocess.run(["mount", "-o", "remount,ro,bind", cache], check=True)
    damaged = load_model(folder, "cpu")
    assert abs(answers(damaged)[0][0].score - expected) < 1e-3 and damaged.encoders.session("text") is None


def test_a_damaged_export_that_cannot_be_replaced_is_not_used(small_folder, tmp_path):
    if sys.platform != "linux" or os.getuid() or subprocess.run(["unshare", "--mount", "true"]).returncode:
        pytest.skip("only root on Linux can mount a disk read-only for one program")
    loaded.run(answer_from_a_read_only_disk, small_folder, tmp_path, AFLOC_CACHE_DIR=str(tmp_path))


def write_score(folder: Path, path: Path) -> None:
    path.write_text(repr(answers(load_model(folder, "cpu"))[0][0].score))


def test_processes_that_export_at_once_leave_a_sound_cache(small_folder, tmp_path):
    paths, cache = [tmp_path / "one", tmp_path / "two"], tmp_path / "cache"
    both = [loaded.start(write_score, small_folder, each, AFLOC_CACHE_DIR=str(cache)) for each in paths]
    for each in both:
        each.join()
    assert paths[0].read_text() == paths[1].read_text()
    exports = list(cache.rglob("*.onnx"))
    assert exports and all(map(runtime._is_sound, exports))


def test_without_a_place_for_the_export_pytorch_answers(small_folder, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AFLOC_CACHE_DIR", str(tmp_path / "file"))
    model = load_model(small_folder, "cpu")
    model.encoders.export_all()
    assert model.encode(films(1)[0]).locate("effusion").score > 0
    assert model.encoders.session("text") is None
    said = [each.getMessage() for each in caplog.records if each.name == runtime.__name__]
    assert len(said) == len(set(said)) == 1 + len(model.encoders._modalities)
    assert "The encoder text cannot be exported" in said[0] and "Error: " in said[0]


def test_of_many_models_the_last_used_stay_exported(tmp_path):
    folders = [tmp_path / f"{number}-torch-1" for number in range(6)]
    for folder in folders:
        folder.mkdir()
    runtime._forget_old(folders[-1])
    assert folders[-1].is_dir() and len(list(tmp_path.iterdir())) == runtime._KEPT


def test_a_user_without_a_home_has_a_cache_too(tmp_path, monkeypatch):
    """As in a container that runs under any number: no HOME, and nobody of that number in passwd."""

    def getpwuid(number):
        raise KeyError(number)

    for name in ("HOME", "XDG_CACHE_HOME", "AFLOC_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", getpwuid)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert runtime.cache_folder().parent == tmp_path and runtime.cache_folder().stat().st_mode & 0o77 == 0


def test_where_all_is_exported_the_network_is_not_read(small_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("AFLOC_CACHE_DIR", str(tmp_path / "cache"))
    folder = shutil.copytree(small_folder, tmp_path / "model")
    first = load_model(folder, "cpu")
    first.prepare()
    expected, read = answers(first), []
    read_network = checkpoint._read_network
    monkeypatch.setattr(checkpoint, "_read_network", lambda *given: read.append(1) or read_network(*given))
    again = load_model(folder, "cpu")
    for ours, theirs in zip(answers(again), expected, strict=True):
        for one, two in zip(ours, theirs, strict=True):
            assert one.score == two.score and np.array_equal(one.grid, two.grid)
    assert not read and again.fingerprint == first.fingerprint
    for ours, theirs in zip(again.network.parameters(), first.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert read


def test_weights_that_changed_after_the_model_was_loaded_are_refused(small_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("AFLOC_CACHE_DIR", str(tmp_path / "cache"))
    folder = shutil.copytree(small_folder, tmp_path / "model")
    load_model(folder, "cpu").prepare()
    model = load_model(folder, "cpu")
    weights = load_file(folder / "model.safetensors")
    save_file({name: each * 1.5 for name, each in weights.items()}, folder / "model.safetensors")
    with pytest.raises(ModelError, match="has changed since the model was loaded"):
        _ = model.network
