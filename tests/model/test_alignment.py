import torch

from afloc.model.alignment import alignment_loss, contrastive_loss, local_scores
from afloc.model.image_encoder import ImageFeatures
from afloc.model.text_encoder import TextFeatures


def batch(count: int, dim: int = 8) -> tuple[ImageFeatures, TextFeatures]:
    """Images and texts that belong together, each pair on an axis of its own."""
    axes = 3 * torch.eye(count, dim)
    images = ImageFeatures(
        axes[:, :, None, None].expand(-1, -1, 4, 4), axes[:, :, None, None].expand(-1, -1, 2, 2), axes
    )
    units = axes[:, :, None].expand(-1, -1, 4)
    mask = torch.ones(count, 4, dtype=torch.bool)
    return images, TextFeatures(units, units, axes, mask, mask)


def test_true_pairs_cost_next_to_nothing_and_swapped_ones_much():
    images, texts = batch(3)
    loss = alignment_loss(images, texts)
    swapped = alignment_loss(
        ImageFeatures(images.shallow.roll(1, 0), images.deep.roll(1, 0), images.global_.roll(1, 0)), texts
    )
    assert loss.total < 0.01 and swapped.total > 10
    assert torch.isclose(loss.total, loss.word + loss.sentence + loss.report)


def test_sep_and_padding_do_not_count():
    regions, units = torch.randn(2, 8, 3, 3), torch.randn(1, 8, 6)
    mask = torch.tensor([[True, True, True, True, False, False]])
    scores = local_scores(regions, units, mask, 4.0, 5.0)
    units[:, :, 3:] = 100  # [SEP], then padding
    assert torch.equal(local_scores(regions, units, mask, 4.0, 5.0), scores)


def test_pairs_of_the_same_meaning_are_no_negatives():
    scores = torch.zeros(3, 3)
    same = torch.eye(3, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    expected = (2 * torch.tensor(2.0).log() + torch.tensor(3.0).log()) / 3 * 2
    assert torch.isclose(contrastive_loss(scores, same), expected)
    assert torch.isclose(contrastive_loss(scores), 2 * torch.tensor(3.0).log())
