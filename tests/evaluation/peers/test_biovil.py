"""BioViL-T as its published files lay it out, with drawn weights: a whole ResNet-50, a tiny CXR-BERT."""

import json
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from safetensors.torch import load_file, save_file
from scipy import ndimage
from torch.nn import functional
from transformers import BertConfig, BertForMaskedLM

from afloc import read_image
from afloc.errors import ModelError
from afloc.evaluation.peers import biovil_encoders as biovil
from afloc.evaluation.peers.load import load_any
from afloc.imaging.heatmap import enlarge
from afloc.imaging.image import Image
from tests.evaluation.peers.test_peers import TEXT, WORDS
from tests.evaluation.sets import write_set
from tests.hub import running_hub
from tests.released import REFERENCE, draw_tensor

VOCABULARY = [*WORDS, "[MASK]", "##s"]
SQUARES = ("attn.proj_q", "attn.proj_k", "attn.proj_v", "attn.proj", "mlp.fc1", "mlp.fc2")
LINES = ("attn.proj.bias", "mlp.fc1.bias", "mlp.fc2.bias")
LINES += ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias")
BLOCK = {f"{name}.weight": [256, 256] for name in SQUARES} | dict.fromkeys(LINES, [256])
BESIDE_RESNET = {
    "encoder.encoder.fc.weight": [1000, 2048],
    "encoder.encoder.fc.bias": [1000],
    "encoder.missing_previous_emb": [1, 256, 1, 1],
    "encoder.backbone_to_vit.weight": [256, 2048, 1, 1],
    "encoder.vit_pooler.type_embed": [2, 1, 256],
    **{f"encoder.vit_pooler.blocks.{n}.{name}": shape for n in range(3) for name, shape in BLOCK.items()},
    "encoder.vit_pooler.norm_post.weight": [256],
    "encoder.vit_pooler.norm_post.bias": [256],
    "projector.model.0.weight": [128, 512, 1, 1],
    **{f"projector.model.1.{leaf}": [128] for leaf in ("weight", "bias", "running_mean", "running_var")},
    "projector.model.1.num_batches_tracked": [],
    "projector.model.3.weight": [128, 128, 1, 1],
    "projector.model.3.bias": [128],
}


@pytest.fixture(scope="module")
def image_state():
    released = json.loads((REFERENCE / "official_shapes.json").read_text())
    theirs = "afloc.img_encoder.model."
    shapes = {
        "encoder.encoder." + name.removeprefix(theirs): shape
        for name, (shape, _) in released.items()
        if name.startswith(theirs)
    }
    shapes |= BESIDE_RESNET
    return OrderedDict((name, draw_tensor(name, shape, seed=4)) for name, shape in shapes.items())


@pytest.fixture(scope="module")
def folder(image_state, tmp_path_factory):
    path = tmp_path_factory.mktemp("biovil")
    config = TEXT | {"vocab_size": len(VOCABULARY), "model_type": "cxr-bert", "projection_size": 128}
    config |= {"architectures": ["CXRBertModel"], "auto_map": {"AutoModel": "modeling_cxrbert.CXRBertModel"}}
    config |= {"torch_dtype": "float32", "position_embedding_type": "absolute", "hidden_dropout_prob": 0.25}
    (path / "config.json").write_text(json.dumps(config))
    (path / "vocab.txt").write_text("\n".join(VOCABULARY))
    (path / "tokenizer_config.json").write_text(
        '{"do_lower_case": true, "tokenizer_class": "CXRBertTokenizer"}'
    )
    torch.manual_seed(0)
    text = BertForMaskedLM(BertConfig(**TEXT | {"vocab_size": len(VOCABULARY)})).state_dict()
    text = {  # the decoder shares the embeddings of the words
        name: draw_tensor(name, list(value.shape), seed=4)
        for name, value in text.items()
        if "decoder" not in name
    }
    width = TEXT["hidden_size"]
    head = {"dense_to_hidden.weight": [128, width], "dense_to_output.weight": [128, 128]}
    head |= {name: [128] for name in ("dense_to_hidden.bias", "dense_to_output.bias")}
    head |= {name: [128] for name in ("LayerNorm.weight", "LayerNorm.bias")}
    for name, shape in head.items():
        text[f"cls_projection_head.{name}"] = draw_tensor(name, shape, seed=4)
    text["bert.pooler.dense.weight"] = torch.zeros(width, width)  # in the published file, and not used
    save_file(text, path / "model.safetensors")
    torch.save(image_state, path / biovil.IMAGE_WEIGHTS)
    return path


@pytest.fixture(scope="module")
def peer(folder):
    return load_any(folder, "cpu")


