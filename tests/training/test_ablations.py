"""What an ablation leaves out, and nothing else."""

from pathlib import Path

import pytest
import torch

from afloc.errors import SettingsError
from afloc.model.image_encoder import ImageFeatures
from afloc.model.similarity import TextVectors
from afloc.training.data.sampler import Sampler
from afloc.training.data.table import read_pairs
from afloc.training.pictures.location_priors import stack_priors
from afloc.training.recipe import read_recipe
from afloc.training.stages.language import DescriptionSampler
from afloc.training.stages.objective import SigmoidObjective
from tests.training.small import write_films

RECIPE = Path(__file__).parents[2] / "assets" / "configs" / "short.toml"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("films"))


def statuses(descriptions):
    return {statement.status for description in descriptions for statement in description.statements}


def test_a_level_left_out_has_no_loss_and_learns_nothing():
    draw = torch.Generator().manual_seed(0)
    images = ImageFeatures(*(torch.randn(2, 4, *shape, generator=draw) for shape in ((4, 4), (2, 2), ())))
    texts = TextVectors(*torch.randn(3, 3, 4, generator=draw))
    asked = torch.tensor([[1.0, 0, 1], [0, 1, 0]]), torch.ones(2, 3), torch.ones(3, dtype=torch.bool)
    region = torch.eye(4, dtype=torch.bool)
    places = stack_priors([(0, 0, region, ~region, False)], 4)
    whole = SigmoidObjective()(images, texts, *asked, places)
    assert set(whole) == {"report", "sentence", "word", "place"}
    for level in ("report", "sentence", "word"):
        objective = SigmoidObjective((level,))
        losses = objective(images, texts, *asked, places)
        assert set(losses) == set(whole) - {level}
        sum(losses.values()).backward()
        trained = dict(zip(("word", "sentence", "report"), objective.log_scale.grad.tolist(), strict=True))
        assert [name for name, gradient in trained.items() if gradient == 0] == [level]


def test_labels_alone_leave_no_sentence(table):
    assert any(pair.sentences for pair in read_pairs(table, "chest_xray"))
    assert not any(pair.sentences for pair in read_pairs(table, "chest_xray", labels_only=True))


def test_without_hard_negatives_only_true_descriptions_are_drawn(table):
    pairs = [pair for pair in read_pairs(table, "chest_xray", labels_only=True) if pair.affirmed]
    for hard_negatives in (True, False):
        sampler = Sampler(pairs, 0, templates=0, reports=0, hard_negatives=hard_negatives)
        asked = [each for step in range(5) for each in sampler.draw(8, step).descriptions]
        assert ("denied" in statuses(asked)) is hard_negatives
        for step in range(5):
            drawn = DescriptionSampler(pairs, "chest_xray", 0, hard_negatives).draw(1, step)
            assert hard_negatives or len(statuses(drawn)) == 1


def test_a_recipe_can_do_without_what_it_has_only():
    assert read_recipe(RECIPE).without == ()
    assert read_recipe(RECIPE, without=["word"]).without == ("word",)
    with pytest.raises(SettingsError, match="not 'images'"):
        read_recipe(RECIPE, without=["images"])
