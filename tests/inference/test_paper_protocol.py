"""Protocol `paper` computes what the released code computes."""

import json
from dataclasses import fields

import numpy as np
import pytest
import torch

from afloc import load_model, read_image
from afloc.evaluation.metrics import cnr, iou
from afloc.imaging.geometry import Letterbox
from afloc.imaging.image import image_from_array
from afloc.inference import paper_protocol as paper
from afloc.model.image_encoder import ImageFeatures
from tests.released import REFERENCE

EXPECTED = json.loads((REFERENCE / "expected.json").read_text())
VECTORS = np.load(REFERENCE / "expected.npz")
PROMPTS = EXPECTED["prompts"]
NAMES = [name.removesuffix(".png") for name in EXPECTED["images"]]
OPENCV_7X7 = [
    [0, 4, 17, 26, 34, 47, 51],
    [17, 21, 34, 42, 51, 64, 68],
    [68, 72, 85, 94, 102, 115, 119],
    [102, 106, 119, 128, 136, 149, 153],
    [136, 140, 153, 162, 170, 183, 187],
    [187, 191, 204, 212, 221, 234, 238],
    [204, 208, 221, 230, 238, 251, 255],
]
ROWS = [row for row in EXPECTED["rows"] if "image" in row]


@pytest.fixture(scope="module")
def model(released_checkpoint):
    return load_model(released_checkpoint, "cpu")


@pytest.fixture(scope="module")
def images():
    return {name: read_image(REFERENCE / "images" / f"{name}.png") for name in NAMES}


@pytest.fixture(scope="module")
def image_features(model, images):
    return {name: model.encode(images[name], protocol="paper")._features for name in NAMES}


def assert_close(ours, expected):
    """Within 1e-3 of the largest absolute value."""
    expected = np.asarray(expected, np.float32)
    assert ours.shape == expected.shape
    assert np.abs(ours.numpy() - expected).max() <= 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("name", NAMES)
def test_image_embeddings(image_features, name):
    features = image_features[name]
    assert_close(features.deep[0], VECTORS[f"image/{name}/deep_local"])
    assert_close(features.shallow[0], VECTORS[f"image/{name}/shallow_local"])
    assert_close(features.global_[0], VECTORS[f"image/{name}/global"])


@pytest.mark.parametrize("number", range(len(PROMPTS)))
def test_text_embeddings(model, number):
    tokens, warning = model.read_paper_text(PROMPTS[number])
    ids = VECTORS[f"text/{number}/ids"]
    assert warning is None
    assert list(tokens.ids) == ids[ids != 0].tolist()
    (features,) = model.encode_texts([tokens])
    for level in ("words", "sentences", "report"):
        assert_close(getattr(features, level)[0], VECTORS[f"text/{number}/{level}"])


@pytest.mark.parametrize("name", NAMES)
def test_heatmaps_scores_and_metrics(model, images, name):
    image = images[name]
    findings = model.encode(image, protocol="paper").locate_all(PROMPTS)
    letterbox = Letterbox.paper(image.height, image.width)
    for row in (row for row in ROWS if row["image"] == name):
        finding = findings[row["prompt"]]
        heatmap = VECTORS[f"heatmap/{name}/{row['prompt']}"]
        assert np.array_equal(np.isnan(finding.heatmap), np.isnan(heatmap))
        assert np.nanmax(np.abs(finding.heatmap - heatmap)) <= 0.003
        assert finding.score == pytest.approx(row["global_cosine"], abs=1e-4)
        box = letterbox.paper_box(row["box_xywh"])
        assert list(box) == row["box_model"]
        mask = paper.box_mask(box)
        assert cnr(finding.heatmap, mask) == pytest.approx(row["cnr"], abs=1e-3)
        for threshold, expected in row["iou"].items():
            assert iou(finding.heatmap, mask, float(threshold)) == pytest.approx(expected, abs=1e-3)


