"""What a map is asked by, how fine it is, and from how many sides an image is looked at."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from afloc.imaging.image import image_from_array
from afloc.inference.model import load_model
from afloc.language.findings import load_findings
from afloc.model.calibration import UNCALIBRATED, Calibration
from afloc.model.image_encoder import ImageFeatures, seen_turned

IMAGE = image_from_array(np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8))
# Sentences alone, and not smoothed: the logits of a map can be read from it.
PLAIN = replace(UNCALIBRATED, word_weight=0.0, smoothing=0.0)


@pytest.fixture
def located(small_model, monkeypatch):
    """located(text, calibration): the small model's answer under that calibration."""

    def locate(text: str, calibration: Calibration):
        monkeypatch.setattr(small_model, "calibration", lambda modality: calibration)
        return small_model.encode(IMAGE, "chest_xray").locate(text)

    return locate


def logits(found) -> np.ndarray:
    return np.log(found.grid / (1 - found.grid))


def test_a_description_is_asked_together_with_the_precise_sentence_of_its_finding(located):
    precise = load_findings("chest_xray")["pleural_effusion"].precise
    typed, listed = (located(text, PLAIN) for text in ("a small effusion", precise))
    for share in (0.25, 0.5):
        both = located("a small effusion", replace(PLAIN, precise_weight=share))
        assert logits(both) == pytest.approx((1 - share) * logits(typed) + share * logits(listed), abs=1e-3)
        assert (both.score, both.probability) == (typed.score, typed.probability)


@pytest.mark.parametrize(
    "text, findings",
    [
        ("no pleural effusion", ["pleural_effusion"]),
        ("Left effusion. No pneumothorax.", ["pleural_effusion"]),
        ("effusion and cardiomegaly", ["pleural_effusion", "cardiomegaly"]),
        ("a strange thing at the top", []),
        ("not a normal chest", []),
    ],
)
def test_the_findings_whose_place_the_map_shows_bring_their_sentences(located, text, findings):
    entries = load_findings("chest_xray")
    typed = located(text, PLAIN)
    expected = logits(typed)
    if findings:
        listed = [logits(located(entries[each].precise, PLAIN)) for each in findings]
        expected = (expected + np.mean(listed, axis=0)) / 2
    assert logits(located(text, replace(PLAIN, precise_weight=0.5))) == pytest.approx(expected, abs=1e-3)


def test_a_finer_map_has_more_cells_and_shows_the_same(located, small_model):
    coarse, fine = (located("effusion", replace(UNCALIBRATED, map_detail=detail)) for detail in (1, 2))
    assert fine.grid.shape == (2 * coarse.grid.shape[0], 2 * coarse.grid.shape[1])
    assert np.corrcoef(fine.heatmap.ravel(), coarse.heatmap.ravel())[0, 1] > 0.98
    (word,) = small_model.encode(IMAGE, "chest_xray").words(fine)
    row, column = np.unravel_index(fine.grid.argmax(), fine.grid.shape)
    assert word.pull == word.grid[row // 2, column // 2]


class Uneven(nn.Module):
    """An encoder that sees an image otherwise when it is turned: its filters lean to one side."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.shallow = nn.Conv2d(3, 8, 5, padding=2)
        self.deep = nn.Conv2d(8, 8, 2, stride=2)

    def forward(self, pixels: torch.Tensor) -> ImageFeatures:
        shallow = self.shallow(functional.avg_pool2d(pixels, 4)).tanh()
        deep = self.deep(shallow)
        return ImageFeatures(shallow, deep, deep.mean((2, 3)))


@torch.inference_mode()
def test_an_image_that_is_looked_at_from_all_sides_may_lie_as_it_likes():
    encoder, pixels = Uneven(), torch.randn(2, 3, 32, 32)
    upright, lying = (seen_turned(encoder, torch.rot90(pixels, turns, (2, 3))) for turns in (0, 1))
    for level in ("shallow", "deep"):
        expected = torch.rot90(getattr(upright, level), 1, (2, 3))
        torch.testing.assert_close(getattr(lying, level), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(lying.global_, upright.global_, atol=1e-5, rtol=0)
    assert (encoder(torch.rot90(pixels, 1, (2, 3))).global_ - encoder(pixels).global_).abs().max() > 0.01


def test_a_model_looks_from_all_sides_where_its_calibration_says_so(small_folder, monkeypatch):
    model = load_model(small_folder, "cpu", image_cache_bytes=0)
    turned = image_from_array(np.rot90(IMAGE.pixels).copy())
    apart = []
    for calibration in (PLAIN, replace(PLAIN, turned=True)):
        monkeypatch.setattr(model, "calibration", lambda modality, given=calibration: given)
        upright, lying = (
            model.encode(each, "chest_xray").locate("effusion").grid for each in (IMAGE, turned)
        )
        apart.append(np.abs(np.rot90(upright) - lying).max())
    assert apart[1] < 1e-4 < apart[0]
