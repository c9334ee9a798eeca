"""The inputs of the fits that follow an image stage: the calibration and the report level."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from afloc.imaging.geometry import Letterbox
from afloc.imaging.image import read_image
from afloc.inference.anatomy import Anatomy
from afloc.inference.picture import Picture
from afloc.language.statements import AFFIRMED, Statement
from afloc.model.calibration import Levels
from afloc.model.image_encoder import QUARTER_TURNS, ImageEncoder, ImageFeatures, seen_turned
from afloc.model.similarity import TextVectors
from afloc.training.data.pairs import Pair
from afloc.training.data.sampler import Sampler
from afloc.training.pictures.augmentation import plain_input
from afloc.training.pictures.stored_images import ImagesOnDemand, StoredImages
from afloc.training.recipe import ImageRecipe

AT_ONCE = 32  # images a forward pass


@dataclass(frozen=True)
class FitInputs:
    """A trained image encoder with its training data.

    `pairs` are all rows of the table, `images` their stored images, uint8 (N, S, S[, 3]), which the encoder
    sees with `size` pixels a side; they may be decoded on demand. `texts` gives the vectors of texts.
    `levels` are the learned scales, rounded as they are stored. `fits_report`: the report level is not
    learned but fitted. `without`: what the ablation leaves out.
    """

    modality: str
    encoder: ImageEncoder
    texts: Callable[[list[str]], TextVectors]
    pairs: Sequence[Pair]
    images: StoredImages | ImagesOnDemand
    size: int
    sampler: Sampler
    levels: Levels
    recipe: ImageRecipe
    seed: int
    fits_report: bool
    without: frozenset[str]

    @property
    def calibration_rows(self) -> np.ndarray:
        """The indices of the rows of the calibration split."""
        return np.flatnonzero([pair.in_calibration_split for pair in self.pairs])

    def encoder_inputs(self, rows: np.ndarray) -> Iterator[Tensor]:
        """The images of `rows` without augmentation as the encoder's input, where it computes: as many at a
        time as make AT_ONCE with their turns."""
        device = next(self.encoder.parameters()).device
        count = AT_ONCE // QUARTER_TURNS if self.recipe.turned else AT_ONCE
        for start in range(0, len(rows), count):
            yield plain_input(self.images[rows[start : start + count]], self.size).to(device)

    def encode(self, rows: np.ndarray) -> Iterator[ImageFeatures]:
        """The features of the images of `rows` in the memory of the CPU, as many at a time."""
        for pixels in self.encoder_inputs(rows):
            found = seen_turned(self.encoder, pixels) if self.recipe.turned else self.encoder(pixels)
            yield ImageFeatures(*(each.cpu() for each in vars(found).values()))

    def anatomy(self, row: int) -> Callable[[str, int], np.ndarray | None]:
        """What anatomy adds to the maps over the image of a row, by finding and number of cells along a side:
        (cells, cells), or None where it says nothing."""
        image = read_image(self.pairs[row].image)
        letterbox = Letterbox.fit(image.height, image.width, self.size, image.aspect)
        anatomy = Anatomy(Picture(image), self.modality)
        return lambda finding, cells: anatomy.log_odds([Statement(finding, AFFIRMED)], letterbox, cells)

    def vector(self, text: str) -> TextVectors:
        """The vectors of one text, as `vectors`."""
        return self.vectors([text])

    def vectors(self, texts: list[str]) -> TextVectors:
        """The vectors of texts in the memory of the CPU."""
        return TextVectors(*(each.cpu() for each in vars(self.texts(texts)).values()))
