"""Maps and masks on a grid of fixed size over their image, so that maps of several images can be averaged."""

import numpy as np

from afloc.evaluation.datasets.ground_truth import GroundTruth
from afloc.imaging.geometry import Letterbox, area_resize
from afloc.imaging.heatmap import enlarge
from afloc.inference import paper_protocol as paper
from afloc.inference.finding import Finding

GRID_SIDE = 32
"""Rows and columns of the grid."""


def map_mask(truth: GroundTruth, mask: np.ndarray, protocol: str) -> np.ndarray:
    """A ground truth over the map of its image. `mask`: what `truth.draw` gives, bool (height, width).

    Native: the mask itself. Protocol `paper`: bool (224, 224), boxes as the released code rounds them.
    """
    if protocol == "native":
        return mask
    height, width = mask.shape
    letterbox = Letterbox.paper(height, width, paper.SIZE)
    if truth.mask is not None:
        return letterbox.mask(mask)
    laid = np.zeros((paper.SIZE, paper.SIZE), bool)
    for box in truth.boxes:
        x, y, *size = (max(0.0, value) for value in box)
        laid |= paper.box_mask(letterbox.paper_box((x, y, *size)))
    return laid


def to_map_grid(finding: Finding) -> np.ndarray:
    """The map of a finding on the grid over its image, float32 (GRID_SIDE, GRID_SIDE)."""
    grid = finding.evidence() if finding.letterbox else finding.grid
    return area_resize(np.asarray(grid, np.float32), GRID_SIDE, GRID_SIDE)


def mask_to_grid(mask: np.ndarray) -> np.ndarray:
    """The share of each cell that a mask of the image covers, float32 (GRID_SIDE, GRID_SIDE)."""
    return area_resize(mask.astype(np.float32), GRID_SIDE, GRID_SIDE, enlarge="area")


def from_map_grid(grid: np.ndarray, height: int, width: int, protocol: str) -> np.ndarray:
    """A map on the grid as the map of an image of this size, in the layout of the protocol."""
    if protocol == "native":
        return enlarge(grid, height, width)
    letterbox = Letterbox.paper(height, width, paper.SIZE)
    square = np.zeros((paper.SIZE, paper.SIZE), np.float32)
    rows = slice(letterbox.top, letterbox.top + letterbox.inner_height)
    columns = slice(letterbox.left, letterbox.left + letterbox.inner_width)
    square[rows, columns] = enlarge(grid, letterbox.inner_height, letterbox.inner_width)
    heatmap = np.full_like(square, np.nan)
    inside = slice(paper.MARGIN, -paper.MARGIN)
    heatmap[inside, inside] = square[inside, inside]
    return heatmap
