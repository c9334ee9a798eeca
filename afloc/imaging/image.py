"""The one way in for pictures: a file or an array becomes an `Image`, or an `ImageError` of one sentence.

An uploaded file is hostile until decoded: decoders run in a process of their own (`decoder_pool`) with
limits to its time and memory, sizes are checked before one runs, whatever it raises or dies of becomes an
`ImageError`, and nothing a file says about its patient gets out (its name, its tags, a decoder's warning that
quotes them).
"""

import contextlib
import hashlib
import operator
import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np

from afloc.errors import ImageError
from afloc.imaging import decoder_pool as decoding
from afloc.imaging.capture import Capture

MAX_BYTES = 300_000_000
MAX_PIXELS = 80_000_000
MAX_FRAMES = 500
MIN_SIDE = 16

ACCEPTED = "DICOM, PNG, JPEG, TIFF or WebP"
FIRST_FRAME = "The file holds several frames; the first is used."
TOO_LARGE = (
    f"The image is too large: give a file of at most {MAX_BYTES // 1_000_000} MB and "
    f"{MAX_PIXELS // 1_000_000} megapixels, of a slide a region or a lower magnification."
)
NO_FILE = f"There is no file that can be opened: give a {ACCEPTED} file."

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HEAD = 132  # bytes that tell what a file is


def before_decoding(pixels: int) -> None:
    """Is told how large a picture is before memory is taken for it; `decoder_process` waits for room here."""


@dataclass(frozen=True)
class Orientation:
    """How the patient lies in a picture, as its file says it; None where the file is silent.

    ``patient_right``: the side of the picture, "left" or "right", where the patient's right lies.
    ``view``: "frontal" or "lateral". ``eye``: the patient's "right" or "left" eye, of a picture of one.
    ``patient_front``: as ``patient_right``, of a picture from the side.
    """

    patient_right: str | None = None
    view: str | None = None
    eye: str | None = None
    patient_front: str | None = None


@dataclass(frozen=True)
class Header:
    """`height` and `width` of the picture as `read_image` gives it, upright.

    ``turn``: the EXIF orientation, 1 to 8, that it is stored with; 1 is upright. ``frames``: how many
    pictures the file holds.
    """

    height: int
    width: int
    turn: int = 1
    frames: int = 1


@dataclass(frozen=True, eq=False)
class Image:
    """A picture as it is shown, and nothing else of the file it came from.

    ``pixels``: (H, W) gray or (H, W, 3) RGB, uint8 or uint16, read-only, larger is brighter.
    ``window``: the pixel values (low, high) shown black and white.
    ``notes``: sentences for the reader about what was left out.
    ``spacing``: (row, column) distance of pixel centres in mm, where the file gives it.
    ``aspect``: height of a pixel over its width. Pixels are never resampled to make them square: places in
    the picture stay those of the file, and who shows it stretches it by this.
    ``orientation``: how the patient lies in it, as far as the file says.
    ``frames``: how many pictures the file holds. ``burned_in``: whether the file says that text is burned
    into the pixels; None where it says nothing. ``capture``: view, date and what ``spacing`` is of.
    """

    pixels: np.ndarray = field(repr=False)
    window: tuple[float, float]
    notes: tuple[str, ...] = ()
    spacing: tuple[float, float] | None = None
    aspect: float = 1.0
    orientation: Orientation = Orientation()
    frames: int = 1
    burned_in: bool | None = None
    capture: Capture = Capture()

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of what is shown: shape, dtype, pixels, window, and aspect if not square."""
        shown = (self.pixels.shape, self.pixels.dtype.name, self.window)
        digest = hashlib.sha256(repr(shown if self.aspect == 1 else (*shown, self.aspect)).encode())
        digest.update(self.pixels.data)
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
        if self.pixels.dtype == np.uint8 and (low, high) == (0, 255):
            return self.pixels
        values = np.arange(np.iinfo(self.pixels.dtype).max + 1.0)
        shown = (values - low) / (high - low) if high > low else values > low
        return np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)[self.pixels]


def read_image(source: str | Path | bytes | BinaryIO, frame: int = 0) -> Image:
    """Read a DICOM, PNG, JPEG, TIFF or WebP image from a path, its bytes or an open binary file.

    8 and 16 bits, gray and colour; transparency is put on black, EXIF rotation and DICOM's lookup tables or
    window are applied. `frame`: which picture of a file that holds several, from 0. Safe to call from several
    threads at once.

    Raises ImageError: none of these formats, damaged, under 16 pixels a side, over 80 megapixels, 300 MB or
    500 frames, a frame that is not there, or a file that takes more time or memory than `decoder_pool`
    grants.
    """
    try:
        frame = min(operator.index(frame), MAX_FRAMES)
    except TypeError:
        raise ImageError("The frame must be a whole number: 0 is the first.") from None
    data = _read_bytes(source)
    _check_kind(data)
    answer, pixels = decoding.ask("read", data, len(data), frame=frame)
    assert pixels is not None  # only an answer without an image has none
    return Image(
        pixels,
        tuple(answer["window"]),
        tuple(answer["notes"]),
        answer["spacing"] and tuple(answer["spacing"]),
        answer["aspect"],
        Orientation(**answer["orientation"]),
        answer["frames"],
        answer["burned_in"],
        Capture(**answer["capture"]),
    )


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) that `read_image` would give a file, from its header alone; ImageError as there."""
    header = read_header(path)
    return header.height, header.width


