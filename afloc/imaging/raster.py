"""PNG, JPEG, TIFF and WebP to `Image`."""

import contextlib
import io
import mmap
from typing import BinaryIO

import numpy as np
from PIL import Image as Pillow
from PIL import PngImagePlugin, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from afloc.errors import ImageError
from afloc.imaging import jpeg, png, tiff, tiff_pixels
from afloc.imaging.capture import Capture
from afloc.imaging.exif_turn import SIDEWAYS, turn_upright
from afloc.imaging.image import (
    FIRST_FRAME,
    Header,
    Image,
    check_frame,
    check_frames,
    check_size,
    make_image,
    mark,
    on_black,
    stretch,
)
from afloc.imaging.raster_spacing import of_dots_per_inch

PngImagePlugin.MAX_TEXT_MEMORY = 4 << 20  # nothing is done with texts

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
_TIFF = (b"II", b"MM")
_LONG_TEXT = 1 << 16  # bytes
_STRIP = 256  # rows


def read_raster(data: bytes, frame: int = 0) -> Image:
    """A frame, upright. ImageError for a size, a frame or a kind not accepted, else what Pillow raises."""
    if data[:2] in _TIFF:
        return _read_tiff(data, frame)
    _check_jpeg(data)
    data = _without_texts(data)
    picture = _open(io.BytesIO(data))
    rawmode = _rawmode(picture)
    frames = _count_frames(picture)
    check_frames(frames)
    check_frame(frame, frames)
    if frame:
        picture.seek(frame)
    turn = picture.getexif().get(0x0112, 1)
    try:
        pixels = _decode(picture, rawmode, data)
    except OSError:
        pixels = _decode_without_end(data)
    spacing = of_dots_per_inch(picture.info.get("dpi"))
    return _make(turn_upright(pixels, turn), _notes(frame, frames), frames, spacing, turn)


def raster_header(file: BinaryIO) -> Header:
    """Size, turn and frames. Raises as `read_raster`."""
    if file.read(2) in _TIFF:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            pages = tiff.read_pages(data)
            pictures = tiff.pictures(pages)
            page, _ = tiff.fit(pictures[0], pages)
            (height, width), turn, frames = page.size, page.number(tiff.ORIENTATION, 1), len(pictures)
        check_size(height, width)
    else:
        file.seek(0)
        picture = _open(file)
        height, width, turn = picture.height, picture.width, picture.getexif().get(0x0112, 1)
        frames = _count_frames(picture)
    turn = turn if turn in range(1, 9) else 1
    return Header(*((width, height) if turn in SIDEWAYS else (height, width)), turn, frames)


def read_raster_mask(data: bytes) -> np.ndarray:
    """bool (H, W): where the first picture, as it is stored, is not zero. Raises as `read_raster`."""
    if data[:2] in _TIFF:
        pages = tiff.read_pages(data)
        page, _ = tiff.fit(tiff.pictures(pages)[0], pages)
        if not tiff_pixels.pillow_reads(page) and page.samples == 1:  # shown, its zero would move
            return turn_upright(tiff_pixels.read_marked(page), page.number(tiff.ORIENTATION, 1))
    pixels = read_raster(data).pixels
    return mark(pixels, _is_lossy(data), np.iinfo(pixels.dtype).max)


def _is_lossy(data: bytes) -> bool:
    """Whether pixels were changed a little when the picture was compressed."""
    if data[:2] in _TIFF:
        pages = tiff.read_pages(data)
        return tiff.pictures(pages)[0].number(259, 1) in tiff_pixels.LOSSY
    if data[:4] == b"RIFF":  # WebP: the chunk of a picture compressed without a loss is called VP8L
        return b"VP8L" not in data[:4096]
    return data[:2] == b"\xff\xd8"


def _count_frames(picture: Pillow.Image) -> int:
    # An MPO is a photo from a phone with a preview behind it.
    return 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)


def _read_tiff(data: bytes, frame: int) -> Image:
    pages = tiff.read_pages(data)
    check_frames(len(pages))
    pictures = tiff.pictures(pages)
    check_frame(frame, len(pictures))
    page, note = tiff.fit(pictures[frame], pages)
    check_size(*page.size)
    data = tiff.first(page)
    picture = None
    if tiff_pixels.pillow_reads(page):
        with contextlib.suppress(UnidentifiedImageError):
            picture = _open(io.BytesIO(data))
    if picture is None:
        pixels = turn_upright(tiff_pixels.read_deep(page), page.number(tiff.ORIENTATION, 1))
    else:
        pixels = _decode(picture, _rawmode(picture), data)  # Pillow turns it by itself
    notes = _notes(frame, len(pictures)) + ((note,) if note else ())
    whole = pictures[frame]
    spacing = whole.spacing
    if spacing:  # a reduced copy shows the same in fewer pixels
        (height, width), (row, column) = page.size, spacing
        spacing = row * whole.size[0] / height, column * whole.size[1] / width
    return _make(pixels, notes, len(pictures), spacing, page.number(tiff.ORIENTATION, 1))


