"""The zones of findings: each is drawn, and lies where its name says."""

import numpy as np
import pytest

from afloc.errors import DataError
from afloc.language import zones
from afloc.language.findings import load_findings
from afloc.language.places import ZONES
from afloc.language.zones import Zone, load_zones

PLACES = np.linspace(-1.5, 1.5, 61)
DOWN = np.linspace(-0.2, 1.3, 31)[:, None]


def highest(zone: Zone) -> tuple[float, float]:
    """The place on the patient's left, or on the midline, where a zone is highest."""
    row, column = np.unravel_index(zone.at(PLACES[30:], DOWN).argmax(), (31, 31))
    return PLACES[30:][column], DOWN[row, 0]


def test_every_zone_that_a_description_can_name_is_drawn():
    assert set(ZONES) <= set(load_zones("chest_xray"))
    assert load_zones("fundus") == load_zones("histopathology") == {}


def test_zones_lie_where_their_names_say():
    place = {name: highest(zone) for name, zone in load_zones("chest_xray").items()}
    above = ("neck", "apical", "upper", "middle", "lower", "basal", "abdomen")
    heights = [place[name][1] for name in above]
    assert heights == sorted(heights)
    outwards = ("spine", "hilar", "lungs", "peripheral", "chest_wall")
    assert [place[name][0] for name in outwards] == sorted(place[name][0] for name in outwards)
    heart = load_zones("chest_xray")["heart"]
    assert heart.at(np.array(0.5), 0.75) > 2 * heart.at(np.array(-0.5), 0.75), "the heart lies on the left"


def test_a_paired_zone_is_the_same_on_both_sides():
    for zone in load_zones("chest_xray").values():
        found = zone.at(PLACES, DOWN)
        assert found.min() > 0 and found.max() <= 1
        assert np.allclose(found, found[:, ::-1]) == (zone.paired or zone.x == 0)


def test_what_is_seen_in_the_lungs_heart_or_vessels_has_a_zone():
    families = {"heart", "mediastinum", "airspace", "interstitial", "volume", "expansion", "vessel", "nodule"}
    entries = load_findings("chest_xray").values()
    assert all(entry.zones for entry in entries if entry.family in families)


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("[chest_xray]\nlungs = { x = 0.5, y = 0.5, width = 0.3 }", "chest_xray.lungs.height is missing"),
        ("[chest_xray]\nlungs = { x = 0.5, y = 0.5, width = 0, height = 1 }", "width must be a number"),
        ("[chest_xray]\nlungs = { x = 0, y = 0, width = 1, height = 1, z = 1 }", "z is no key that is known"),
        ("[chest_xray", "not valid TOML"),
        (None, "put back"),
    ],
)
def test_the_file_is_checked(tmp_path, monkeypatch, text, sentence):
    if text is not None:
        (tmp_path / "zones.toml").write_text(text)
    monkeypatch.setattr(zones, "FILE", tmp_path / "zones.toml")
    load_zones.cache_clear()
    try:
        with pytest.raises(DataError, match=sentence):
            load_zones("chest_xray")
    finally:
        load_zones.cache_clear()
