"""Maps and masks in coordinates normalised to their image, so that several images can be averaged."""

import numpy as np

from afloc.evaluation.datasets.ground_truth import Truth
from afloc.imaging.geometry import Letterbox, area_resize
from afloc.imaging.heatmap import enlarge
from afloc.inference import paper_protocol as paper
from afloc.inference.finding import Finding

FRAME = 32
"""Rows and columns of a map in coordinates normalised to the image, in which maps of images are averaged."""


def truth_mask(truth: Truth, height: int, width: int, protocol: str) -> np.ndarray:
    """A truth over the map of its image: as `Truth.draw`, or under protocol `paper` bool (224, 224)."""
    if protocol == "native":
        return truth.draw(height, width)
    letterbox = Letterbox.paper(height, width, paper.SIZE)
    if truth.mask is not None:
        return letterbox.mask(truth.draw(height, width))
    mask = np.zeros((paper.SIZE, paper.SIZE), bool)
    for box in truth.boxes:
        x, y, *size = (max(0.0, value) for value in box)
        mask |= paper.box_mask(letterbox.paper_box((x, y, *size)))
    return mask


def to_frame(finding: Finding) -> np.ndarray:
    """The map of a finding in coordinates normalised to its image, float32 (FRAME, FRAME)."""
    grid = finding.evidence() if finding.letterbox else finding.grid
    return area_resize(np.asarray(grid, np.float32), FRAME, FRAME)


def mask_to_frame(mask: np.ndarray) -> np.ndarray:
    """The share of each cell that a mask of the image covers, float32 (FRAME, FRAME)."""
    return area_resize(mask.astype(np.float32), FRAME, FRAME, enlarge="area")


def from_frame(frame: np.ndarray, height: int, width: int, protocol: str) -> np.ndarray:
    """A map in normalised coordinates over an image of this size, as the protocol lays out its maps."""
    if protocol == "native":
        return enlarge(frame, height, width)
    letterbox = Letterbox.paper(height, width, paper.SIZE)
    square = np.zeros((paper.SIZE, paper.SIZE), np.float32)
    rows = slice(letterbox.top, letterbox.top + letterbox.inner_height)
    columns = slice(letterbox.left, letterbox.left + letterbox.inner_width)
    square[rows, columns] = enlarge(frame, letterbox.inner_height, letterbox.inner_width)
    heatmap = np.full_like(square, np.nan)
    inside = slice(paper.MARGIN, -paper.MARGIN)
    heatmap[inside, inside] = square[inside, inside]
    return heatmap
