"""The paper's own training: both encoders at once, on films and parts of their reports (arXiv 2401.02044).

A batch is B films, each with some sentences of its report. The three softmax losses of
`afloc.model.alignment` pull each film towards its own text and away from the other B - 1 texts. The loss of
films kept back decides which weights stay and when to stop. The defaults of the recipe are those of the
released configuration.
"""

import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from afloc.inference.paper_protocol import clean_text
from afloc.language.modalities import MODALITIES
from afloc.model.image_encoder import ImageFeatures, normalise
from afloc.model.network import AFLoc
from afloc.model.text_encoder import TextFeatures
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.compute import CPU, Compute, full
from afloc.training.data.mimic import Reported
from afloc.training.distributed import all_gather, local_slice
from afloc.training.pictures.stored_images import StoredImages, decode_images, stored_size
from afloc.training.recipe import JointRecipe
from afloc.training.stages.loop import Stage

BETAS = 0.5, 0.999  # of Adam, in the released code


class JointBatch(NamedTuple):
    """`size` films, normalised, each with its text; on the device, the films of this process alone."""

    size: int
    pixels: Tensor
    texts: list[str]


@dataclass(frozen=True)
class JointBatches:
    """The batch of each step. Every film comes once in each pass over the films, in an order of its own; what
    is left over at the end of a pass is left out. `validate`: always the same batches, cropped centrally."""

    films: list[Reported]
    images: StoredImages
    size: int
    side: int
    normalisation: str
    seed: int
    validate: bool = False

    @property
    def steps_a_pass(self) -> int:
        return len(self.films) // self.size

    def __call__(self, step: int) -> JointBatch:
        rng = random.Random(f"{self.seed}/{step}")
        rows = self._rows(step)
        texts = [some_sentences(self.films[row].sentences, rng) for row in rows]
        crop = central_crop if self.validate else random_crop
        pixels = crop(self.images[np.array(rows)], self.side, rng)
        return JointBatch(len(rows), normalise(pixels, self.normalisation), texts)

    def _rows(self, step: int) -> list[int]:
        order = list(range(len(self.films)))
        if not self.validate:
            random.Random(f"{self.seed}/pass {step // self.steps_a_pass}").shuffle(order)
        start = step % self.steps_a_pass * self.size
        return order[start : start + self.size]


class JointStage(Stage):
    """Both encoders of a network of one modality. `kept_back`: the films that are validated on."""

    name, gradient_limit, averaged = "joint", 0.25, False

    def __init__(
        self,
        network: AFLoc,
        tokenizer: WordPieceTokenizer,
        films: list[Reported],
        kept_back: list[Reported],
        recipe: JointRecipe,
        seed: int,
        folder: Path,
        compute: Compute = CPU,
    ):
        self.network, self.tokenizer, self.compute = network, tokenizer, compute
        self.recipe, self.seed, self.steps = recipe, seed, recipe.steps
        self.modality = network.config.modalities[0]
        self.modules = nn.ModuleDict({"network": network})
        if compute.device.type == "cuda":
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub lacks memory_format
        side = network.config.side(self.modality)

        def batches(of: list[Reported], validate: bool) -> JointBatches:
            stored = decode_images(
                [film.image for film in of],
                folder / ("validate" if validate else "images"),
                stored_size(side),
                gray=MODALITIES[self.modality].grayscale,
                workers=compute.workers,
            )
            size = min(recipe.batch_size, len(of))
            return JointBatches(of, stored, size, side, network.config.normalisation, seed, validate)

        self.prepare, self.validation = batches(films, False), batches(kept_back, True)
        self.steps_a_pass = self.prepare.steps_a_pass
        self.validate_every = recipe.validate_every or self.steps_a_pass
        self.patience = recipe.patience
        self.identity = asdict(recipe) | {
            "seed": seed,
            "films": len(films),
            "validate_every": self.validate_every,
        }

    def rates(self) -> list[tuple[float, Iterable[nn.Parameter]]]:
        return [(self.recipe.rate, self.network.parameters())]

    def optimizer(self, groups: list[dict]) -> torch.optim.Optimizer:
        return torch.optim.Adam(groups, weight_decay=self.recipe.weight_decay, betas=BETAS)

    def rate_factor(self, step: int) -> float:
        """Falls by the factor `decay` after every pass over the films."""
        return self.recipe.decay ** (step // self.steps_a_pass)

    def send(self, batch: JointBatch) -> JointBatch:
        return batch._replace(pixels=self.compute.send(batch.pixels[local_slice(batch.size)]))

    def losses(self, batch: JointBatch) -> dict[str, Tensor]:
        local = local_slice(batch.size)
        with self.compute.autocast():
            images = self.network.encode_images(batch.pixels, self.modality)
            texts = self.network.encode_texts([self.tokenizer(clean_text(text)) for text in batch.texts])
        loss = self.network.loss(
            ImageFeatures(*(all_gather(full(part), local, batch.size) for part in vars(images).values())),
            TextFeatures(*(full(part) for part in vars(texts).values())),
        )
        return {
            "report": loss.report,
            "sentence": loss.sentence,
            "word": loss.word,
            "total": loss.total,
        }

    @torch.no_grad()
    def validation_loss(self) -> float:
        """The mean loss of the films that are kept back."""
        self.modules.eval()
        steps = range(self.validation.steps_a_pass)
        totals = [self.losses(self.send(self.validation(step)))["total"] for step in steps]
        return float(torch.stack(totals).mean())


def some_sentences(sentences: tuple[str, ...], rng: random.Random) -> str:
    """A random number of random sentences, at most all but one, in any order: as the released code does."""
    return " ".join(rng.sample(sentences, rng.randint(1, max(1, len(sentences) - 1))))


def random_crop(images: np.ndarray, size: int, rng: random.Random) -> np.ndarray:
    """A random square crop of `size` from each image (N, S, S[, 3])."""
    room = images.shape[1] - size
    corners = [(rng.randint(0, room), rng.randint(0, room)) for _ in images]
    return np.stack([each[y : y + size, x : x + size] for each, (y, x) in zip(images, corners, strict=True)])


def central_crop(images: np.ndarray, size: int, rng: random.Random) -> np.ndarray:
    """The square of `size` in the middle of each image (N, S, S[, 3]); `rng` is not asked."""
    edge = (images.shape[1] - size) // 2
    return images[:, edge : edge + size, edge : edge + size]
