"""The image stage: an image encoder learns to see what reports say, one modality at a time.

The text encoder is taken as the language stage left it. Its vectors can therefore be kept, and nearly all of
the work is the image's.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from afloc.language.modalities import MODALITIES
from afloc.model.efficientnet import EfficientNetLite0
from afloc.model.image_encoder import ImageEncoder, ImageFeatures
from afloc.training.data.facts import entails
from afloc.training.data.pairs import Pair
from afloc.training.data.sampler import Batch, Sampler, doubtful
from afloc.training.distributed import gather, share
from afloc.training.pictures.augmentation import as_input, as_they_are, decode_images, kept_size, lit, moved
from afloc.training.pictures.collage import Piece, join_pictures, of_the_whole
from afloc.training.pictures.location_priors import find_places
from afloc.training.recipe import ImageRecipe
from afloc.training.stages.loop import Stage
from afloc.training.stages.objective import SigmoidObjective
from afloc.training.stages.text_bank import TextBank

SET_AFTERWARDS = ("smoothing", "words", "local", "unplaced")  # what of a recipe the weights do not depend on
AT_ONCE = 32  # pictures that are looked at without being learned from
FROZEN_STAGES = 3  # those up to stride 8 keep their ImageNet weights


class ImageStage(Stage):
    """One modality's image encoder, and the scales and biases of the three levels."""

    def __init__(
        self,
        encoder: ImageEncoder,
        texts: TextBank,
        pairs: list[Pair],
        recipe: ImageRecipe,
        size: int,
        seed: int,
        folder: Path,
        without: Collection[str] = (),
    ):
        self.recipe, self.size, self.seed, self.pairs, self.texts = recipe, size, seed, pairs, texts
        self.name, self.steps, self.weight_decay = pairs[0].modality, recipe.steps, recipe.weight_decay
        learned = {name: value for name, value in asdict(recipe).items() if name not in SET_AFTERWARDS}
        self.identity = learned | {"size": size, "seed": seed, "without": sorted(without)}
        # A global vector read on a grid is not learned with the rest: `report_level` fits it afterwards.
        self.fits_report = encoder.backbone.grid is not None and "report" not in without
        self.without = frozenset(without)
        self.objective = SigmoidObjective(self.without | {"report"} if self.fits_report else self.without)
        self.modules = nn.ModuleDict({"encoder": encoder, "objective": self.objective})
        self.encoder = encoder.to(memory_format=torch.channels_last)
        for module in self._frozen():
            module.requires_grad_(False)
        if self.fits_report:
            encoder.global_projection.requires_grad_(False)
        blocks = (block for stage in encoder.backbone.stages[FROZEN_STAGES:] for block in stage)
        self._skippable = [block for block in blocks if block.residual] if recipe.skipped else []
        self.sampler = Sampler(
            pairs,
            seed,
            templates=recipe.templates,
            reports=recipe.reports,
            healthy=recipe.healthy,
            contraries="contraries" not in without,
        )
        self.pictures = decode_images(
            [pair.image for pair in pairs],
            folder / "images.npy",
            kept_size(size),
            gray=MODALITIES[self.name].grayscale,
        )

    def rates(self) -> list[tuple[float, Iterable[nn.Parameter]]]:
        encoder = self.encoder
        fresh = (
            encoder.global_projection,
            encoder.deep_projection,
            encoder.shallow_projection,
            self.objective,
        )
        return [
            (self.recipe.image_rate, encoder.backbone.parameters()),
            (self.recipe.projection_rate, [p for module in fresh for p in module.parameters()]),
        ]

    def set_training(self) -> None:
        self.modules.train()
        for module in self._frozen():  # whose statistics stay those of ImageNet
            module.eval()

    def losses(self, step: int) -> dict[str, Tensor]:
        batch = self.sampler.draw(self.recipe.batch_size, step)
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        pixels = moved(self.pictures[batch.rows], self.size, batch.mirrored, generator)
        count = round(self.recipe.joined * len(pixels))
        pixels, pieces = join_pictures(pixels, batch.pairs, count, generator)
        targets, weights = ask_again(batch, pieces, self.sampler)
        places = find_places(pixels, pieces, batch.descriptions, self.name, batch.mirrored)
        pixels = lit(pixels, generator)
        mine = share(len(pixels))
        losses = self.objective(
            self._encode(as_input(pixels[mine]), mine, len(pixels)),
            self.texts([description.text for description in batch.descriptions]),
            targets,
            weights,
            torch.tensor([description.localizable for description in batch.descriptions]),
            places,
        )
        scale = {"place": self.recipe.place_weight}
        losses["total"] = sum(scale.get(name, 1.0) * loss for name, loss in losses.items())
        return losses

    def inputs(self, rows: np.ndarray) -> Iterator[Tensor]:
        """The pictures of `rows` as they are, AT_ONCE at a time, as the encoder's input."""
        for start in range(0, len(rows), AT_ONCE):
            yield as_they_are(self.pictures[rows[start : start + AT_ONCE]], self.size)

    def _encode(self, pixels: Tensor, rows: slice, count: int) -> ImageFeatures:
        """The features of a whole batch of `count`, of which this process has the pixels of `rows`."""
        backbone: EfficientNetLite0 = self.encoder.backbone
        for block in self._skippable:
            block.kept = functional.dropout(torch.ones(count, 1, 1, 1), self.recipe.skipped)[rows]
        with torch.no_grad():
            early = backbone.forward_early(pixels)
        shallow, deep, pooled = backbone.forward_late(early)
        shallow, deep, pooled = (self._thinned(each, rows, count) for each in (shallow, deep, pooled))
        mine = self.encoder.project(shallow, deep, pooled)
        return ImageFeatures(*(gather(x, rows, count) for x in (mine.shallow, mine.deep, mine.global_)))

    def _thinned(self, features: Tensor, rows: slice, count: int) -> Tensor:
        """Features (B, C, …) without some of each image's channels."""
        kept = functional.dropout(features.new_ones(count, features.shape[1]), self.recipe.dropout)[rows]
        return features * kept.view(*kept.shape, *(1,) * (features.ndim - 2))

    def _frozen(self) -> list[nn.Module]:
        backbone = self.encoder.backbone
        return [backbone.stem, *backbone.stages[:FROZEN_STAGES]]


def ask_again(batch: Batch, pieces: Sequence[tuple[Piece, ...]], sampler: Sampler) -> tuple[Tensor, Tensor]:
    """Targets and weights of a batch of which some pictures are made of two."""
    targets, weights = batch.targets.copy(), batch.weights.copy()
    in_doubt = doubtful(batch.mirrored, batch.descriptions)
    for row, parts in enumerate(pieces):
        if len(parts) > 1:
            facts, unknown = of_the_whole(parts), in_doubt[[piece.row for piece in parts]].any(0)
            for column, description in enumerate(batch.descriptions):
                holds = entails(facts, description)
                targets[row, column] = math.nan if holds == 1 and unknown[column] else holds
                each = (sampler.weight(batch.pairs[piece.row], description) for piece in parts)
                weights[row, column] = max(each) if holds == 1 else 1
    return torch.from_numpy(targets), torch.from_numpy(weights)
