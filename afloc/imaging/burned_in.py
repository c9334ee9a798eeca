"""Text that is burned into the corners of a picture: a warning before it is shared, no reading of it."""

import numpy as np
from scipy import ndimage

from afloc.imaging.image import Image

_TALL, _WIDE = 0.2, 0.5  # of the picture: how far a corner reaches
_STROKE = 11  # pixels: what is wider is no stroke of a letter
_CONTRAST = 50  # of a stroke with what is beside it, of 255
_GROUND = 90  # the most that lies between letters, of 255: they stand beside what is pictured
_LEAST_HEIGHT, _MOST_HEIGHT = 6, 60  # of a letter, in pixels
_TOUCHING = 4  # times its height: how broad a spot of letters that touch may be
_ENOUGH = 1000  # pixels of the shorter side: of a larger picture every second, third … is looked at
_LETTERS = 6  # in one line, before it is text: a side marker ("R", "L", "PA") is none


def shows_text(pixels: np.ndarray, window: tuple[float, float] = (0.0, 255.0)) -> bool:
    """Whether a line of printed text stands in a corner of a picture: gray (H, W) with its window, or colour
    as it is shown, uint8 (H, W, 3).

    Letters are thin spots, alike in height, side by side on one line: white on black, in a gray picture black
    on white too. What is written by hand, very small, or over what is pictured is missed.
    """
    step = max(1, min(pixels.shape[:2]) // _ENOUGH)
    pixels = pixels[::step, ::step]
    if pixels.ndim == 2:
        pixels = Image(pixels, window).gray()
    height, width = pixels.shape[:2]
    tall, wide = max(int(_TALL * height), 24), max(int(_WIDE * width), 24)
    for rows in (slice(0, tall), slice(max(height - tall, 0), height)):
        for columns in (slice(0, wide), slice(max(width - wide, 0), width)):
            corner = pixels[rows, columns]
            if (
                corner.ndim == 3
            ):  # white is bright, and black dark, in every channel: stained tissue is neither
                if _has_line(corner.min(2), corner.max(2)):
                    return True
            elif _has_line(corner, corner) or _has_line(255 - corner, 255 - corner):
                return True
    return False


def _has_line(corner: np.ndarray, ground: np.ndarray) -> bool:
    """Whether letters that are bright in `corner` stand on a line that is dark in `ground`."""
    strokes = corner.astype(np.int16) - ndimage.grey_opening(corner, (_STROKE, _STROKE)) > _CONTRAST
    labels, _ = ndimage.label(strokes, np.ones((3, 3)))
    boxes = []
    for rows, columns in ndimage.find_objects(labels):
        high, broad = rows.stop - rows.start, columns.stop - columns.start
        if _LEAST_HEIGHT <= high <= _MOST_HEIGHT and broad <= _TOUCHING * high:
            boxes.append((columns.start, columns.stop, rows.start, rows.stop))
    boxes.sort()
    for first, (left, end, top, bottom) in enumerate(boxes):
        tall, letters = bottom - top, max(1.0, (end - left) / (bottom - top))
        for start, stop, up, down in boxes[first + 1 :]:
            if start - end > 1.2 * tall:
                break
            level = min(bottom, down) - max(top, up) >= 0.7 * tall and 0.6 * tall <= down - up <= 1.5 * tall
            if level and start >= end - 2:
                letters, end = letters + max(1.0, (stop - start) / tall), stop
        if letters >= _LETTERS and _is_dark(ground, strokes, (slice(top, bottom), slice(left, end))):
            return True
    return False


def _is_dark(ground: np.ndarray, strokes: np.ndarray, line: tuple[slice, slice]) -> bool:
    """Whether what lies between the letters of a line is nearly black, as beside a film or an eye."""
    between = ground[line][~ndimage.binary_dilation(strokes[line])]
    return not between.size or float(np.median(between)) <= _GROUND
