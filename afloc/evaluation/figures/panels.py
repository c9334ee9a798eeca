"""A panel with an image in it, and the lines that are drawn over it."""

from typing import TYPE_CHECKING

import numpy as np

from afloc.imaging.geometry import area_resize
from afloc.imaging.image import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PIXELS = 2048  # of the longer side; more are not seen in print

TRUTH, READERS, MAP = ("white", "--"), ("#56B4E9", "-"), ("white", "-")
"""Colour and dashes of each line."""


def show(axes: "Axes", image: Image, pixels: np.ndarray) -> None:
    """Fill a panel with what is made of an image, uint8 (height, width, 3); places are in its pixels."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if longest > MOST_PIXELS:
        rows, columns = (max(1, round(side * MOST_PIXELS / longest)) for side in (height, width))
        planes = [area_resize(pixels[..., i].astype(np.float32), rows, columns) for i in range(3)]
        pixels = np.rint(np.stack(planes, axis=2)).astype(np.uint8)
    axes.imshow(pixels, extent=(0, width, height, 0), aspect=image.aspect)
    axes.set_axis_off()


def outline(axes: "Axes", mask: np.ndarray, line: tuple[str, str]) -> None:
    """Draw around a mask, bool (height, width)."""
    if mask.any():
        contour(axes, np.pad(mask, 1).astype(np.float32), 0.5, line, shift=1)


def contour(axes: "Axes", level: np.ndarray, cut: float, line: tuple[str, str], shift: int = 0) -> None:
    """Draw where a map of numbers crosses `cut`, over a dark edge, so that it is seen on any picture."""
    if not np.nanmin(level) < cut <= np.nanmax(level):
        return
    height, width = level.shape
    x, y = np.arange(width) + 0.5 - shift, np.arange(height) + 0.5 - shift
    colour, dashes = line
    for each, thickness in (("black", 1.9), (colour, 0.9)):
        axes.contour(x, y, level, levels=[cut], colors=each, linewidths=thickness, linestyles=dashes)
    axes.set_xlim(0, width - 2 * shift)
    axes.set_ylim(height - 2 * shift, 0)