def patches_by_hand(state, x):
    """The published network on pixels (1, 3, 448, 448), written out: (128, 14, 14)."""

    def convolve(x, name, stride=1):
        weight = state[f"{name}.weight"]
        return functional.conv2d(x, weight, state.get(f"{name}.bias"), stride, weight.shape[-1] // 2)

    def norm(x, name):
        leaves = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(state[f"{name}.{leaf}"] for leaf in leaves))

    x = norm(convolve(x, "encoder.encoder.conv1", 2), "encoder.encoder.bn1").relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for layer, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            at, stride = f"encoder.encoder.layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            y = norm(convolve(x, f"{at}.conv1"), f"{at}.bn1").relu()
            y = norm(convolve(y, f"{at}.conv2", stride), f"{at}.bn2").relu()
            y = norm(convolve(y, f"{at}.conv3"), f"{at}.bn3")
            if block == 0:
                x = norm(convolve(x, f"{at}.downsample.0", stride), f"{at}.downsample.1")
            x = (x + y).relu()
    x = convolve(x, "encoder.backbone_to_vit")
    x = torch.cat([x, state["encoder.missing_previous_emb"].expand(1, 256, 14, 14)], 1)
    x = norm(convolve(x, "projector.model.0"), "projector.model.1").relu()
    return convolve(x, "projector.model.3")[0]


def text_by_hand(folder, ids):
    """The projected [CLS] of one text, of length 1: (128,)."""
    state = load_file(folder / "model.safetensors")
    bert = BertForMaskedLM(BertConfig(**TEXT | {"vocab_size": len(VOCABULARY)})).eval()
    bert.load_state_dict(state, strict=False)
    x = bert(torch.tensor([ids]), output_hidden_states=True).hidden_states[-1][0, 0]
    prefix = "cls_projection_head."
    head = {name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)}
    x = functional.gelu(head["dense_to_hidden.weight"] @ x + head["dense_to_hidden.bias"])
    x = functional.layer_norm(x, (128,), head["LayerNorm.weight"], head["LayerNorm.bias"], 1e-12)
    return functional.normalize(head["dense_to_output.weight"] @ x + head["dense_to_output.bias"], dim=0)


def test_score_and_map_are_those_of_the_published_network(folder, peer, image_state):
    assert len(image_state) == 372  # as many as the published file holds
    image = read_image(REFERENCE / "images" / "pattern_3.png")  # 301 x 150
    view = peer.encode(image)
    finding = view.locate("Pleural effusions.")
    gray = image.gray().astype(float)
    gray = ((gray - gray.min()) / (gray.max() - gray.min()) * 255).astype(np.uint8)
    height = 512 * 301 // 150
    large = np.asarray(Pillow.fromarray(gray).resize((512, height), Pillow.Resampling.BILINEAR))
    top = round((height - 448) / 2)
    square = large[top : top + 448, 32:480]
    ids = [VOCABULARY.index(piece) for piece in ("[CLS]", "pleural", "effusion", "##s", "[SEP]")]
    with torch.inference_mode():
        pixels = torch.from_numpy(square / np.float32(255)).expand(1, 3, 448, 448)
        patches = patches_by_hand(image_state, pixels)
        text = text_by_hand(folder, ids)
        whole = functional.cosine_similarity(patches.mean((1, 2)), text, dim=0)
        cells = functional.cosine_similarity(patches, text[:, None, None], dim=0).numpy()
    assert finding.score == pytest.approx((float(whole) + 1) / 2, abs=1e-4)
    assert finding.probability is None and finding.present is None
    # The authors' way back: smoothed, enlarged to the square cut out of the image, which is half as wide.
    smooth = torch.from_numpy((ndimage.gaussian_filter(cells, 1.5) + 1) / 2)
    side, y, x = 448 * 150 // 512, round(top * 301 / height), round(32 * 150 / 512)
    laid = functional.interpolate(smooth[None, None], (side, side), mode="bilinear")[0, 0].numpy()
    assert finding.heatmap.shape == (301, 150)
    inside = (slice(3, -3), slice(3, -3))
    got = finding.heatmap[y : y + side, x : x + side]
    np.testing.assert_allclose(got[inside], laid[inside], atol=0.04 * np.ptp(laid))
    outside = np.concatenate([finding.heatmap[: y - 5].ravel(), finding.heatmap[:, : x - 5].ravel()])
    np.testing.assert_allclose(outside, finding.heatmap.min(), atol=1e-6)


def test_texts_together_are_as_alone_and_the_paper_protocol_sees_the_whole_film(peer):
    image = read_image(REFERENCE / "images" / "pattern_3.png")
    view = peer.encode(image)
    together = view.locate_all(["pleural effusion is present in the chest", "nodule"])[1]
    peer.texts.clear()
    alone = view.locate("nodule")
    np.testing.assert_allclose(alone.grid, together.grid, atol=1e-5)
    assert 0 <= alone.grid.min() < alone.grid.max() <= 1
    published = peer.encode(image, protocol="paper").locate("nodule")
    assert published.heatmap.shape == (224, 224) and np.nanmax(published.heatmap) == 1