def read_header(path: str | Path) -> Header:
    """What a file says of its picture, without decoding it; ImageError as of `read_image`."""
    with _open(path) as file:
        _check_kind(file.read(_HEAD))
        size = os.fstat(file.fileno()).st_size
    answer, _ = decoding.ask("header", os.fsencode(os.path.abspath(path)), size)
    return Header(**answer)


def read_mask(path: str | Path) -> np.ndarray:
    """bool (H, W): where the first picture of a file is not zero, as its numbers are stored.

    Of a picture compressed with a loss, where it is brighter than half. ImageError as of `read_image`, and
    where such a picture has no white at all.
    """
    data = _read_bytes(path)
    _check_kind(data)
    _, marked = decoding.ask("mask", data, len(data))
    assert marked is not None  # a mask is always answered with its pixels
    return np.asarray(marked > 0)


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
        return make_image(on_black(array), (0, 65535))
    elif array.dtype not in (np.uint8, np.uint16):
        raise ImageError("An image array must hold uint8, uint16 or bool values, or floats from 0 to 1.")
    return make_image(on_black(array))


def make_image(
    pixels: np.ndarray,
    window: tuple[float, float] | None = None,
    notes: tuple[str, ...] = (),
    spacing: tuple[float, float] | None = None,
    **more,
) -> Image:
    """An `Image` of uint8 or uint16 pixels; without a window, one that suits them."""
    pixels = np.array(pixels, pixels.dtype.newbyteorder("="), order="C")
    pixels.setflags(write=False)
    low, high = window or suitable_window(pixels)
    return Image(pixels, (float(low), float(high)), notes, spacing, **more)


def check_size(height: int, width: int) -> None:
    """Raise ImageError for a picture too small to show anything or too large to hold."""
    if min(height, width) < MIN_SIDE:
        raise ImageError(f"The image is too small: give one of at least {MIN_SIDE} x {MIN_SIDE} pixels.")
    if height * width > MAX_PIXELS:
        raise ImageError(TOO_LARGE)
    before_decoding(height * width)


def check_frames(count: int) -> None:
    """Raise ImageError for more frames than an image of one has any reason to come with."""
    if count > MAX_FRAMES:
        raise ImageError(f"The file holds more than {MAX_FRAMES} frames: export the one to look at.")


def check_frame(frame: int, frames: int) -> None:
    """Raise ImageError for a frame that the file does not hold."""
    if not 0 <= frame < frames:
        if frames == 1:
            raise ImageError("The file holds one frame: ask for frame 0.")
        raise ImageError(f"The file holds {frames} frames: ask for one from 0 to {frames - 1}.")


def stretch(values: np.ndarray) -> np.ndarray:
    """Any finite numbers as uint16, the smallest at 0 and the largest at 65535. Raises ImageError for NaN."""
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ImageError("The image holds values that are not finite numbers: export it again without them.")
    low, high = values.min(), values.max()
    # Halves, because the difference of two finite numbers may not be finite.
    return np.rint((values / 2 - low / 2) / ((high / 2 - low / 2) or 1) * 65535).astype(np.uint16)


