"""The protocol of the authors' released code, step by step, apart from the encoders.

Image preparation, text cleaning and the similarity map are done exactly as published, faults included: a
piece of text of one word is dropped, and every map is stretched to [-1, 1] whether the finding is there or
not.
"""

import re

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from afloc.imaging.geometry import Letterbox
from afloc.imaging.heatmap import min_max
from afloc.imaging.image import Image

SIZE = 224
MARGIN = 14
SIGMA = 1.5

_NUMBERED_POINT = re.compile(r"[0-9]+\.")
_WORDS = re.compile(r"\w+")


def prepare_image(image: Image, size: int = SIZE) -> np.ndarray:
    """The gray image in a black square, uint8 (size, size)."""
    letterbox = Letterbox.paper(image.height, image.width, size)
    if max(image.height, image.width) >= size:
        return letterbox.image(image.gray())
    square = np.zeros((size, size), np.uint8)
    inner = square[letterbox.top :, letterbox.left :][: letterbox.inner_height, : letterbox.inner_width]
    inner[:] = _enlarge(image.gray(), letterbox.inner_height, letterbox.inner_width)
    return square


def _enlarge(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarge uint8 (H, W) as OpenCV does with INTER_AREA: in whole numbers, which round otherwise than
    exact ones.

    Weights are in units of 1/2048; four bits are dropped after the rows, sixteen after the columns, the
    last two rounded.
    """
    first, second, near, far = _enlarge_weights(pixels.shape[1], width)
    values = pixels.astype(np.int64)
    values = (values[:, first] * near + values[:, second] * far) >> 4
    first, second, near, far = _enlarge_weights(pixels.shape[0], height)
    values = (values[first] * near[:, None] >> 16) + (values[second] * far[:, None] >> 16)
    return ((values + 2) >> 2).astype(np.uint8)


def _enlarge_weights(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each new pixel the two old ones it overlaps and their weights, summing to 2048."""
    target, scale = np.arange(new), new / old
    first = np.floor(target * (1 / scale)).astype(int)  # not target / scale, which rounds otherwise
    share = ((target + 1) - (first + 1) * scale).astype(np.float32)
    share = np.where((share <= 0) | (first >= old - 1), np.float32(0), share % 1)
    far = np.rint(share * np.float32(2048)).astype(np.int64)
    near = np.rint((np.float32(1) - share) * np.float32(2048)).astype(np.int64)
    return np.minimum(first, old - 1), np.minimum(first + 1, old - 1), near, far


def clean_text(text: str) -> str:
    """What the released code makes of a text before it is tokenized; "" if every piece is dropped.

    Cut at line breaks' spaces, numbered points ("1.") and full stops; lower case; words only. A piece of
    one word is dropped, whole, before the characters that are not ASCII are.
    """
    text = text.replace("\n", " ")
    pieces = [piece for point in _NUMBERED_POINT.split(text) for piece in point.split(".")]
    kept = []
    for piece in pieces:
        words = _WORDS.findall(piece.lower())
        if len(words) > 1:
            kept += [word.encode("ascii", "ignore").decode() for word in words]
    return " ".join(word for word in kept if word)


def similarity_map(deep: Tensor, report: Tensor) -> np.ndarray:
    """The map of a (D, h, w) deep feature map and a (D,) report embedding: float32 (224, 224) in [-1, 1].

    Dot products, a Gaussian of 1.5 cells, bilinear enlargement; the outer 14 pixels are NaN.
    """
    similarity = torch.einsum("dhw,d->hw", deep, report).cpu().numpy()
    smooth = torch.from_numpy(ndimage.gaussian_filter(similarity, SIGMA, mode="reflect"))
    large = functional.interpolate(smooth[None, None], (SIZE, SIZE), mode="bilinear", align_corners=False)
    heatmap = np.full((SIZE, SIZE), np.nan, np.float32)
    inside(heatmap)[:] = inside(large[0, 0].numpy())
    return min_max(heatmap)


def inside(heatmap: np.ndarray) -> np.ndarray:
    """A published map without its margin: a view of its (196, 196) numbers."""
    return heatmap[MARGIN:-MARGIN, MARGIN:-MARGIN]


def cosine(image: Tensor, report: Tensor) -> float:
    """The score: cosine of the global image embedding and the report embedding, both (D,)."""
    return float(functional.cosine_similarity(image, report, dim=0))


def box_mask(box: tuple[int, int, int, int]) -> np.ndarray:
    """bool (224, 224), True inside a box (x, y, width, height) of the square, as `Letterbox.paper_box`
    gives it."""
    x, y, width, height = box
    mask = np.zeros((SIZE, SIZE), bool)
    mask[y : y + height, x : x + width] = True
    return mask
