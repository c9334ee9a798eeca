"""An image and a map as the page's viewer shows them, pixel by pixel; its paint.js does the same.

Only the line around the map is left out: a figure draws it as a curve.
"""

from dataclasses import dataclass, field

import numpy as np

from afloc.imaging.heatmap import colour_table
from afloc.imaging.image import Image


@dataclass(frozen=True)
class Display:
    """How a viewer shows things.

    ``window``: the pixel values shown black and white, None for the image's own. ``colours``: of the map,
    uint8 (256, 3). ``opacity``: of the map at 1. ``threshold``: the map is painted from this value on.
    """

    window: tuple[float, float] | None = None
    invert: bool = False
    colours: np.ndarray = field(default_factory=colour_table, repr=False)
    opacity: float = 0.9
    threshold: float = 0.5


def shade(image: Image, display: Display) -> np.ndarray:
    """The windowed image, uint8 (height, width, 3)."""
    pixels, window = image.pixels, image.window
    if pixels.ndim == 3 and pixels.dtype == np.uint16:  # the browser gets these as 8 bits a channel
        pixels, window = image.rgb(), (0.0, 255.0)
    low, high = display.window or window
    values = np.arange(np.iinfo(pixels.dtype).max + 1.0)
    shades = np.floor(255 * np.clip((values - low) / max(high - low, 1e-9), 0, 1) + 0.5).astype(np.uint8)
    shown = (255 - shades if display.invert else shades)[pixels]
    return shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)


def paint(shown: np.ndarray, level: np.ndarray, display: Display) -> np.ndarray:
    """A map over a windowed image, uint8 (height, width, 3).

    ``level``: 0 … 1, (height, width); NaN is not painted. From the threshold on, the paint is as opaque as
    the map is high.
    """
    step = np.floor(255 * np.clip(np.nan_to_num(level, nan=0.0), 0, 1) + 0.5).astype(np.uint8)
    alpha = np.floor(display.opacity * np.arange(256) + 0.5)[step] / 255
    alpha = np.where(level >= display.threshold, alpha, 0.0)[..., None]
    return np.floor(shown * (1 - alpha) + display.colours[step] * alpha + 0.5).astype(np.uint8)
