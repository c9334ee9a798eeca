"""The words of a description: each one's own map, and what a reader should know about how they are read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from torch.nn import functional

from afloc.findings import MODALITIES, find_in_text, load_findings
from afloc.geometry import Letterbox
from afloc.model.image_encoder import ImageFeatures
from afloc.model.text_encoder import TextFeatures

_UNCALIBRATED = {"scale": 10.0, "bias": 0.0}
_NEGATION = re.compile(r"\b(no|not|without|absent|absence|free of|negative for|nor|none)\b", re.I)
_NORMAL = re.compile(r"\b(normal|healthy|clear|unremarkable|intact|within limits|preserved)\b", re.I)
_SENTENCE_END = re.compile(r"(?<=[.;!?])\s+|\n+")
_SIDE = re.compile(r"\b(left|right)\b", re.I)
_MOST_NAMED = 3  # strange words in one remark
_READABLE = 2  # letters a piece: a word in smaller pieces is spelled out, not known


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
    calibration: dict | None,
    letterbox: Letterbox,
    whole: np.ndarray,
) -> list[Word]:
    """The words of one text against one image.

    `pieces`: as `WordPieceTokenizer.split` gives them. `whole`: the map of the whole description over the
    image. A word's map is its cosine with the shallow map, as a logit of the word level, through a sigmoid.
    """
    level = (calibration or {}).get("levels", {}).get("word", _UNCALIBRATED)
    words = functional.normalize(text.words[0, :, 1:-1], dim=0)
    cosines = torch.einsum("dhw,dn->nhw", functional.normalize(image.shallow[0], dim=0), words)
    grids = letterbox.crop((level["scale"] * cosines + level["bias"]).sigmoid().cpu().numpy())
    row, column = np.unravel_index(whole.argmax(), whole.shape)
    return [
        Word(word, is_known(word, count), float(grid[row, column]), grid)
        for (word, count), grid in zip(pieces, grids, strict=True)
    ]


def is_known(word: str, pieces: int) -> bool:
    """Whether the model can have met a word: it stands in the lists of findings, or its pieces say something.

    The vocabulary spells any word in the end; one that takes a piece for every letter or two is a stranger.
    """
    plain = word.lower()
    if pieces == 0:
        return False
    return pieces == 1 or plain in _words_of_findings() or len(plain) / pieces > _READABLE


def remarks(description: str, modality: str, words: Iterable[Word], calibration: dict | None) -> list[str]:
    """Sentences on what the model makes of a description: strange words, a negation, a side, what has no
    place.

    Whether it tells left from right is its calibration's `sides`; absent means that it does not.
    """
    said = []
    if strange := list(dict.fromkeys(word.text for word in words if not word.known)):
        named = ", ".join(f"“{word}”" for word in strange[:_MOST_NAMED])
        said.append(f"The model does not know {named}: check the spelling or use another word.")
    if found := _NEGATION.search(description):
        said.append(
            f"“{found[0]}” negates: the number is for the whole sentence, high where the finding is missing."
        )
    if (part := affirmed_part(description, modality)) != description:
        said.append(f"The map is of what is there: “{part}”")
    if (found := _SIDE.search(description)) and not (calibration or {}).get("sides", False):
        said.append(f"This model does not reliably tell left from right; “{found[0]}” may change nothing.")
    return said


def affirmed_part(description: str, modality: str) -> str:
    """What of a description of several sentences says that something is there: this alone has a place.

    Sentences that deny or call normal are left out, or cut before the clause that does.
    A description that affirms nothing stays whole, and so does a single sentence.
    """
    sentences = [each for each in _SENTENCE_END.split(description.strip()) if each]
    if len(sentences) < 2:
        return description
    return " ".join(filter(None, (_affirmed(each, modality) for each in sentences))) or description


def affirms(description: str) -> bool:
    """Whether a description says that something is there: no word of it denies or calls normal. "Benign" does
    not: benign tissue has a place."""
    return not (_NEGATION.search(description) or _NORMAL.search(description))


def _affirmed(sentence: str, modality: str) -> str:
    if found := _NEGATION.search(sentence):
        before = sentence[: found.start()].rstrip(" ,")
        return f"{before}." if find_in_text(before, modality) else ""
    if found := _NORMAL.search(sentence):
        before, _, _ = sentence[: found.start()].rpartition(",")
        return f"{before}." if before else ""
    return sentence


@cache
def _words_of_findings() -> frozenset[str]:
    texts = (
        text
        for modality in MODALITIES
        for entry in load_findings(modality).values()
        for text in (entry.name, *entry.synonyms, entry.simple, entry.precise, entry.where, *entry.affirmed)
    )
    return frozenset(word for text in texts for word in re.findall(r"\w+", text.lower()))
