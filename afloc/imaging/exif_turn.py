"""The EXIF orientation that a picture is stored with, 1 to 8, and how it is undone; 1 is upright."""

import numpy as np

SIDEWAYS = (5, 6, 7, 8)  # height and width are swapped
_FLIPPED_ROWS = (3, 4, 7, 8)
_FLIPPED_COLUMNS = (2, 3, 6, 7)


def turn_upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Undo the EXIF orientation (1 to 8; anything else: as it is) of (H, W) or (H, W, C) pixels."""
    if turn in SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if turn in _FLIPPED_ROWS:
        pixels = pixels[::-1]
    if turn in _FLIPPED_COLUMNS:
        pixels = pixels[:, ::-1]
    return pixels


def turn_extent_upright(
    extent: tuple[float, float, float, float], turn: int, height: int, width: int
) -> tuple[float, float, float, float]:
    """(x, y, width, height) on a picture as stored, where it lies once the picture is upright, `height` x
    `width` pixels."""
    x, y, extent_width, extent_height = extent
    if turn in SIDEWAYS:
        x, y, extent_width, extent_height = y, x, extent_height, extent_width
    if turn in _FLIPPED_ROWS:
        y = height - y - extent_height
    if turn in _FLIPPED_COLUMNS:
        x = width - x - extent_width
    return x, y, extent_width, extent_height
