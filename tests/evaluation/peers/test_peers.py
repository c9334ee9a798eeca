"""Peers as tiny random models built from their configs: transformers' real code, meaningless answers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.nn import functional
from transformers import (
    BertConfig,
    CLIPConfig,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    ViTConfig,
)

from afloc import read_image
from afloc.cli.main import main
from afloc.errors import ModelError
from afloc.evaluation.peers.load import load_any
from afloc.imaging.geometry import Letterbox
from tests.evaluation.sets import write_set
from tests.released import REFERENCE

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *["is", "present", "in", "the", "lung", "pleural", "effusion", "nodule", "normal", "chest"],
]
TEXT = {
    "vocab_size": len(WORDS),
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 16,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 64,
    "patch_size": 16,
}


def clip():
    ends = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    return CLIPModel(CLIPConfig(text_config=TEXT | ends, vision_config=VISION, projection_dim=24))


def siglip():
    text = TEXT | {"projection_size": 32, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    return SiglipModel(SiglipConfig(text_config=text, vision_config=VISION))


def dual():
    vision, text = ViTConfig(**VISION), BertConfig(**TEXT)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(vision, text, projection_dim=24)
    return VisionTextDualEncoderModel(config)


MODELS = {"clip": clip, "siglip": siglip, "dual": dual}


@pytest.fixture(scope="module", params=MODELS)
def folder(request, tmp_path_factory):
    return write_peer(tmp_path_factory.mktemp(request.param), MODELS[request.param])


def write_peer(path, build):
    torch.manual_seed(0)
    build().eval().save_pretrained(path)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    fast.save_pretrained(path)
    said = {"image_mean": [0.4] * 3, "image_std": [0.2] * 3, "size": {"height": 64, "width": 64}}
    (path / "preprocessor_config.json").write_text(json.dumps(said))
    return path


def test_a_peer_answers_as_a_model_does(folder):
    peer = load_any(folder, "cpu")
    image = read_image(REFERENCE / "images" / "pattern_3.png")  # 150 x 301
    view = peer.encode(image)
    assert view.modality == "chest_xray" and len(peer.fingerprint) == 12
    findings = view.locate_all(["pleural effusion is present", "nodule", "pleural effusion is present"])
    for finding in findings:
        assert finding.heatmap.shape == (301, 150) and finding.heatmap.dtype == np.float32
        assert 0 <= finding.heatmap.min() < finding.heatmap.max() <= 1 and 0 <= finding.score <= 1
        assert finding.probability is None and finding.present is None
    assert np.array_equal(findings[0].grid, findings[2].grid)
    assert findings[0].score != findings[1].score
    alone = load_any(folder, "cpu").encode(image).locate("nodule")
    np.testing.assert_allclose(alone.grid, findings[1].grid, atol=1e-5)  # padding changes nothing
    if Path("/proc/self/maps").is_file():  # a mapped file that changes would change the answers
        assert str(folder) not in Path("/proc/self/maps").read_text()
    published = peer.encode(image, protocol="paper").locate("nodule")
    assert published.heatmap.shape == (224, 224) and np.nanmax(published.heatmap) == 1


def test_score_and_map_are_cosines_of_what_transformers_computes(folder):
    peer = load_any(folder, "cpu")
    image = read_image(REFERENCE / "images" / "pattern_2.png")  # 224 x 224
    view = peer.encode(image)
    finding = view.locate("pleural effusion")
    square = Letterbox.fit(224, 224, 64).image(image.gray())
    pixels = torch.from_numpy((square / np.float32(255) - 0.4) / 0.2).float().expand(1, 3, 64, 64)
    ids = [2, WORDS.index("pleural"), WORDS.index("effusion"), 3]
    ids = ids + [0] * (12 if peer.kind == "siglip" else 0)  # SigLIP reads its padding
    with torch.inference_mode():
        output = peer.network(input_ids=torch.tensor([ids]), pixel_values=pixels)
    cosine = float(output.image_embeds[0] @ output.text_embeds[0])
    assert finding.score == pytest.approx((cosine + 1) / 2, abs=1e-5)
    assert finding.grid.shape == (4, 4) and view.patches.shape[0] == output.text_embeds.shape[1]
    # [CLS] goes the way of the patches to the pooled vector.
    if peer.kind != "siglip":
        hidden = output.vision_model_output.last_hidden_state
        with torch.inference_mode():
            moved = peer._project(torch.cat([hidden[:, :1], hidden[:, :1].expand(-1, 16, -1)], 1))
        expected = functional.normalize(moved[0, :, 0, 0], dim=0)
        np.testing.assert_allclose(expected, output.image_embeds[0], atol=1e-5)


def test_a_peer_beside_our_model_is_one_command(small_folder, tmp_path, capsys):
    table, peer = write_set(tmp_path / "set", images=21), write_peer(tmp_path / "peer", clip)
    command = ["evaluate", table, "--model", small_folder, "--model", peer, "--out", tmp_path / "out"]
    assert main([str(each) for each in command]) == 0
    (found,) = json.loads((tmp_path / "out" / "comparison.json").read_text()).values()
    assert found["n_cases"] == 21 and len(found["overall"]["all"]["iou"]["ci95"]) == 2
    folders = sorted(path for path in (tmp_path / "out").iterdir() if path.is_dir())
    ours, theirs = (json.loads((path / "summary.json").read_text()) for path in folders)
    less = theirs["mean"]["cnr"] - ours["mean"]["cnr"]
    assert found["overall"]["all"]["cnr"]["mean"] == pytest.approx(less, abs=1e-5)
    assert "data:image/svg+xml" in (tmp_path / "out" / "figures.html").read_text()
    assert "less small" in capsys.readouterr().out


def test_what_is_no_peer_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "blip"}')
    with pytest.raises(ModelError, match="'blip' are not read"):
        load_any(tmp_path, "cpu")
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(ModelError, match="transformers cannot load"):
        load_any(tmp_path, "cpu")
