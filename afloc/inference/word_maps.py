"""The words of a description: each word's own map, and whether the model knows the word."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from afloc.imaging.geometry import Letterbox
from afloc.language.reading import Reading
from afloc.language.words import is_known
from afloc.model.calibration import LevelScale
from afloc.model.image_encoder import ImageFeatures
from afloc.model.text_encoder import TextFeatures

_MOST_NAMED = 3  # unknown words in one remark


@dataclass(frozen=True, eq=False)
class Word:
    """One word of a description.

    `grid`: its own map, float32 (rows, columns), 0 … 1, covers exactly the image. `pull`: the value of that
    map where the map of the whole description is highest, 0 … 1. `known`: the model has met it.
    """

    text: str
    known: bool
    pull: float
    grid: np.ndarray = field(repr=False)


def weigh_words(
    pieces: Iterable[tuple[str, int]],
    image: ImageFeatures,
    text: TextFeatures,
    level: LevelScale,
    letterbox: Letterbox,
    whole: np.ndarray,
) -> list[Word]:
    """The words of one text against one image.

    `pieces`: `Tokens.spelling` of the text. `level`: the scale of the word level. `whole`: the map
    of the whole description over the image. A word's map is its cosine with the shallow map, as a logit,
    through a sigmoid.
    """
    words = functional.normalize(text.words[0, :, 1:-1], dim=0)
    cosines = torch.einsum("dhw,dn->nhw", image.units.shallow[0], words)
    grids = letterbox.crop((level.scale * cosines + level.bias).sigmoid().cpu().numpy())
    peak = np.array(np.unravel_index(whole.argmax(), whole.shape))
    row, column = peak * grids.shape[1:] // whole.shape  # `whole` may have more cells
    return [
        Word(word, is_known(word, count), float(grid[row, column]), grid)
        for (word, count), grid in zip(pieces, grids, strict=True)
    ]


def remarks(reading: Reading, words: Iterable[Word]) -> list[str]:
    """Sentences on what the model makes of a description: words it does not know, and which part has no place
    on the map."""
    said = []
    if unknown := list(dict.fromkeys(word.text for word in words if not word.known)):
        named = ", ".join(f"“{word}”" for word in unknown[:_MOST_NAMED])
        said.append(f"The model does not know {named}: check the spelling or use another word.")
    if reading.affirmed != reading.text:
        said.append(f"The map is of what is there: “{reading.affirmed}”")
    return said
