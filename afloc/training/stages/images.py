"""The image stage: the image encoder of one modality is aligned with the descriptions in its reports.

The text encoder stays as the language stage left it. The vector of each text is therefore computed once and
kept, and nearly all of the time goes into the image encoder.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from afloc.language.modalities import MODALITIES
from afloc.model.calibration import Levels, LevelScale
from afloc.model.efficientnet import EfficientNetLite0
from afloc.model.image_encoder import ImageEncoder, ImageFeatures
from afloc.training.compute import CPU, Compute, full
from afloc.training.data.facts import entails
from afloc.training.data.pairs import Pair
from afloc.training.data.sampler import Batch, Sampler, unclear_when_mirrored
from afloc.training.data.table import PairTable
from afloc.training.distributed import all_gather, local_slice
from afloc.training.fit.inputs import FitInputs
from afloc.training.pictures.augmentation import random_affine, random_lighting, scale_pixels
from afloc.training.pictures.collage import Part, facts_of_collage, make_collages
from afloc.training.pictures.location_priors import LocationPriors, find_location_priors
from afloc.training.pictures.stored_images import ImagePaths, StoredImages, decode_images, stored_size
from afloc.training.recipe import ImageRecipe
from afloc.training.stages.loop import Stage
from afloc.training.stages.objective import SigmoidObjective
from afloc.training.stages.text_bank import TextBank

# The weights ignore these.
NOT_LEARNED = (
    "smoothing",
    "word_weight",
    "sentence_weight",
    "anatomy_weight",
    "precise_weight",
    "map_detail",
    "turned",
    "unreliable_maps",
    "specificity",
)
FROZEN_STAGES = 3  # the stages up to stride 8 keep their ImageNet weights


class ImageBatch(NamedTuple):
    """`size` images and T texts, as the objective takes them. `pixels` (size, 3, S, S), 0 … 255, augmented;
    on the device, those of this process alone."""

    size: int
    pixels: Tensor
    texts: list[str]
    targets: Tensor
    weights: Tensor
    localizable: Tensor
    priors: LocationPriors


@dataclass(frozen=True)
class ImageBatches:
    """The batch of each step: drawn, read, augmented, with the location priors that are known of it."""

    sampler: Sampler
    images: StoredImages
    recipe: ImageRecipe
    size: int
    seed: int

    def __call__(self, step: int) -> ImageBatch:
        batch = self.sampler.draw(self.recipe.batch_size, step)
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        pixels = random_affine(self.images[batch.rows], self.size, batch.mirrored, generator)
        count = round(self.recipe.collage_rate * len(pixels))
        pixels, collages = make_collages(pixels, batch.pairs, count, generator)
        targets, weights = targets_of_collages(batch, collages, self.sampler)
        priors = find_location_priors(
            pixels, collages, batch.descriptions, self.sampler.modality, batch.mirrored
        )
        return ImageBatch(
            len(pixels),
            random_lighting(pixels, generator),
            [description.text for description in batch.descriptions],
            targets,
            weights,
            torch.tensor([each.localizable or not each.statements for each in batch.descriptions]),
            priors,
        )


class ImageStage(Stage):
    """One modality's image encoder, and the scales and biases of the three levels.

    `start`: those of a trained model that is gone on with. They stay, so that its maps and scores keep their
    meaning, and sentences of which nothing was read are learned from too.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        texts: TextBank,
        pairs: Sequence[Pair],
        recipe: ImageRecipe,
        size: int,
        seed: int,
        folder: Path,
        without: Collection[str] = (),
        compute: Compute = CPU,
        start: Levels | None = None,
    ):
        self.recipe, self.size, self.seed, self.pairs, self.texts = recipe, size, seed, pairs, texts
        self.compute = compute
        self.name, self.steps, self.weight_decay = pairs[0].modality, recipe.steps, recipe.weight_decay
        learned = {name: value for name, value in asdict(recipe).items() if name not in NOT_LEARNED}
        learned["same_patients"] = [list(names) for names in recipe.same_patients]
        self.identity = learned | {"size": size, "seed": seed, "without": sorted(without)}
        if isinstance(pairs, PairTable):
            self.identity["data"] = pairs.digest
        assert isinstance(encoder.backbone, EfficientNetLite0)  # no other is trained in stages
        self._backbone = encoder.backbone
        # The projection of a global vector that is read on a grid is fitted afterwards, by `report_level`.
        self.fits_report = encoder.backbone.grid is not None and "report" not in without
        self.without = frozenset(without)
        self.objective = SigmoidObjective(self.without | {"report"} if self.fits_report else self.without)
        if start is not None:
            self.objective.keep_at(start)
        self.modules = nn.ModuleDict({"encoder": encoder, "objective": self.objective})
        self.encoder: ImageEncoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub lacks memory_format
        for module in self._frozen():
            module.requires_grad_(False)
        if self.fits_report:
            encoder.global_projection.requires_grad_(False)
        late = self._backbone.stages[FROZEN_STAGES:]
        blocks = (block for stage in late for block in stage)  # type: ignore[attr-defined]  # each a Sequential
        self._skippable = [block for block in blocks if block.residual] if recipe.stochastic_depth else []
        self.sampler = Sampler.by_recipe(pairs, recipe, seed, without, as_written=start is not None)
        self.images = decode_images(
            ImagePaths(pairs),
            folder / "images",
            stored_size(size),
            gray=MODALITIES[self.name].grayscale,
            workers=compute.workers,
        )
        self.prepare = ImageBatches(self.sampler, self.images, recipe, size, seed)

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
        for module in self._frozen():  # batch statistics stay those of ImageNet
            module.eval()

    def send(self, batch: ImageBatch) -> ImageBatch:
        send = self.compute.send
        return batch._replace(
            pixels=send(batch.pixels[local_slice(batch.size)]),
            targets=send(batch.targets),
            weights=send(batch.weights),
            localizable=send(batch.localizable),
            priors=LocationPriors(*(send(each) for each in vars(batch.priors).values())),
        )

    def losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        losses = self.objective(
            self._encode(scale_pixels(batch.pixels), local_slice(batch.size), batch.size),
            self.texts(batch.texts),
            batch.targets,
            batch.weights,
            batch.localizable,
            batch.priors,
        )
        scale = {"place": self.recipe.location_weight}
        losses["total"] = sum(scale.get(name, 1.0) * loss for name, loss in losses.items())
        return losses

    def state(self) -> dict[str, Any]:
        return self.texts.state()

    def restore(self, state: dict[str, Any]) -> None:
        self.texts.restore(state)

    def fit_inputs(self) -> FitInputs:
        """The trained encoder with its data, for the fits that follow the stage."""
        scales, biases = self.objective.log_scale.exp().tolist(), self.objective.bias.tolist()
        return FitInputs(
            modality=self.name,
            encoder=self.encoder,
            texts=self.texts,
            pairs=self.pairs,
            images=self.images,
            size=self.size,
            sampler=self.sampler,
            levels=Levels(
                *(LevelScale(round(s, 4), round(b, 4)) for s, b in zip(scales, biases, strict=True))
            ),
            recipe=self.recipe,
            seed=self.seed,
            fits_report=self.fits_report,
            without=self.without,
        )

    def _encode(self, pixels: Tensor, rows: slice, count: int) -> ImageFeatures:
        """The features of the whole batch of `count` images; `pixels` are those of this process, at
        `rows`."""
        backbone = self._backbone
        for block in self._skippable:
            kept = torch.ones(count, 1, 1, 1, device=pixels.device)
            block.kept = functional.dropout(kept, self.recipe.stochastic_depth)[rows]
        with self.compute.autocast():
            with torch.no_grad():
                early = backbone.forward_early(pixels)
            late = backbone.forward_late(early)
            shallow, deep, pooled = (self._drop_channels(each, rows, count) for each in late)
            local = self.encoder.project(shallow, deep, pooled)
        return ImageFeatures(
            *(all_gather(full(x), rows, count) for x in (local.shallow, local.deep, local.global_))
        )

    def _drop_channels(self, features: Tensor, rows: slice, count: int) -> Tensor:
        """Features (B, C, …) with dropout of whole channels, drawn for each image."""
        kept = functional.dropout(features.new_ones(count, features.shape[1]), self.recipe.dropout)[rows]
        return features * kept.view(*kept.shape, *(1,) * (features.ndim - 2))

    def _frozen(self) -> list[nn.Module]:
        return [self._backbone.stem, *self._backbone.stages[:FROZEN_STAGES]]


def targets_of_collages(
    batch: Batch, collages: Sequence[tuple[Part, ...]], sampler: Sampler
) -> tuple[Tensor, Tensor]:
    """Targets and weights of a batch after some of its images have become collages."""
    targets, weights = batch.targets.copy(), batch.weights.copy()
    unclear = unclear_when_mirrored(batch.mirrored, batch.descriptions)
    for row, parts in enumerate(collages):
        if len(parts) > 1:
            facts = facts_of_collage(parts)
            unknown = np.asarray(unclear[[part.row for part in parts]].any(0))
            for column, description in enumerate(batch.descriptions):
                target = entails(facts, description)
                targets[row, column] = math.nan if target == 1 and unknown[column] else target
                each = (sampler.weight(batch.pairs[part.row], description) for part in parts)
                weights[row, column] = max(each) if target == 1 else 1
    return torch.from_numpy(targets), torch.from_numpy(weights)
