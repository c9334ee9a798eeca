"""The calibration of a model: checked when it is read, written as it was read."""

import json
import shutil
from dataclasses import replace

import pytest

from afloc import ModelError, load_model
from afloc.model.calibration import RETIRED, UNCALIBRATED, Calibration, MapRange, OperatingPoint
from afloc.model.config import ModelConfig
from afloc.model.files.checkpoint import EMBEDDED, read_folder

POINT = {"slope": 1.5, "intercept": 0.0, "threshold": 0.25}
SCALE = {"scale": 9.0, "bias": -1.0}
COUNTS = {"n_present": 2, "n_absent": 3, "hits": 1, "rejections": 3}
LEVELS = {"word": SCALE, "sentence": SCALE, "report": SCALE}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"presence": {"other": POINT}},
        {"presence": {"other": {"threshold": 1, "slope": 40, "intercept": -20}}},  # whole, in another order
        {"sides": True, "unplaced": ["nodule"], "levels": LEVELS, "presence": None, "known": None},
        {"localizes": False, "map": {"floor": 0, "top": 3}},  # of version 0.2
        {"presence": POINT, "levels": LEVELS},  # of version 0.1
    ],
)
def test_what_is_read_is_written_to_the_letter(values):
    assert json.dumps(Calibration.from_dict(values).to_dict()) == json.dumps(values)


def test_the_embedded_config_is_written_to_the_letter():
    text = (EMBEDDED / "config.json").read_text(encoding="utf-8")
    config = ModelConfig.from_dict(json.loads(text))
    assert config.to_json() == text
    for name, values in json.loads(text)["calibration"].items():  # and so is what training makes anew
        kept = {key: value for key, value in values.items() if key not in RETIRED}
        assert json.dumps(replace(config.calibration[name]).to_dict()) == json.dumps(kept)


def test_a_changed_copy_is_written_as_changed():
    calibration = Calibration.from_dict({"presence": {"other": POINT}})
    changed = replace(calibration, sentence_weight=0.5, map_range=MapRange(0.1, 0.9))
    assert changed.to_dict()["local"] == 0.5 and changed.to_dict()["map"] == {"floor": 0.1, "top": 0.9}
    assert Calibration.from_dict(changed.to_dict()) == changed


def test_what_is_missing_has_its_default_and_version_0_1_had_one_operating_point():
    assert Calibration.from_dict({}) == UNCALIBRATED == Calibration()
    assert Calibration.from_dict({"presence": POINT}).presence == {"other": OperatingPoint(**POINT)}


@pytest.mark.parametrize(
    "values, sentence",
    [
        (None, "must be a table"),
        ([], "must be a table"),
        ({"presence": {}, "colour": "blue"}, "colour is no key that is known here; there are"),
        ({"presence": {}}, "presence.other is missing"),
        ({"presence": {"pleura": POINT}}, "presence.other is missing"),
        ({"presence": 3}, "presence must be a table"),
        ({"presence": {"other": POINT, "pleura": {"slope": 1, "intercept": 0}}}, "presence.pleura.threshold"),
        ({"presence": {"other": POINT | {"slope": "1"}}}, "presence.other.slope must be a number"),
        ({"presence": {"other": POINT | {"threshold": 2}}}, "presence.other.threshold must be a number"),
        ({"presence": {"other": POINT | {"auroc": 0.9}}}, "presence.other.auroc is no key"),
        ({"levels": {"word": SCALE}}, "levels.sentence is missing"),
        ({"levels": LEVELS | {"report": {"scale": 1}}}, "levels.report.bias is missing"),
        ({"map": {"floor": 0.4, "top": 0.4}}, "map.top must be more than floor"),
        ({"map": None}, "map must be a table"),
        ({"words": True}, "words must be a number from 0 to 1"),
        ({"local": 1.5}, "local must be a number from 0 to 1"),
        ({"smoothing": -0.1}, "smoothing must be a number from 0 to 1"),
        ({"normality": {"findings": [], "threshold": 0}}, "normality.performance is missing"),
        (
            {"performance": {"mass": COUNTS | {"hits": 3}}},
            "performance.mass.hits and rejections must not be more than n_present and n_absent",
        ),
        ({"performance": {"mass": COUNTS | {"ill": [1, 1]}}}, "performance.mass.ill and healthy"),
        ({"side_margins": {"mass": {"margin": 1.2, "right": 1, "n": 3}}}, "side_margins.mass.margin"),
        ({"unplaced": "nodule"}, "unplaced must be a list of texts"),
        ({"known": {"mean": [0], "deviation": [1, 1], "limit": 2}}, "known.deviation must be as long"),
        ({"known": {"mean": [0], "deviation": [0], "limit": 2}}, "known.deviation"),
    ],
)  # fmt: skip
def test_the_first_fault_is_named(values, sentence):
    with pytest.raises(ModelError) as fault:
        Calibration.from_dict(values, "x.json")
    assert str(fault.value).startswith(f"x.json: {sentence}") and str(fault.value).endswith(".")
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    "change, named",
    [
        (lambda config: config["calibration"]["chest_xray"].update(presence={}), "xray: presence.other"),
        (lambda config: config["calibration"].update(fundus=[1]), "calibration.fundus: must be a table"),
        (lambda config: config["calibration"].update(retina={}), "retina"),
        (lambda config: config.update(calibration=[1]), "calibration"),
    ],
)  # fmt: skip
def test_a_malformed_one_is_refused_when_the_model_is_loaded(small_folder, tmp_path, change, named):
    folder = shutil.copytree(small_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=named):
        load_model(folder, "cpu")


def test_the_fingerprint_is_that_of_the_file(small_folder, tmp_path):
    """However a config was written (here: keys turned round, whole numbers), its model keeps its name."""
    folder = shutil.copytree(small_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    point = {"threshold": 1, "intercept": -20, "slope": 40}
    config["calibration"] = {"chest_xray": {"unplaced": [], "presence": {"other": point}}}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    assert read_folder(folder).config.to_json() == (folder / "config.json").read_text()
    assert read_folder(EMBEDDED).fingerprint == "ff0bf78a6f96"