def test_losses(model, image_features):
    count = EXPECTED["loss_batch_size"]
    batch = ImageFeatures(
        *(
            torch.cat([getattr(image_features[name], part.name) for name in NAMES[:count]])
            for part in fields(ImageFeatures)
        )
    )
    texts = [model.read_paper_text(prompt)[0] for prompt in PROMPTS[:count]]
    with torch.inference_mode():
        loss = model.network.loss(batch, model.network.encode_texts(texts))
    expected = EXPECTED["losses"]
    assert loss.total.item() == pytest.approx(expected["loss"], rel=1e-4)
    assert loss.report.item() == pytest.approx(expected["global_report_loss"], rel=1e-4)
    assert loss.sentence.item() == pytest.approx(expected["local_sent_loss"], rel=1e-4)
    assert loss.word.item() == pytest.approx(expected["local_word_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Findings suggesting pneumonia.", "findings suggesting pneumonia"),
        ("cardiomegaly", ""),
        ("Cardiomegaly. Small effusion.", "small effusion"),
        ("2.5 cm nodule", "5 cm nodule"),
        ("épanchement pleural", "panchement pleural"),
        ("é pleural", "pleural"),  # two words when counted, one when left
        ("1. Large mass 2. small\nnodule", "large mass small nodule"),
        ("left-sided a_b, 10%", "left sided a_b 10"),
        ("胸腔 积液", ""),
        ("", ""),
    ],
)
def test_text_is_cleaned_as_the_released_code_does(text, cleaned):
    assert paper.clean_text(text) == cleaned


def test_dropped_text_is_the_empty_caption_with_a_warning(model, images):
    view = model.encode(images["pattern_2"], protocol="paper")
    one_word, another, empty, kept = view.locate_all(["cardiomegaly", "Effusion.", "", "small effusion"])
    assert np.array_equal(one_word.heatmap, empty.heatmap, equal_nan=True)
    assert np.array_equal(one_word.heatmap, another.heatmap, equal_nan=True)
    assert "drops every part" in one_word.warning
    assert kept.warning is None
    assert not np.array_equal(one_word.heatmap, kept.heatmap, equal_nan=True)


def test_text_beyond_the_limit_is_cut_and_said_so(model):
    long, warning = model.read_paper_text("left lung " * 100)
    longer, _ = model.read_paper_text("left lung " * 200)
    assert len(long.ids) == 97
    assert long == longer
    assert "95 word pieces" in warning


@pytest.mark.parametrize("side", [224, 299, 512])
def test_a_square_is_fitted_as_the_released_code_fits_it(side):
    # int(299 * (224 / 299)) is 223: the last column stays black.
    square = paper.prepare_image(image_from_array(np.full((side, side), 255, np.uint8)))
    assert np.count_nonzero(square[0]) == int(side * (224 / side))


def test_enlarging_rounds_as_opencv_does():
    pixels = np.arange(0, 256, 17, np.uint8).reshape(4, 4)
    enlarged = paper._enlarge(pixels, 7, 7)
    # cv2.resize(pixels, (7, 7), interpolation=cv2.INTER_AREA)
    assert enlarged.tolist() == OPENCV_7X7


def test_another_model_keeps_its_own_text_and_grid(small_model, images):
    view = small_model.encode(images["pattern_0"], protocol="paper")
    cardiomegaly, effusion, nothing = view.locate_all(["cardiomegaly", "effusion", "…"])
    assert cardiomegaly.heatmap.shape == (224, 224)
    assert np.nanmin(cardiomegaly.heatmap) == -1 and np.nanmax(cardiomegaly.heatmap) == 1
    assert (
        np.isnan(cardiomegaly.heatmap[:14]).all() and not np.isnan(cardiomegaly.heatmap[14:-14, 14:-14]).any()
    )
    assert not np.array_equal(cardiomegaly.heatmap, effusion.heatmap, equal_nan=True)
    assert nothing.heatmap.shape == (224, 224)


def test_regions_of_the_published_map_are_in_pixels_of_the_image(model, images):
    image = images["pattern_3"]  # 301 x 150, so a third of the square is padding
    (finding,) = model.encode(image, protocol="paper").locate_all(["left pleural effusion"])
    regions = finding.regions(0.0)
    assert regions
    for region in regions:
        assert region.x >= 0 and region.x + region.width <= image.width + 1e-6
        assert region.y >= 0 and region.y + region.height <= image.height + 1e-6
    assert finding.evidence().min() >= 0 and finding.evidence().max() <= 1