def mark(values: np.ndarray, lossy: bool, top: int) -> np.ndarray:
    """bool (H, W): where a mask's numbers, (H, W) or (H, W, C), are not zero in any channel.

    `lossy`: compression changed them a little; then where they are above half of `top`. ImageError where none
    is.
    """
    if lossy and values.any():
        if values.max() <= top // 2:
            raise ImageError("A mask compressed with a loss must be black and white: save it as PNG.")
        values = values > top // 2
    return values != 0 if values.ndim == 2 else (values != 0).any(2)


def is_dicom(data: bytes) -> bool:
    """With a preamble (it may look like a TIFF), or without: then an element of group 2 or 8 is first."""
    return data[128:132] == b"DICM" or data[:2] in (b"\x02\0", b"\x08\0", b"\0\x02", b"\0\x08")


def _check_kind(data: bytes) -> None:
    if not data:
        raise ImageError(f"The file is empty: give a {ACCEPTED} file.")
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if not (is_dicom(data) or data.startswith(_SIGNATURES) or webp):
        raise ImageError(f"This is not an image AFLoc reads: give a {ACCEPTED} file.")


def _read_bytes(source: str | Path | bytes | BinaryIO) -> bytes:
    data = None
    with contextlib.suppress(OSError, ValueError, TypeError):
        if isinstance(source, bytes | bytearray | memoryview):
            data = bytes(source)
        elif hasattr(source, "read"):
            data = source.read(MAX_BYTES + 1)
        else:
            with _open(source) as file:
                data = file.read(os.fstat(file.fileno()).st_size)  # no more, should it grow
    if not isinstance(data, bytes):
        raise ImageError(NO_FILE)
    if len(data) > MAX_BYTES:
        raise ImageError(TOO_LARGE)
    return data


def _open(path: str | Path) -> BinaryIO:
    """A regular file, never a pipe or a device, which might never end."""
    descriptor = None
    with contextlib.suppress(OSError, ValueError, TypeError):
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if descriptor is None:
        raise ImageError(NO_FILE)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size <= MAX_BYTES:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise ImageError(TOO_LARGE if stat.S_ISREG(found.st_mode) else NO_FILE)


def on_black(array: np.ndarray) -> np.ndarray:
    """Drop the fourth channel, transparent parts black; drop a channel axis of one."""
    if array.ndim == 2 or array.shape[2] == 3:
        return array
    if array.shape[2] == 1:
        return array[..., 0]
    seen = np.empty((*array.shape[:2], 3), array.dtype)
    for row, line in zip(seen, array, strict=True):  # row by row: the fractions take four times the memory
        row[:] = np.rint(line[:, :3] * (line[:, 3:] / np.iinfo(array.dtype).max))
    return seen


def suitable_window(pixels: np.ndarray) -> tuple[float, float]:
    """The full range of 8 bits, also where it was copied into 16 (each value times 257, or times 256).

    Of other colours of 16 bits the range of the smallest usual depth, so that they keep their proportions. Of
    16-bit gray the range in use (12 bits are common), without the outermost 0.1%.
    """
    if pixels.dtype == np.uint8:
        return 0, 255
    if _is_copy_of_bytes(pixels):
        return 0, 65535 if pixels.max() % 257 == 0 else 65280
    if pixels.ndim == 3:
        top = int(pixels.max())
        return 0, next(2**bits - 1 for bits in (8, 10, 12, 14, 16) if top < 2**bits)
    sample = pixels.reshape(-1)[:: max(1, pixels.size // 4_000_000)]
    low, high = np.percentile(sample, (0.1, 99.9))
    if low == high:
        low, high = int(pixels.min()), int(pixels.max())
    return (low, high) if low < high else (0, 65535)


def _is_copy_of_bytes(pixels: np.ndarray) -> bool:
    """Whether 16-bit pixels hold 8 bits, in the high byte, with 0 or the same value in the low one."""
    parts = [pixels[:: max(1, len(pixels) // 16)], *np.array_split(pixels, 64)]  # most are told by the first
    repeated = all(np.array_equal(part & 255, part >> 8) for part in parts)
    return bool(pixels.any()) and (repeated or not any((part & 255).any() for part in parts))
