import json
import math
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from afloc import DescriptionError, ModelError, SettingsError, load_model
from afloc.imaging.examples import EXAMPLES
from afloc.imaging.geometry import area_resize
from afloc.imaging.image import image_from_array, make_image
from afloc.inference.cache import ByteCache
from afloc.inference.modality import recognise_modality
from afloc.inference.model import TENSOR_BYTES
from afloc.text import normalise_text


def film(seed: int = 0, height: int = 120, width: int = 90):
    return image_from_array(np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8))


@pytest.fixture
def view(small_model):
    return small_model.encode(film())


def test_finding(small_model):
    image = EXAMPLES[0].load()
    finding = small_model.encode(image).locate("pleural effusion")
    assert finding.text == "pleural effusion"
    assert finding.heatmap.shape == (image.height, image.width) and finding.heatmap.dtype == np.float32
    assert finding.grid.dtype == np.float32
    assert finding.heatmap.min() >= 0 and finding.heatmap.max() <= 1
    assert 0 <= finding.score <= 1 and 0 <= finding.probability <= 1
    assert finding.present == (finding.probability >= 0.5)
    assert finding.warning is None
    for region in finding.regions(float(np.median(finding.heatmap))):
        assert region.x >= 0 and region.x + region.width <= image.width
        assert region.y >= 0 and region.y + region.height <= image.height


def test_grid_covers_the_image_and_not_the_letterbox(view):
    assert view.locate("effusion").grid.shape == (12, 9)  # cells of 8 pixels: 96 x 72 of the square of 96


def test_pixels_that_are_not_square(small_model):
    """The model sees the right shape; the map is that of the image as read."""
    whole = area_resize(np.random.default_rng(3).integers(0, 256, (8, 6), np.uint8), 120, 90)
    flat = make_image(area_resize(whole, 60, 90), aspect=2.0)
    found, wanted = (
        small_model.encode(image, modality="chest_xray").locate("effusion")
        for image in (flat, image_from_array(whole))
    )
    assert found.heatmap.shape == (60, 90)
    assert np.abs(found.grid - wanted.grid).max() < 0.05 and abs(found.score - wanted.score) < 0.01


