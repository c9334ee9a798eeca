"""Where anatomy lets a finding lie: on the phantom, whose lungs are known, and in what a model answers."""

from dataclasses import replace

import numpy as np
import pytest

from afloc.imaging.chest_phantom import draw_chest_film
from afloc.imaging.geometry import Letterbox, area_resize
from afloc.imaging.image import Image, Orientation, image_from_array
from afloc.inference.anatomy import LEAST, Anatomy
from afloc.inference.picture import Picture
from afloc.inference.sides import balance
from afloc.language.reading import read
from afloc.model.calibration import OTHER, OperatingPoint, SideMargin

FILM = area_resize(draw_chest_film(), 320, 320)
PLACES = (np.arange(40) + 0.5) / 40


def anatomy(pixels: np.ndarray = FILM, modality: str = "chest_xray", **more) -> Anatomy:
    return Anatomy(Picture(image_from_array(pixels)), modality, **more)


def plausible(text: str, pixels: np.ndarray = FILM) -> np.ndarray | None:
    return anatomy(pixels).plausibility(read(text, "chest_xray").statements, PLACES, PLACES)


def center(found: np.ndarray) -> tuple[float, float]:
    """Centre of mass (x, y) of what is more plausible than the rest."""
    weights = found - found.min()
    return float((weights.sum(0) @ PLACES) / weights.sum()), float((weights.sum(1) @ PLACES) / weights.sum())


def test_it_is_one_at_the_most_plausible_place_and_nowhere_nothing():
    found = plausible("pneumothorax")
    assert found.max() == pytest.approx(1, abs=0.01) and LEAST <= found.min() < 2 * LEAST


def test_findings_lie_where_textbooks_say():
    x, y = center(plausible("cardiomegaly"))
    assert 0.5 < x < 0.65 and 0.5 < y < 0.75
    assert center(plausible("pneumothorax"))[1] < center(plausible("nodule"))[1] < 0.55
    assert center(plausible("pleural effusion"))[1] > 0.65


def test_a_side_and_a_zone_that_are_named_narrow_it():
    both, left, right = (plausible(f"{side}pleural effusion") for side in ("", "left ", "right "))
    assert center(left)[0] > 0.7 and center(right)[0] < 0.3 and 0.45 < center(both)[0] < 0.55
    assert plausible("bilateral pleural effusions") == pytest.approx(both)
    assert (
        center(plausible("consolidation in the left upper lobe"))[1] < center(plausible("consolidation"))[1]
    )


def test_several_findings_are_each_where_they_lie_and_a_denied_one_beside_them_does_not_count():
    effusion, heart = plausible("pleural effusion"), plausible("cardiomegaly")
    assert plausible("pleural effusion and cardiomegaly") == pytest.approx(np.maximum(effusion, heart))
    assert plausible("pleural effusion. No pneumothorax.") == pytest.approx(effusion)
    assert plausible("no pleural effusion") == pytest.approx(effusion), "its map is that of the finding"


@pytest.mark.parametrize(
    "text",
    [
        "hazy grey area behind the heart",
        "normal chest",
        "fracture",
        "heart",
        "qwertz",
        "effusion. A hazy area",
    ],
)
def test_free_text_and_what_lies_anywhere_have_none(text):
    assert plausible(text) is None


@pytest.mark.parametrize(
    "pixels",
    [255 - FILM, np.rot90(FILM).copy(), FILM[::-1].copy(), np.zeros_like(FILM)],
    ids=["inverted", "turned", "upside down", "black"],
)
def test_a_film_without_a_frame_to_be_trusted_has_none(pixels):
    assert anatomy(pixels).frame is None and plausible("pneumothorax", pixels) is None


def test_other_images_and_films_that_are_not_frontal_have_none():
    assert anatomy(modality="fundus").frame is None and anatomy(modality="histopathology").frame is None
    assert anatomy(usual=False).frame is None and anatomy().frame is not None
    assert anatomy(np.repeat(FILM[..., None], 3, 2)).frame == anatomy().frame, "three equal channels are gray"


