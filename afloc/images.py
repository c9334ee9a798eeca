"""The one way in for pictures: a file or an array becomes an `Image`, or an `ImageError` of one sentence.

An uploaded file is hostile until decoded: sizes are checked before a decoder runs, whatever a decoder raises
becomes an `ImageError`, and nothing a file says about its patient gets out (its name, its tags, a decoder's
warning that quotes them).
"""

import hashlib
import io
import logging
import threading
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image as Pillow

from afloc.errors import ImageError

MAX_BYTES = 300_000_000
MAX_PIXELS = 100_000_000
MIN_SIDE = 16

ACCEPTED = "DICOM, PNG, JPEG, TIFF or WebP"
FIRST_FRAME = "The file holds several frames; the first is used."

_RASTER = ("PNG", "JPEG", "TIFF", "WEBP")
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Warning filters belong to the whole process, and a large image takes much memory to decode: one at a time.
_decoding = threading.Lock()
logging.getLogger("PIL").setLevel(logging.CRITICAL)  # at its debug level it logs the tags of the file


@dataclass(frozen=True, eq=False)
class Image:
    """A picture as it is shown, and nothing else of the file it came from.

    ``pixels``: (H, W) gray or (H, W, 3) RGB, uint8 or uint16, read-only, larger is brighter.
    ``window``: the pixel values (low, high) shown black and white.
    ``notes``: sentences for the reader about what was left out.
    ``spacing``: (row, column) distance of pixel centres in mm, where the file gives it.
    """

    pixels: np.ndarray = field(repr=False)
    window: tuple[float, float]
    notes: tuple[str, ...] = ()
    spacing: tuple[float, float] | None = None

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of what is shown: shape, dtype, pixels and window."""
        digest = hashlib.sha256(repr((self.pixels.shape, self.pixels.dtype.name, self.window)).encode())
        digest.update(self.pixels)
        return digest.hexdigest()

    def rgb(self) -> np.ndarray:
        """The windowed picture, uint8 (H, W, 3)."""
        shown = self._shown()
        return shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)

    def gray(self) -> np.ndarray:
        """The windowed picture, uint8 (H, W); colours as their ITU-R BT.601 luma."""
        shown = self._shown()
        if shown.ndim == 2:
            return shown
        red, green, blue = (shown[..., channel].astype(np.uint32) for channel in range(3))
        return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype(np.uint8)

    def _shown(self) -> np.ndarray:
        low, high = self.window
        values = np.arange(np.iinfo(self.pixels.dtype).max + 1.0)
        shown = (values - low) / (high - low) if high > low else values > low
        return np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)[self.pixels]


def read_image(source: str | Path | bytes | BinaryIO) -> Image:
    """Read a DICOM, PNG, JPEG, TIFF or WebP image from a path, its bytes or an open binary file.

    8 and 16 bits, gray and colour; transparency is put on black, EXIF rotation and DICOM's lookup tables or
    window are applied, and of several frames the first is read.

    Raises ImageError: none of these formats, damaged, under 16 pixels a side, over 100 megapixels or 300 MB.
    """
    data = _read_bytes(source)
    if not data:
        raise ImageError(f"The file is empty: give a {ACCEPTED} file.")
    try:
        with _decoding, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote the file
            return _read(data)
    except ImageError:
        raise
    except (MemoryError, Pillow.DecompressionBombError):
        refusal = _too_large()
    except Exception:  # decoders raise anything on a damaged file, RecursionError included
        refusal = _damaged()
    raise refusal  # out here, so that no decoder's message is chained to it


def image_from_array(array: np.ndarray) -> Image:
    """An image from (H, W), (H, W, 3) or (H, W, 4) numbers: uint8, uint16, bool, or float from 0 to 1.

    Raises ImageError: another shape or kind, floats beyond 0 to 1 or not finite, a size `read_image` refuses.
    """
    array = np.asarray(array)
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,), (4,)):
        raise ImageError("An image array must have the shape (H, W), (H, W, 3) or (H, W, 4).")
    check_size(*array.shape[:2])
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif np.issubdtype(array.dtype, np.floating):
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ImageError("An image array of floats must hold finite numbers from 0 to 1.")
        array = np.rint(array * 65535.0).astype(np.uint16)
        return make_image(_on_black(array), (0, 65535))
    elif array.dtype not in (np.uint8, np.uint16):
        raise ImageError("An image array must hold uint8, uint16 or bool values, or floats from 0 to 1.")
    return make_image(_on_black(array))


def make_image(
    pixels: np.ndarray,
    window: tuple[float, float] | None = None,
    notes: tuple[str, ...] = (),
    spacing: tuple[float, float] | None = None,
) -> Image:
    """An `Image` of uint8 or uint16 pixels; without a window, one that suits them."""
    pixels = np.array(pixels, order="C")
    pixels.setflags(write=False)
    low, high = window or _suitable_window(pixels)
    return Image(pixels, (float(low), float(high)), notes, spacing)


def check_size(height: int, width: int) -> None:
    """Raise ImageError for a picture too small to show anything or too large to hold."""
    if min(height, width) < MIN_SIDE:
        raise ImageError(f"The image is too small: give one of at least {MIN_SIDE} x {MIN_SIDE} pixels.")
    if height * width > MAX_PIXELS:
        raise _too_large()


def stretch(values: np.ndarray) -> np.ndarray:
    """Any finite numbers as uint16, the smallest at 0 and the largest at 65535. Raises ImageError for NaN."""
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ImageError("The image holds values that are not finite numbers: export it again without them.")
    low, high = values.min(), values.max()
    # Halves, because the difference of two finite numbers may not be finite.
    return np.rint((values / 2 - low / 2) / ((high / 2 - low / 2) or 1) * 65535).astype(np.uint16)


def _too_large() -> ImageError:
    megabytes, megapixels = MAX_BYTES // 1_000_000, MAX_PIXELS // 1_000_000
    return ImageError(
        f"The image is too large: give a file of at most {megabytes} MB and {megapixels} megapixels."
    )


def _damaged() -> ImageError:
    return ImageError(f"The image is damaged or incomplete: export it again as {ACCEPTED}.")


def _read_bytes(source: str | Path | bytes | BinaryIO) -> bytes:
    data = None
    try:
        if isinstance(source, bytes | bytearray | memoryview):
            data = bytes(source)
        elif hasattr(source, "read"):
            data = source.read(MAX_BYTES + 1)
        elif Path(source).is_file():  # a pipe or a device would never end
            with open(source, "rb") as file:
                data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError, TypeError):
        data = None
    if not isinstance(data, bytes):
        raise ImageError(f"There is no file that can be opened: give a {ACCEPTED} file.")
    if len(data) > MAX_BYTES:
        raise _too_large()
    return data


def _read(data: bytes) -> Image:
    if _is_dicom(data):
        from afloc.dicom import read_dicom  # pydicom is slow to import, and most images are no DICOM

        return read_dicom(data)
    if data.startswith(_SIGNATURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return _read_raster(data)
    raise ImageError(f"This is not an image AFLoc reads: give a {ACCEPTED} file.")


def _is_dicom(data: bytes) -> bool:
    """With a preamble (it may look like a TIFF), or without: then an element of group 2 or 8 is first."""
    return data[128:132] == b"DICM" or data[:2] in (b"\x02\0", b"\x08\0", b"\0\x02", b"\0\x08")


def _read_raster(data: bytes) -> Image:
    picture = Pillow.open(io.BytesIO(data), formats=_RASTER)
    check_size(picture.height, picture.width)
    rawmode = _rawmode(picture)
    # An MPO is a photo from a phone with a preview behind it.
    several = picture.format != "MPO" and getattr(picture, "is_animated", False)
    tiff = picture.format == "TIFF"
    turn = 1 if tiff else picture.getexif().get(0x0112, 1)  # Pillow turns a TIFF by itself
    white_is_zero = tiff and picture.tag_v2.get(262) == 0
    pixels = _decode_raster(picture, rawmode, data)
    if white_is_zero and picture.mode in ("I;16", "F"):  # Pillow does it for fewer bits
        pixels = pixels.max() - pixels
    return make_image(_upright(pixels, turn), notes=(FIRST_FRAME,) if several else ())


def _decode_raster(picture: Pillow.Image, rawmode: str, data: bytes) -> np.ndarray:
    """uint8 or uint16 (H, W) or (H, W, 3), before rotation."""
    mode = picture.mode
    if mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)
    if mode in ("I", "F"):
        return stretch(np.asarray(picture))
    if mode in ("RGB", "RGBA") and (deep := _decode_deep(rawmode, data)) is not None:
        return _on_black(deep)
    if mode in ("PA", "La", "LA", "RGBa", "RGBA") or "transparency" in picture.info:
        return _on_black(np.asarray(picture.convert("RGBA")))
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
        again = Pillow.open(io.BytesIO(data), formats=_RASTER)
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


def _on_black(array: np.ndarray) -> np.ndarray:
    """Drop the fourth channel, transparent parts black; drop a channel axis of one."""
    if array.ndim == 2 or array.shape[2] == 3:
        return array
    if array.shape[2] == 1:
        return array[..., 0]
    alpha = array[..., 3:] / np.iinfo(array.dtype).max
    return np.rint(array[..., :3] * alpha).astype(array.dtype)


def _upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Undo the orientation an EXIF tag names (1 to 8; anything else: as it is)."""
    if turn in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _suitable_window(pixels: np.ndarray) -> tuple[float, float]:
    """The full range of 8 bits. Of 16, the range in use (12 bits are common), without the outermost 0.1%."""
    if pixels.dtype == np.uint8:
        return 0, 255
    sample = pixels.reshape(-1)[:: max(1, pixels.size // 4_000_000)]
    low, high = np.percentile(sample, (0.1, 99.9))
    if low == high:
        low, high = int(pixels.min()), int(pixels.max())
    return (low, high) if low < high else (0, 65535)