def test_a_modality_may_have_a_size_of_its_own(small_model):
    image = image_from_array(np.random.default_rng(0).integers(0, 256, (80, 80), np.uint8))
    for modality, cells in (("chest_xray", 96 // 8), ("fundus", 128 // 8)):
        assert small_model.encode(image, modality=modality).locate("effusion").grid.shape == (cells, cells)


def test_one_word_is_enough_to_make_a_difference(view):
    maps = [finding.grid for finding in view.locate_all(["cardiomegaly", "pneumothorax", "effusion"])]
    assert not np.allclose(maps[0], maps[1], atol=1e-4)
    assert not np.allclose(maps[1], maps[2], atol=1e-4)


def test_many_answers_are_those_of_one_question_each_in_order(view):
    texts = ["No pleural effusion. Heart is enlarged.", "effusion", "small nodule", "effusion"]
    together = view.locate_all(texts)
    assert [finding.text for finding in together] == texts
    for text, finding in zip(texts, together, strict=True):
        alone = view.locate(text)
        # a sum may be rounded otherwise where texts are encoded together
        assert finding.score == pytest.approx(alone.score, abs=1e-5)
        assert np.allclose(finding.grid, alone.grid, atol=1e-5)
    assert view.locate_all([]) == []


def test_a_score_is_of_the_whole_and_of_what_is_found_somewhere_but_for_what_is_denied(small_model):
    def logits(local):
        calibration = replace(small_model.calibration("chest_xray"), sentence_weight=local)
        small_model.config.calibration["chest_xray"] = calibration
        scores = [each.score for each in small_model.encode(film()).locate_all(["effusion", "no effusion"])]
        return np.log(scores) - np.log1p(-np.array(scores))

    whole, found, mixed = logits(0.0), logits(1.0), logits(0.25)
    assert abs(found[0] - whole[0]) > 1e-3
    assert mixed[0] == pytest.approx(0.75 * whole[0] + 0.25 * found[0], abs=1e-4)
    assert whole[1] == found[1] == mixed[1]


def test_answers_do_not_depend_on_what_was_asked_before(small_folder):
    texts = ["effusion", "no effusion", "left lung"]
    first = [load_model(small_folder, "cpu").encode(film()).locate(text).score for text in texts]
    model = load_model(small_folder, "cpu")
    second = [finding.score for finding in model.encode(film()).locate_all(texts)]
    assert first == pytest.approx(second, abs=1e-5)


@pytest.mark.parametrize("text", ["", "   ", "...", "—?!", "\n\t\x00", "\u200b\u00ad"])
def test_a_text_without_a_word_is_refused(view, text):
    with pytest.raises(DescriptionError) as caught:
        view.locate(text)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "text", ["2.5 cm", "épanchement", "胸腔积液", "X-ray", "EFFUSION", "a", "½", "\ud800 left lung"]
)
def test_any_word_number_or_script_is_answered(view, text):
    assert view.locate(text).heatmap.shape == (120, 90)


def test_text_keeps_what_means_something():
    assert (
        normalise_text(" Left\n2.5 ㎝ nodule,\tépanchement \x07post-op ")
        == "Left 2.5 cm nodule, épanchement post-op"
    )
    assert normalise_text("pneumo\u00adthorax e\u0301panchement") == "pneumothorax épanchement"


def test_warnings(small_model, view):
    assert "only its first 22 word pieces" in view.locate("left lung " * 50).warning
    assert "none of these words" in view.locate("胸").warning
    histology = small_model.encode(film(), modality="histopathology")
    assert "not trained on histopathology" in histology.locate("tumor").warning


def test_modality_and_protocol_must_exist(small_model):
    with pytest.raises(SettingsError, match="ultrasound"):
        small_model.encode(film(), modality="ultrasound")
    with pytest.raises(SettingsError, match="papers"):
        small_model.encode(film(), protocol="papers")
    with pytest.raises(SettingsError, match="tpu"):
        load_model(None, "tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_a_gpu_that_is_not_there_is_refused(small_folder):
    with pytest.raises(SettingsError, match="no GPU"):
        load_model(small_folder, "cuda")


def count_calls(owner, name, calls):
    real = getattr(owner, name)
    setattr(owner, name, lambda *arguments: calls.append(1) or real(*arguments))


def test_the_same_image_is_encoded_once(small_model):
    calls = []
    count_calls(small_model.encoders, "encode_images", calls)
    first = small_model.encode(film()).locate("effusion")
    again = small_model.encode(film()).locate("effusion")
    assert len(calls) == 1 and np.array_equal(first.grid, again.grid)
    small_model.encode(film(seed=1))
    assert len(calls) == 2


def test_the_same_text_is_encoded_once(small_model):
    calls = []
    count_calls(small_model.encoders, "encode_texts", calls)
    view = small_model.encode(film())
    view.locate("left  lung")
    view.locate(" left lung\n")
    assert len(calls) == 1


def test_threads_share_one_encoding_and_agree(small_model):
    calls, scores = [], []
    count_calls(small_model.encoders, "encode_images", calls)

    def ask():
        scores.append(small_model.encode(film()).locate("pleural effusion").score)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1 and len(scores) == 8 and len(set(scores)) == 1


def test_image_cache_keeps_to_its_budget(small_folder):
    one = 2 * (4 * 32 * (144 + 36 + 1) + 3 * TENSOR_BYTES)  # bytes of an image of this model, and its units
    model = load_model(small_folder, "cpu", image_cache_bytes=2 * one)
    for seed in range(4):
        model.encode(film(seed)).locate("effusion")  # what is worked out for it is counted, too
    assert len(model.images) == 2 and model.images.used == 2 * one


def test_cache_forgets_what_was_unused_longest():
    cache = ByteCache(10, len)
    for key in "ab":
        cache.put(key, "12345")
    cache.get("a")
    cache.put("c", "12345")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == ("12345", None, "12345")
    cache.put("d", "12345678901")  # larger than the budget
    assert cache.get("d") is None and cache.used == 10


def test_classify(view):
    from afloc.language.findings import load_findings

    entries = [entry for entry in load_findings("chest_xray").values() if not entry.normal]
    assert [finding.text for finding in view.classify()] == [entry.simple for entry in entries]
    named = view.classify([entries[0].name, "Something odd"])
    assert [finding.text for finding in named] == [entries[0].simple, "something odd"]


def test_modality_is_recognised_and_may_be_given(small_model):
    for example in EXAMPLES:
        assert recognise_modality(example.load()) == example.modality
    assert small_model.encode(film()).modality == "chest_xray"
    assert small_model.encode(film(), modality="fundus").modality == "fundus"


@pytest.fixture(
    params=["1.output.LayerNorm.bias", "deep_projection", "shallow_projection", "global_projection"]
)
def broken_model(request, small_folder, tmp_path):
    """The small model with one weight that is no number."""
    folder = shutil.copytree(small_folder, tmp_path / "broken")
    weights = load_file(folder / "model.safetensors")
    next(each for name, each in weights.items() if request.param in name).view(-1)[0] = math.nan
    save_file(weights, folder / "model.safetensors")
    return load_model(folder, "cpu")


@pytest.mark.parametrize("protocol", ["native", "paper"])
def test_what_is_no_number_is_an_error_and_no_answer(broken_model, protocol):
    for ask in (lambda view: view.locate_all(["effusion", "left lung"]), lambda view: view.classify()):
        with pytest.raises(ModelError, match=r"^The model computed [^\n]+\.$"):
            ask(broken_model.encode(film(), "chest_xray", protocol))


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
@pytest.mark.parametrize("name", ["slope", "intercept"])
def test_a_calibration_that_is_no_number_is_refused(small_folder, tmp_path, name, value):
    folder = shutil.copytree(small_folder, tmp_path / "broken")
    config = json.loads((folder / "config.json").read_text())
    config["calibration"]["chest_xray"]["presence"]["other"][name] = float(value)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="config.json"):
        load_model(folder, "cpu")


def test_only_the_margin_of_a_published_map_is_no_number(small_model):
    views = (small_model.encode(film(), "chest_xray", protocol) for protocol in ("paper", "native"))
    paper, native = (view.locate("left lung") for view in views)
    assert np.isnan(paper.grid).sum() == 224**2 - 196**2 and np.isfinite(native.grid).all()
    for finding in (paper, native):
        hurt = finding.grid.copy()
        hurt[hurt.shape[0] // 2, hurt.shape[1] // 2] = math.nan
        for change in ({"grid": hurt}, {"score": math.nan}, {"score": -math.inf}, {"probability": math.nan}):
            with pytest.raises(ModelError):
                replace(finding, **change)