def test_of_a_film_that_is_wider_than_high_it_lies_in_the_letterbox():
    wide = area_resize(FILM, 320, 480)
    letterbox = Letterbox.fit(320, 480, 240)
    statements = read("cardiomegaly", "chest_xray").statements
    square = anatomy(wide).log_odds(statements, letterbox, 48)
    on_image = np.log(anatomy(wide).plausibility(statements, PLACES, PLACES))
    assert square.max() <= 0
    cropped = letterbox.crop(square)
    row, column = np.unravel_index(cropped.argmax(), cropped.shape)
    expected = np.unravel_index(on_image.argmax(), on_image.shape)
    assert row / cropped.shape[0] == pytest.approx(expected[0] / 40, abs=0.06)
    assert column / cropped.shape[1] == pytest.approx(expected[1] / 40, abs=0.06)


@pytest.fixture
def weighed(small_model, monkeypatch):
    """The small model, with as much anatomy in its maps as is asked for."""

    def weigh(weight: float | None):
        plain = replace(small_model.calibration("chest_xray"), training_distribution=None)
        monkeypatch.setattr(
            small_model, "calibration", lambda modality: replace(plain, anatomy_weight=weight)
        )
        return small_model

    return weigh


def found(model, image: Image, text: str):
    return model.encode(image, "chest_xray").locate(text)


def test_a_map_with_anatomy_loses_where_it_is_implausible_and_gains_nowhere(weighed):
    image = image_from_array(FILM)
    plain, same = (found(weighed(weight), image, "cardiomegaly") for weight in (None, 0.0))
    placed = found(weighed(1.0), image, "cardiomegaly")
    assert (plain.grid == same.grid).all()
    assert (placed.grid <= plain.grid + 1e-6).all()
    corner, heart = np.s_[:2, :2], np.s_[7:9, 6:8]
    assert placed.grid[corner].max() < 0.7 * plain.grid[corner].max()
    assert placed.grid[heart].mean() > 0.75 * plain.grid[heart].mean()
    assert (placed.score, placed.probability) == (plain.score, plain.probability)


def test_a_free_text_and_an_inverted_film_keep_their_map(weighed):
    for image, text in (
        (image_from_array(FILM), "a strange thing at the top"),
        (image_from_array(255 - FILM), "cardiomegaly"),
    ):
        plain, placed = (found(weighed(weight), image, text) for weight in (None, 1.0))
        assert (plain.grid == placed.grid).all()


def test_a_mirrored_film_is_answered_as_it_hangs(weighed):
    image = image_from_array(FILM)
    mirrored = replace(image, pixels=FILM[:, ::-1].copy(), orientation=Orientation(patient_right="right"))
    model = weighed(1.0)
    there, here = (found(model, each, "left pleural effusion") for each in (mirrored, image))
    assert there.grid == pytest.approx(here.grid[:, ::-1], abs=1e-5)


@pytest.mark.parametrize("weight", [None, 1.0])
def test_the_side_is_read_from_the_map_without_anatomy(small_model, weighed, monkeypatch, weight):
    image = image_from_array(FILM)
    plain = weighed(None).calibration("chest_xray")
    leaning = balance(found(weighed(None), image, "pleural effusion is present").grid)
    decided = []
    for share in (0.999, 1.001):
        calibration = replace(
            plain,
            anatomy_weight=weight,
            presence={OTHER: OperatingPoint(1.0, 0.0, threshold=0.0)},
            finding_points=None,
            side_margins={"pleural_effusion": SideMargin(share * abs(leaning), 0.9, 20)},
        )
        monkeypatch.setattr(small_model, "calibration", lambda modality, given=calibration: given)
        decided.append(found(small_model, image, "left pleural effusion").side.seen)
    assert decided == ["left" if leaning > 0 else "right", None]
