"""Checkpoints are read without running anything from them, or refused in one sentence that says why."""

import os
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from afloc.errors import ModelError
from afloc.model.files.checkpoint import convert, load_checkpoint, write_folder
from afloc.model.files.released_checkpoint import released_name
from tests import loaded as loaded_process
from tests.released import draw_state, write_released

QUERY = "afloc.text_encoder.model.encoder.layer.2.attention.self.query.weight"


@pytest.fixture(scope="module")
def state():
    return draw_state()


@pytest.fixture(scope="module")
def loaded(released_checkpoint):
    return load_checkpoint(released_checkpoint)


def refusal(source) -> str:
    with pytest.raises(ModelError) as caught:
        load_checkpoint(source)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


def rewrite_pickle(checkpoint, path, pickled: bytes):
    """A copy of a checkpoint with another data.pkl."""
    with zipfile.ZipFile(checkpoint) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            target.writestr(info, pickled if info.filename.endswith("data.pkl") else source.read(info))
    return path


class Runs:
    """Pickled, a call of `function` when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_released_checkpoint(loaded):
    config = loaded.config
    assert (config.name, config.version, config.released) == ("afloc_random", "step 1234", True)
    assert (config.max_tokens, config.embedding_dim, config.last_n_layers) == (97, 96, 4)
    assert (config.temp1, config.temp2, config.temp3) == (4.0, 5.0, 10.0)
    assert config.modalities == ("chest_xray",)
    assert not loaded.network.training


def test_every_tensor_lands_under_its_name(loaded, state):
    for name, tensor in loaded.network.state_dict().items():
        assert torch.equal(tensor, state["afloc." + released_name(name)]), name


def test_code_in_a_checkpoint_is_not_run(tmp_path, state, loaded):
    witness = tmp_path / "witness"
    write_released(
        tmp_path / "evil.ckpt",
        state,
        callbacks=[Runs(os.mkdir, str(witness)), Runs(eval, f"__import__('os').mkdir({str(witness)!r})")],
        optimizer_states=Runs(exec, f"open({str(witness)!r}, 'w')"),
    )
    evil = load_checkpoint(tmp_path / "evil.ckpt")
    assert not witness.exists()
    for ours, theirs in zip(
        evil.network.state_dict().values(), loaded.network.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_code_in_place_of_a_tensor_is_refused_and_not_run(tmp_path, state):
    witness = tmp_path / "witness"
    path = write_released(tmp_path / "evil.ckpt", state | {QUERY: Runs(os.mkdir, str(witness))})
    assert QUERY in refusal(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        pickle.dumps(Runs(os.getcwd)),
        pickle.dumps({"state_dict": Runs(os.getcwd), "hyper_parameters": {}}),
        b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a memo index of 2^31
        b"\x80\x02" + b"(" * 200_000 + b"t" * 200_000 + b".",  # nested 200,000 deep
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x05\x8e\xff\xff\xff\xff\xff\xff\xff\x00",  # bytes longer than the file
        b"",
        b"nonsense",
    ],
)
def test_hostile_pickles_are_refused(tmp_path, released_checkpoint, pickled):
    refusal(rewrite_pickle(released_checkpoint, tmp_path / "hostile.ckpt", pickled))


def test_what_a_pickle_does_to_our_classes_ends_with_it(tmp_path, released_checkpoint):
    # BUILD with a slot state sets attributes of whatever a name leads to.
    rebuild = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x0c\x00\x00\x00__defaults__)s\x86b."
    record = b"\x80\x02cos\nsystem\nN}X\x05\x00\x00\x00stateK\x01s\x86b."
    for pickled in (rebuild, record):
        refusal(rewrite_pickle(released_checkpoint, tmp_path / "hostile.ckpt", pickled))
    load_checkpoint(released_checkpoint)


@pytest.mark.parametrize("share", [0.2, 0.7, 0.999])
def test_truncated(tmp_path, released_checkpoint, share):
    data = released_checkpoint.read_bytes()
    path = tmp_path / "short.ckpt"
    path.write_bytes(data[: int(len(data) * share)])
    assert "short.ckpt is cut short or damaged" in refusal(path)


def test_flipped_bits_are_noticed(tmp_path, released_checkpoint):
    data = bytearray(released_checkpoint.read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "flipped.ckpt").write_bytes(data)
    shutil.copytree(released_checkpoint.parent / "bert", tmp_path / "bert")
    assert "damaged" in refusal(tmp_path / "flipped.ckpt")


def test_missing_tensor_is_named(tmp_path, state):
    path = write_released(tmp_path / "a.ckpt", {k: v for k, v in state.items() if k != QUERY})
    assert refusal(path) == f"a.ckpt lacks the tensor {QUERY}."


def test_misshapen_tensor_is_named(tmp_path, state):
    path = write_released(tmp_path / "a.ckpt", state | {QUERY: torch.zeros(96, 95)})
    assert QUERY in (sentence := refusal(path))
    assert "96 x 95" in sentence and "96 x 96" in sentence


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.ckpt", b"not a checkpoint"),
        ("empty.ckpt", b""),
        ("image.ckpt", b"\x89PNG\r\n\x1a\n" + bytes(64)),
    ],
)
def test_what_is_no_checkpoint(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert refusal(tmp_path / name) == f"{name} is no PyTorch checkpoint."


def test_other_files_of_torch_and_zip(tmp_path):
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    assert "no checkpoint of AFLoc" in refusal(tmp_path / "other.pt")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    assert "no data.pkl" in refusal(tmp_path / "archive.zip")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"a": 1}))
    assert "is a pickle but no PyTorch checkpoint" in refusal(tmp_path / "plain.pkl")
    assert "no model at" in refusal(tmp_path / "absent.ckpt")


def test_compressed_container_is_refused(tmp_path):
    # 200 MB of zeros in a file of 200 KB
    with zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(200_000_000))
    assert "compressed" in refusal(tmp_path / "bomb.ckpt")


def test_storage_of_another_size_than_said(tmp_path, released_checkpoint):
    shutil.copytree(released_checkpoint.parent / "bert", tmp_path / "bert")
    with zipfile.ZipFile(released_checkpoint) as source, zipfile.ZipFile(tmp_path / "a.ckpt", "w") as target:
        for info in source.infolist():
            data = source.read(info)
            target.writestr(info, data[:-4] if info.filename.endswith("/data/0") else data)
    assert "damaged" in refusal(tmp_path / "a.ckpt")


def test_legacy_container(tmp_path, state, loaded):
    path = write_released(tmp_path / "old.ckpt", state, zipped=False)
    old = load_checkpoint(path)
    for ours, theirs in zip(
        old.network.state_dict().values(), loaded.network.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)
    data = path.read_bytes()
    for share in (0.0001, 0.001, 0.5, 0.9999):
        (tmp_path / "short.ckpt").write_bytes(data[: int(len(data) * share)])
        assert "damaged" in refusal(tmp_path / "short.ckpt")


def test_text_encoder_that_is_nowhere(tmp_path, state, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    path = write_released(tmp_path / "a.ckpt", state, bert="afloc-tests/no-such-encoder")
    shutil.rmtree(tmp_path / "bert")
    assert "cannot be reached" in (sentence := refusal(path)) and "bert" in sentence
    path = write_released(tmp_path / "a.ckpt", state, bert="/no/such/folder")
    shutil.rmtree(tmp_path / "bert")
    assert "neither a folder here nor a name on the hub" in refusal(path)
    assert "cannot be reached" in refusal("hf:afloc-tests/no-such-model")


def test_convert_changes_nothing_in_what_is_computed(tmp_path, released_checkpoint, loaded):
    convert(released_checkpoint, tmp_path / "folder")
    assert sorted(p.name for p in (tmp_path / "folder").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert load_checkpoint(tmp_path / "folder").fingerprint == loaded.fingerprint
    with pytest.raises(ModelError, match="not empty"):
        convert(released_checkpoint, tmp_path / "folder")


def test_half_precision_folder_is_loaded_as_float32(tmp_path, small_folder):
    small = load_checkpoint(small_folder)
    write_folder(tmp_path / "half", small.network, small.tokenizer, "", half=True)
    half = load_checkpoint(tmp_path / "half")
    assert (tmp_path / "half/model.safetensors").stat().st_size < 0.6 * (
        small_folder / "model.safetensors"
    ).stat().st_size
    for ours, theirs in zip(half.network.parameters(), small.network.parameters(), strict=True):
        assert ours.dtype == torch.float32
        assert torch.allclose(ours, theirs, atol=1e-3)
    assert half.fingerprint != small.fingerprint


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_folder_with_a_file_missing_or_broken(tmp_path, small_folder, name):
    shutil.copytree(small_folder, tmp_path / "model")
    path = tmp_path / "model" / name
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    refusal(tmp_path / "model")
    path.unlink()
    assert name in refusal(tmp_path / "model")


def test_folder_with_a_tensor_missing_or_misshapen(tmp_path, small_folder):
    shutil.copytree(small_folder, tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    tensors = load_file(path)
    name = "image_encoders.chest_xray.deep_projection.weight"
    save_file(tensors | {name: torch.zeros(3, 3)}, path)
    assert name in refusal(tmp_path / "model")
    del tensors[name]
    save_file(tensors, path)
    assert f"lacks the tensor {name}" in refusal(tmp_path / "model")


def lose_file(folder: Path) -> None:
    """Load a model, then overwrite its weights and cut them off."""
    weights = folder / "model.safetensors"
    loaded = load_checkpoint(folder)
    before = loaded.fingerprint
    with open(weights, "r+b") as file:
        file.seek(100_000)
        file.write(bytes(200_000))
    assert loaded.fingerprint == before
    os.truncate(weights, 1000)
    assert loaded.fingerprint == before


@pytest.mark.parametrize("half", [False, True])
def test_what_becomes_of_the_file_later_changes_no_weight(tmp_path, small_folder, half):
    """In a process of its own: one that has a file mapped ends where the file is cut."""
    small = load_checkpoint(small_folder)
    write_folder(tmp_path, small.network, small.tokenizer, "", half=half)
    loaded_process.run(lose_file, tmp_path)
