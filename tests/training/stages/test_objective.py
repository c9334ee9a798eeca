"""The sigmoid objective, against its definition."""

import torch

from afloc.model.similarity import attend
from afloc.training.pictures.location_priors import stack_priors
from afloc.training.stages.objective import SigmoidObjective, balanced_loss


def test_pooling_is_a_softmax_weighted_mean_over_the_places_that_count():
    maps = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
    weights = maps.flatten().softmax(0)
    torch.testing.assert_close(attend(maps), (weights * maps.flatten()).sum()[None])
    inside = torch.tensor([[[True, True], [False, False]]])
    expected = (torch.tensor([0.0, 1.0]).softmax(0) * torch.tensor([0.0, 1.0])).sum()
    torch.testing.assert_close(attend(maps, inside), expected[None])


def test_where_a_finding_must_be_one_cell_is_enough_and_what_it_fills_it_fills():
    objective = SigmoidObjective()
    inside = torch.tensor([[True, True], [False, False]])
    spot = torch.tensor([[[[9.0, -9.0], [-9.0, -9.0]]]])

    def loss(filled):
        return objective._location_loss(spot, stack_priors([(0, 0, inside, ~inside, filled)], 2))

    torch.testing.assert_close(loss(True) - loss(False), torch.tensor(4.5), atol=0.01, rtol=0)


def test_unknown_targets_count_for_nothing():
    logits, weights = torch.tensor([[2.0, -1.0, 9.0]]), torch.ones(1, 3)
    known = balanced_loss(logits[:, :2], torch.tensor([[1.0, 0.0]]), weights[:, :2])
    with_unknown = balanced_loss(logits, torch.tensor([[1.0, 0.0, torch.nan]]), weights)
    torch.testing.assert_close(with_unknown, known)
