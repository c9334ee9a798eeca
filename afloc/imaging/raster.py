"""PNG, JPEG, TIFF and WebP to `Image`."""

import io
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image as Pillow
from PIL import PngImagePlugin

from afloc.imaging.image import (
    FIRST_FRAME,
    MAX_FRAMES,
    Image,
    check_frames,
    check_size,
    make_image,
    on_black,
    stretch,
)

PngImagePlugin.MAX_TEXT_MEMORY = 4 << 20  # nothing is done with texts

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width


def read_raster(data: bytes) -> Image:
    """The first frame, upright. Raises ImageError for a size not accepted, else whatever Pillow raises."""
    picture = _open(io.BytesIO(data))
    rawmode = _rawmode(picture)
    tiff = picture.format == "TIFF"
    # An MPO is a photo from a phone with a preview behind it.
    frames = _count_pages(data) if tiff else 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
    check_frames(frames)
    turn = 1 if tiff else picture.getexif().get(0x0112, 1)  # Pillow turns a TIFF by itself
    white_is_zero = tiff and picture.tag_v2.get(262) == 0
    pixels = _decode(picture, rawmode, data)
    if white_is_zero and picture.mode in ("I;16", "F"):  # Pillow does it for fewer bits
        pixels = pixels.max() - pixels
    return make_image(_upright(pixels, turn), notes=(FIRST_FRAME,) if frames > 1 else ())


def raster_size(file: BinaryIO) -> tuple[int, int]:
    """(height, width) of the picture upright, from its header."""
    picture = _open(file)
    sideways = picture.format != "TIFF" and picture.getexif().get(0x0112, 1) in _SIDEWAYS
    return (picture.width, picture.height) if sideways else (picture.height, picture.width)


def _open(file: BinaryIO) -> Pillow.Image:
    picture = Pillow.open(file, formats=_FORMATS)
    check_size(picture.height, picture.width)
    return picture


def _count_pages(data: bytes) -> int:
    """Pages of a TIFF, as far as `check_frames` wants to know: a chain, each naming the place of the next."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    large = number(2, 2) == 43  # BigTIFF
    count_size, entry_size, offset_size = (8, 20, 8) if large else (2, 12, 4)
    page, pages = number(8 if large else 4, offset_size), set()
    while 0 < page < len(data) and page not in pages and len(pages) <= MAX_FRAMES:
        pages.add(page)
        page = number(page + count_size + entry_size * number(page, count_size), offset_size)
    return len(pages)


def _decode(picture: Pillow.Image, rawmode: str, data: bytes) -> np.ndarray:
    """uint8 or uint16 (H, W) or (H, W, 3), before rotation."""
    mode = picture.mode
    if mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)
    if mode in ("I", "F"):
        return stretch(np.asarray(picture))
    if mode in ("RGB", "RGBA") and (deep := _decode_deep(rawmode, data)) is not None:
        return on_black(deep)
    if mode in ("PA", "La", "LA", "RGBa", "RGBA") or "transparency" in picture.info:
        return on_black(np.asarray(picture.convert("RGBA")))
    return np.asarray(picture.convert("L" if mode in ("1", "L") else "RGB"))


def _rawmode(picture: Pillow.Image) -> str:
    """Pillow's name for how the pixels are stored; known until they are decoded."""
    arguments = picture.tile[0].args if picture.tile else ""
    return arguments if isinstance(arguments, str) else str((arguments or [""])[0])


def _decode_deep(rawmode: str, data: bytes) -> np.ndarray | None:
    """Colour of 16 bits a channel, uint16 (H, W, 3 or 4), or None where the file has 8.

    Pillow keeps the high bytes only; told that they stand in the other order, it keeps the low ones.
    """
    kind, _, order = rawmode.partition(";16")
    if kind not in ("RGB", "RGBX", "RGBA", "LA") or order not in ("B", "L", "N"):
        return None

    def decode(rawmode: str) -> np.ndarray:
        again = Pillow.open(io.BytesIO(data), formats=_FORMATS)
        again.tile = [
            tile._replace(args=rawmode if isinstance(tile.args, str) else (rawmode, *tile.args[1:]))
            for tile in again.tile
        ]
        return np.asarray(again).astype(np.uint16)

    if kind == "LA":  # two channels of two bytes, read as four of one
        bytes_ = decode("RGBA")
        gray, alpha = bytes_[..., 0] << 8 | bytes_[..., 1], bytes_[..., 2] << 8 | bytes_[..., 3]
        return np.stack([gray, gray, gray, alpha], axis=2)
    little = order == "L" or (order == "N" and np.little_endian)
    return decode(f"{kind};16{'L' if little else 'B'}") << 8 | decode(f"{kind};16{'B' if little else 'L'}")


def _upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Undo the orientation an EXIF tag names (1 to 8; anything else: as it is)."""
    if turn in _SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
