"""Each word's own map, and the remarks on a description."""

import numpy as np
import pytest

from afloc.imaging.image import image_from_array
from afloc.language.reading import read
from afloc.language.words import is_known

CHEST = "chest_xray"
IMAGE = image_from_array(np.random.default_rng(0).integers(0, 256, (90, 60), np.uint8))


def test_the_words_maps_average_to_the_word_level(small_model):
    """The map of the words is the mean of their cosines: so are their logits' means."""
    from afloc.model.similarity import text_vectors, word_cosines

    view = small_model.encode(IMAGE)
    words = view.words(view.locate("Left pleural effusion, small."))
    assert [each.text for each in words] == ["Left", "pleural", "effusion", ",", "small", "."]
    logits = np.mean([np.log(each.grid / (1 - each.grid)) for each in words], axis=0)
    tokens, _ = small_model.read_text("Left pleural effusion, small.")
    vectors = text_vectors(small_model.encode_texts([tokens])[0])
    cosines = word_cosines(view._features, vectors)[0, 0].detach().numpy()
    rows, columns = logits.shape
    inner = cosines[:, (cosines.shape[1] - columns) // 2 :][:, :columns]
    assert np.corrcoef(logits.ravel(), inner.ravel())[0, 1] > 0.999
    whole = view.locate("Left pleural effusion, small.").grid
    assert words[0].grid.shape == whole.shape
    peak = np.unravel_index(whole.argmax(), whole.shape)
    assert [each.pull for each in words] == pytest.approx([float(each.grid[peak]) for each in words])


def test_the_paper_protocol_has_no_word_maps(small_model):
    view = small_model.encode(IMAGE, protocol="paper")
    assert view.words(view.locate("effusion")) == []


@pytest.mark.parametrize(
    "text, pieces, known",
    [
        ("effusion", 2, True),
        ("qwxz", 4, False),
        ("effuson", 4, False),
        ("👍", 0, False),
        ("subpulmonic", 5, True),
    ],
)
def test_a_word_is_known_by_its_pieces_or_from_the_lists(text, pieces, known):
    assert is_known(text, pieces) is known


@pytest.mark.parametrize(
    "description, part",
    [
        ("No pneumothorax.", "No pneumothorax."),
        ("Effusion, no pneumothorax", "Effusion, no pneumothorax"),
        ("Left effusion. The heart size is normal. No pneumothorax.", "Left effusion."),
        (
            "The heart is enlarged, the lungs are clear. Small nodule.",
            "The heart is enlarged. Small nodule.",
        ),
        ("Large effusion without pneumothorax.\nMass.", "Large effusion. Mass."),
        ("There is no effusion. The lungs are clear.", "There is no effusion. The lungs are clear."),
    ],
)
def test_a_map_is_of_what_a_report_affirms(small_model, description, part):
    assert read(description, CHEST).affirmed == part
    view = small_model.encode(IMAGE)
    whole, placed = view.locate_all([description, part])
    np.testing.assert_allclose(whole.grid, placed.grid, atol=1e-6)
    assert whole.text == description
    assert (abs(whole.score - placed.score) < 1e-6) is (description == part)