def _make(
    pixels: np.ndarray, notes: tuple[str, ...], frames: int, spacing: tuple[float, float] | None, turn: int
) -> Image:
    """`pixels` are upright; `spacing` is that of the pixels as stored, before the `turn`."""
    if spacing and turn in SIDEWAYS:
        spacing = spacing[1], spacing[0]
    capture = Capture(plane="object" if spacing else None)
    return make_image(pixels, None, notes, spacing, frames=frames, capture=capture)


def _notes(frame: int, frames: int) -> tuple[str, ...]:
    return (FIRST_FRAME,) if frames > 1 and frame == 0 else ()


def _open(file: BinaryIO) -> ImageFile:
    picture = Pillow.open(file, formats=_FORMATS)
    check_size(picture.height, picture.width)
    return picture


def _check_jpeg(data: bytes) -> None:
    """Raise ImageError for the kinds of JPEG that Pillow does not read."""
    header = jpeg.read_frame(data)
    if header is None:
        return
    check_size(header.height, header.width)
    if header.lossless or header.precision != 8:
        kind = "JPEG-LS" if header.jpeg_ls else "lossless JPEG" if header.lossless else "JPEG"
        raise ImageError(
            f"The file is {header.precision}-bit {kind}, which AFLoc reads within DICOM alone: "
            "export it as PNG or TIFF."
        )


def _decode_without_end(data: bytes) -> np.ndarray:
    """A JPEG that lacks its last two bytes alone; OSError where part of the picture is missing."""
    ends = jpeg.end(data) if jpeg.read_frame(data) else []
    if len(ends) < 2:
        raise OSError
    pixels = [_decode(_open(io.BytesIO(each)), "", each) for each in ends]
    if not all(np.array_equal(pixels[0], other) for other in pixels[1:]):
        raise OSError
    return pixels[0]


def _without_texts(data: bytes) -> bytes:
    """A PNG without its long texts, which nothing is done with: Pillow refuses megabytes of them."""
    if not data.startswith(png.SIGNATURE) or len(data) < _LONG_TEXT:
        return data
    kept = (chunk for kind, chunk in png.chunks(data) if kind not in png.TEXTS or len(chunk) < _LONG_TEXT)
    return png.SIGNATURE + b"".join(kept)


def _decode(picture: Pillow.Image, rawmode: str, data: bytes) -> np.ndarray:
    """uint8 or uint16 (H, W) or (H, W, 3), before rotation."""
    mode = picture.mode
    if mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)
    if mode == "I":
        return stretch(np.asarray(picture))
    if mode in ("RGB", "RGBA") and (deep := _decode_deep(rawmode, data)) is not None:
        return on_black(deep)
    if mode in ("PA", "La", "LA", "RGBa", "RGBA") or "transparency" in picture.info:
        return on_black(np.asarray(picture.convert("RGBA")))
    return _to_array(picture, "L" if mode in ("1", "L") else "RGB")


def _to_array(picture: Pillow.Image, mode: str) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3), a strip at a time: of the whole picture Pillow would hold three copies more.
    It is empty afterwards."""
    pixels = np.empty((picture.height, picture.width, *((3,) if mode == "RGB" else ())), np.uint8)
    for top in range(0, picture.height, _STRIP):
        rows = pixels[top : top + _STRIP]
        rows[:] = picture.crop((0, top, picture.width, top + len(rows))).convert(mode)
    picture.close()
    return pixels


def _rawmode(picture: ImageFile) -> str:
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
            tile._replace(args=rawmode if isinstance(tile.args, str) else (rawmode, *(tile.args or ())[1:]))
            for tile in again.tile
        ]
        return np.asarray(again).astype(np.uint16)

    if kind == "LA":  # two channels of two bytes, read as four of one
        bytes_ = decode("RGBA")
        gray, alpha = bytes_[..., 0] << 8 | bytes_[..., 1], bytes_[..., 2] << 8 | bytes_[..., 3]
        return np.stack([gray, gray, gray, alpha], axis=2)
    little = order == "L" or (order == "N" and np.little_endian)
    return decode(f"{kind};16{'L' if little else 'B'}") << 8 | decode(f"{kind};16{'B' if little else 'L'}")