def test_a_bright_patch_changes_what_is_seen_where_it_is(peer):
    def film(top=None, left=None):
        pixels = np.full((300, 480), 90, np.uint8)
        pixels[0, 0], pixels[-1, -1] = 0, 255
        if top is not None:
            pixels[top : top + 30, left : left + 30] = 255
        return Image(pixels, (0, 255))

    plain = peer.encode(film()).patches
    for top, left in ((60, 140), (20, 330)):
        change = 1 - (peer.encode(film(top, left)).patches * plain).sum(0).numpy()
        heatmap = enlarge(peer.lay_on_image(change, 300, 480), 300, 480)
        y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
        assert abs(y - top - 15) < 28 and abs(x - left - 15) < 28  # a cell and a half


def test_a_cell_lies_on_the_image_where_the_square_was_cut_out():
    cells = np.zeros((14, 14), np.float32)
    cells[3, 9] = 1
    heatmap = enlarge(biovil.lay_on_image(cells, 300, 480), 300, 480)
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    assert y + 0.5 == pytest.approx((32 + 3.5 * 32) * 300 / 512, abs=3)
    assert x + 0.5 == pytest.approx((186 + 9.5 * 32) * 480 / 819, abs=3)
    # However long a film is, nothing larger than it is ever made.
    assert biovil.crop(np.zeros((16, 1_000_000), np.uint8)).shape == (448, 448)
    assert biovil.lay_on_image(cells, 16, 100_000).size <= 16 * 100_000


@pytest.mark.parametrize("size", [(300, 480), (1024, 700), (448, 448)])
def test_the_square_is_cut_out_as_if_the_whole_film_were_resized(size):
    gray = np.random.default_rng(5).integers(0, 256, size, np.uint8)
    height, width = (512 * side // min(size) for side in size)
    top, left = round((height - 448) / 2), round((width - 448) / 2)
    large = np.asarray(Pillow.fromarray(gray).resize((width, height), Pillow.Resampling.BILINEAR), int)
    assert np.abs(biovil.crop(gray) - large[top : top + 448, left : left + 448]).max() <= 1
    stretched = biovil.stretch(gray // 2 + 20)
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert not biovil.stretch(np.full((4, 4), 7, np.uint8)).any()


def test_our_model_against_it_is_one_command_that_takes_no_code_from_the_hub(folder, small_folder, tmp_path):
    table, name = write_set(tmp_path / "set", images=2), "microsoft/BiomedVLP-BioViL-T"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    code = {"modeling_cxrbert.py": b"raise SystemExit", "pytorch_model.bin": b"a pickle"}
    command = [sys.executable, "-m", "afloc", "evaluate", table, "--no-figures", "--out", tmp_path / "out"]
    command += ["--model", small_folder, "--model", f"hf:{name}"]
    with running_hub() as hub:
        hub.repositories[name] = files | code
        own = hub.environment | {"HF_HOME": str(tmp_path / "hub")}
        done = subprocess.run(command, env=own, capture_output=True, text=True)
    assert done.returncode == 0 and f"{name} less small" in done.stdout, done.stderr
    assert hub.fetched == files.keys()
    (found,) = json.loads((tmp_path / "out" / "comparison.json").read_text()).values()
    assert found["n_cases"] == 3


def test_what_is_missing_is_named(folder, image_state, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)

    def refusal():
        with pytest.raises(ModelError) as caught:
            load_any(tmp_path, "cpu")
        return str(caught.value)

    def put(name, write):
        (tmp_path / name).unlink()
        write(tmp_path / name)

    for name in (biovil.IMAGE_WEIGHTS, "model.safetensors"):
        (tmp_path / name).unlink()
        assert f"has no {name}" in refusal()
        (tmp_path / name).symlink_to(folder / name)
    small = {name: value for name, value in image_state.items() if not name.startswith("encoder.encoder.l")}
    put(biovil.IMAGE_WEIGHTS, lambda path: torch.save(small, path))
    assert "lacks the tensor encoder.encoder.layer1.0" in refusal()
    wrong = image_state | {"projector.model.3.bias": torch.zeros(64)}
    put(biovil.IMAGE_WEIGHTS, lambda path: torch.save(wrong, path))
    assert "projector.model.3.bias" in refusal() and "64" in refusal()
    put(biovil.IMAGE_WEIGHTS, lambda path: path.write_bytes(b"not a checkpoint"))
    assert biovil.IMAGE_WEIGHTS in refusal()
    put(biovil.IMAGE_WEIGHTS, lambda path: path.symlink_to(folder / path.name))
    text = load_file(folder / "model.safetensors")
    del text["cls_projection_head.LayerNorm.bias"]
    put("model.safetensors", lambda path: save_file(text, path))
    assert "lacks the tensor cls_projection_head.LayerNorm.bias" in refusal()
    for size in ("wide", 30):  # 30 is not shared out among 12 heads
        wrong = json.dumps({"model_type": "cxr-bert", "hidden_size": size})
        put("config.json", lambda path, wrong=wrong: path.write_text(wrong))
        assert "config.json cannot be built" in refusal()
    put("config.json", lambda path: path.symlink_to(folder / path.name))
    (tmp_path / "vocab.txt").unlink()
    put("model.safetensors", lambda path: path.symlink_to(folder / path.name))
    assert "neither tokenizer.json nor vocab.txt" in refusal()
