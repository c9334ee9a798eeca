import numpy as np
import pytest
import torch

from afloc.model.efficientnet import InvertedResidual
from afloc.model.files.checkpoint import load_checkpoint
from afloc.model.image_encoder import build_backbone, normalise


@pytest.fixture(scope="module")
def small(small_folder):
    return load_checkpoint(small_folder)


def test_image_feature_shapes(small):
    features = small.network.encode_images(torch.zeros(2, 3, 96, 96), "fundus")
    assert features.shallow.shape == (2, 32, 12, 12)
    assert features.deep.shape == (2, 32, 6, 6)
    assert features.global_.shape == (2, 32)


def test_compact_backbone_has_the_same_interface():
    backbone = build_backbone("efficientnet_lite0", {}).eval()
    with torch.inference_mode():
        shallow, deep, pooled = backbone(torch.zeros(1, 3, 64, 64))
    assert shallow.shape == (1, backbone.shallow_channels, 8, 8)
    assert deep.shape == (1, backbone.deep_channels, 4, 4)
    assert pooled.shape == (1, backbone.global_channels)


def test_with_a_grid_it_ends_at_the_same_deep_map():
    whole, short = (
        build_backbone("efficientnet_lite0", {}).eval(),
        build_backbone("efficientnet_lite0", {}, 2),
    )
    first = {f"head.{name}": value for name, value in whole.stages[5][0].expand.state_dict().items()}
    short.eval().load_state_dict(
        {n: v for n, v in (whole.state_dict() | first).items() if n in short.state_dict()}
    )
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        (*maps, _), (*same, pooled) = whole(x), short(x)
    assert all(torch.equal(one, other) for one, other in zip(maps, same, strict=True))
    corner = pooled.view(short.deep_channels, 2, 2)[:, 0, 1]
    assert torch.allclose(corner, same[1][0, :, :3, 1:].mean((1, 2)), atol=1e-6)
    assert pooled.shape == (1, short.global_channels)


def test_a_block_is_left_out_in_training_only():
    block = InvertedResidual(4, 4, 3, 1, 6, late_phase=False)
    block.kept = torch.tensor([0.0, 2.0]).view(-1, 1, 1, 1)
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        trained = (block.train()(x) - x).abs().amax((1, 2, 3))
        used = (block.eval()(x) - x).abs().amax((1, 2, 3))
    assert trained[0] == 0 and trained[1] > 0 and (used > 0).all()


def test_normalise():
    gray = np.array([[[0, 127], [128, 255]]], np.uint8)
    assert normalise(gray, "half")[0, 1].flatten().tolist() == pytest.approx(
        [-1, -1 / 255, 1 / 255, 1], abs=1e-6
    )
    assert normalise(gray, "lite")[0, 2].flatten().tolist() == [-127 / 128, 0, 1 / 128, 1]
    colour = np.zeros((1, 2, 2, 3), np.uint8)
    colour[..., 0] = 255
    assert normalise(colour, "half")[0, :, 0, 0].tolist() == [1, -1, -1]


def test_words_and_sentences_of_a_text(small):
    tokens = small.tokenizer("No cardiomegaly. Small 2.5 cm nodule.")
    # [CLS] no cardiomegaly . small 2 . 5 cm nodule . [SEP]; "cardio", "##megaly" are one word
    assert tokens.word_count == 12
    assert tokens.words[2] == tokens.words[3] == 2
    assert tokens.sentences == ((1, 3), (4, 10))
    assert not tokens.cut


def test_too_long_a_text_is_cut(small):
    tokens = small.tokenizer("left lung " * 50)
    assert tokens.cut and len(tokens.ids) == 24 and tokens.ids[-1] == small.tokenizer("").ids[-1]


def test_a_text_means_the_same_alone_and_beside_a_longer_one(small):
    short, long = (
        small.tokenizer("small effusion"),
        small.tokenizer("No cardiomegaly. The left lung is clear."),
    )
    with torch.inference_mode():
        alone = small.network.encode_texts([short])
        both = small.network.encode_texts([short, long])
    count = short.word_count
    assert torch.allclose(alone.report, both.report[:1], atol=1e-5)
    assert torch.allclose(alone.words, both.words[:1, :, :count], atol=1e-5)
    assert torch.allclose(alone.sentences, both.sentences[:1, :, :3], atol=1e-5)
    assert both.words[0, :, count:].abs().max() == 0
    assert both.word_mask.sum(1).tolist() == [count, long.word_count]
    assert both.sentence_mask.sum(1).tolist() == [3, 4]


def test_sentences_are_means_of_their_words_and_the_report_of_all_slots(small):
    tokens = small.tokenizer("No cardiomegaly. Left lung clear.")
    with torch.inference_mode():
        features = small.network.encode_texts([tokens])
    words, sentences = features.words[0], features.sentences[0]
    assert torch.allclose(sentences[:, 0], words[:, 0], atol=1e-6)
    assert torch.allclose(sentences[:, 1], words[:, 1:3].mean(1), atol=1e-5)
    assert torch.allclose(sentences[:, 2], words[:, 4:7].mean(1), atol=1e-5)
    assert torch.allclose(sentences[:, 3], words[:, -1], atol=1e-6)
    assert torch.allclose(features.report[0], words.sum(1) / 24, atol=1e-5)
