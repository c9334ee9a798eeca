import json
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from afloc.errors import ModelError
from afloc.model.config import ModelConfig

RECIPE = Path(__file__).parents[2] / "assets" / "configs" / "published.toml"


def values(**changes) -> dict:
    return tomllib.loads(RECIPE.read_text())["model"] | changes


def test_published_recipe_round_trips(tmp_path):
    config = ModelConfig.from_dict(values())
    (tmp_path / "config.json").write_text(config.to_json())
    assert ModelConfig.read(tmp_path / "config.json") == config
    assert (config.backbone, config.embedding_dim, config.max_tokens) == ("resnet50", 768, 97)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"colour": 1}, "colour"),
        ({"backbone": "resnet51"}, "resnet51"),
        ({"image_size": "224"}, "image_size"),
        ({"image_size": 10**9}, "image_size"),
        ({"image_size": True}, "image_size"),
        ({"image_sizes": {"chest_xray": 8}}, "image_sizes.chest_xray"),
        ({"image_sizes": {"fundus": 96}}, "fundus"),
        ({"global_grids": {"chest_xray": 5}}, "backbone of global_grids"),
        ({"backbone": "efficientnet_lite0", "global_grids": {"chest_xray": 13}}, "global_grids.chest_xray"),
        ({"embedding_dim": 96}, "embedding_dim"),
        ({"last_n_layers": 99}, "last_n_layers"),
        ({"max_tokens": 513}, "max_tokens"),
        ({"modalities": ["ultrasound"]}, "ultrasound"),
        ({"text_encoder": {"hidden_size": 768}}, "vocab_size"),
    ],
)
def test_what_is_wrong_is_named(changes, named):
    with pytest.raises(ModelError, match=named):
        ModelConfig.from_dict(values(**changes))


def test_missing_keys_are_named():
    incomplete = values()
    del incomplete["backbone"], incomplete["name"]
    with pytest.raises(ModelError, match="lacks backbone, name"):
        ModelConfig.from_dict(incomplete)


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "{", json.dumps(asdict(ModelConfig.from_dict(values())))[:-5]]
)
def test_broken_json(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config\.json"):
        ModelConfig.read(tmp_path / "config.json")
