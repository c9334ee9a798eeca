"""The paper's own training: both encoders at once, on films and parts of their reports (arXiv 2401.02044).

A batch is B films, each with some sentences of its report. The three softmax losses of
`afloc.model.alignment` pull each film towards its own text and away from the other B - 1 texts. The defaults
of the recipe are those of the released configuration.
"""

import random
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from afloc.inference.paper_protocol import clean_text
from afloc.language.modalities import MODALITIES
from afloc.model.image_encoder import ImageFeatures, normalise
from afloc.model.network import AFLoc
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.data.mimic import Reported
from afloc.training.distributed import all_gather, local_slice
from afloc.training.pictures.augmentation import decode_images, stored_size
from afloc.training.recipe import JointRecipe
from afloc.training.stages.loop import Stage


class JointStage(Stage):
    """Both encoders of a network of one modality."""

    name, gradient_limit = "joint", 0.25

    def __init__(
        self,
        network: AFLoc,
        tokenizer: WordPieceTokenizer,
        films: list[Reported],
        recipe: JointRecipe,
        seed: int,
        folder: Path,
    ):
        self.network, self.tokenizer, self.films = network, tokenizer, films
        self.recipe, self.seed, self.steps = recipe, seed, recipe.steps
        self.modality = network.config.modalities[0]
        self.batch_size = min(recipe.batch_size, len(films))
        self.steps_a_pass = len(films) // self.batch_size
        self.identity = asdict(recipe) | {"seed": seed, "films": len(films)}
        self.modules = nn.ModuleDict({"network": network})
        self.images = decode_images(
            [film.image for film in films],
            folder / "images.npy",
            stored_size(network.config.side(self.modality)),
            gray=MODALITIES[self.modality].grayscale,
        )

    def rates(self) -> list[tuple[float, Iterable[nn.Parameter]]]:
        return [(self.recipe.rate, self.network.parameters())]

    def optimizer(self, groups: list[dict]) -> torch.optim.Optimizer:
        return torch.optim.Adam(groups, weight_decay=self.recipe.weight_decay)

    def rate_factor(self, step: int) -> float:
        """Falls by the factor `decay` after every pass over the films."""
        return self.recipe.decay ** (step // self.steps_a_pass)

    def losses(self, step: int) -> dict[str, Tensor]:
        rng = random.Random(f"{self.seed}/{step}")
        rows = np.array(self._rows(step))
        texts = [some_sentences(self.films[row].sentences, rng) for row in rows]
        pixels = random_crop(self.images[rows], self.network.config.side(self.modality), rng)
        local = local_slice(len(rows))
        normalised = normalise(pixels[local], self.network.config.normalisation)
        features = self.network.encode_images(normalised, self.modality)
        loss = self.network.loss(
            ImageFeatures(*(all_gather(part, local, len(rows)) for part in vars(features).values())),
            self.network.encode_texts([self.tokenizer(clean_text(text)) for text in texts]),
        )
        return {
            "report": loss.report,
            "sentence": loss.sentence,
            "word": loss.word,
            "total": loss.total,
        }

    def _rows(self, step: int) -> list[int]:
        """The films of a step: every film once in each pass, in an order of its own."""
        order = list(range(len(self.films)))
        random.Random(f"{self.seed}/pass {step // self.steps_a_pass}").shuffle(order)
        start = step % self.steps_a_pass * self.batch_size
        return order[start : start + self.batch_size]


def some_sentences(sentences: tuple[str, ...], rng: random.Random) -> str:
    """A random number of random sentences, in their order."""
    count = rng.randint(1, len(sentences))
    return " ".join(sentences[index] for index in sorted(rng.sample(range(len(sentences)), count)))


def random_crop(images: np.ndarray, size: int, rng: random.Random) -> np.ndarray:
    """A random square crop of `size` from each image (N, S, S[, 3])."""
    room = images.shape[1] - size
    corners = [(rng.randint(0, room), rng.randint(0, room)) for _ in images]
    return np.stack([each[y : y + size, x : x + size] for each, (y, x) in zip(images, corners, strict=True)])
