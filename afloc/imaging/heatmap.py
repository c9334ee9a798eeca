"""From a map to what is shown of it: enlarged, cut into regions, painted over the image."""

from functools import cache

import numpy as np
from skimage import measure
from skimage.color import lab2rgb

from afloc.imaging.geometry import bilinear
from afloc.imaging.image import Image
from afloc.imaging.regions import Box


def enlarge(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """A (rows, columns) grid over an image as float32 (height, width): bilinear, aligned by cell centres."""
    rows = (np.arange(height) + 0.5) * grid.shape[0] / height - 0.5
    columns = (np.arange(width) + 0.5) * grid.shape[1] / width - 0.5
    return bilinear(grid, rows, columns)


def find_regions(heatmap: np.ndarray, threshold: float) -> tuple[Box, ...]:
    """The boxes around the connected parts where a map (H, W) is at least ``threshold``, strongest first.

    They are in pixels of the map; the score of a box is the highest value of its part. Parts that touch at a
    corner are one; NaN belongs to none.
    """
    heatmap = np.asarray(heatmap)
    parts = measure.regionprops(measure.label(heatmap >= threshold, connectivity=2), heatmap)
    regions = []
    for part in parts:
        top, left, bottom, right = part.bbox
        box = float(left), float(top), float(right - left), float(bottom - top)
        regions.append(Box(*box, score=float(heatmap[part.slice][part.image].max())))
    return tuple(sorted(regions, key=lambda region: -(region.score or 0)))


def min_max(heatmap: np.ndarray) -> np.ndarray:
    """A map as float32 of the same shape, scaled so that its minimum is -1 and its maximum 1. NaN is kept; a
    constant map becomes 0."""
    heatmap = np.asarray(heatmap, np.float32)
    low, high = np.nanmin(heatmap), np.nanmax(heatmap)
    return (heatmap - low) / (high - low) * 2 - 1 if high > low else heatmap * 0


@cache
def colour_table() -> np.ndarray:
    """Our colour map, uint8 (256, 3): from dark violet over red and orange to pale yellow.

    Its lightness (CIELAB) rises in equal steps, so equal steps of a map look equal, in gray and to
    colour-blind readers too.
    """
    level = np.linspace(0, 1, 256)
    lightness, hue = 12 + 82 * level, np.deg2rad(-60 + 160 * level)
    chroma = 38 + 32 * np.sin(np.pi * level)
    rgb = lab2rgb(np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1))
    table = np.rint(255 * rgb).astype(np.uint8)
    table.setflags(write=False)
    return table


def render_overlay(
    image: Image, heatmap: np.ndarray, opacity: float = 0.5, present: bool = True
) -> np.ndarray:
    """The image with a map of 0 to 1 painted over it, uint8 RGB (height, width, 3).

    The paint is as opaque as the map is high, ``opacity`` at 1: where there is no evidence (or NaN) the image
    stays as it is, and so does all of it if the finding is not ``present``. A smaller map is enlarged to fit.
    """
    shown = image.rgb()
    if not present:
        return shown.copy()
    if heatmap.shape != (image.height, image.width):
        heatmap = enlarge(heatmap, image.height, image.width)
    level = np.clip(np.nan_to_num(heatmap, nan=0.0), 0, 1)
    paint = colour_table()[np.rint(255 * level).astype(np.uint8)]
    alpha = (opacity * level)[..., None]
    return np.rint(shown * (1 - alpha) + paint * alpha).astype(np.uint8)
