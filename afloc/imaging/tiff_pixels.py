"""Pixels of a TIFF's page of other kinds than Pillow reads right.

Pillow still decompresses them: the page is presented to it as one of 8-bit gray, and what the bytes mean
(planes, signs, predictors, depths) is worked out here.
"""

import io
import struct

import numpy as np
from PIL import TiffImagePlugin

from afloc.errors import ImageError
from afloc.imaging.image import on_black, stretch
from afloc.imaging.tiff import Page

_LOSSLESS = (1, 5, 8, 32773, 32946, 34925, 50000)
_JPEG = (6, 7)
LOSSY = (*_JPEG, 33003, 33004, 33005, 34712, 34892, 50001)  # as a rule
_LIBTIFF = (2, 3, 4, 6, 7, 32771)  # others that Pillow's libtiff decompresses
# fmt: off
_COMPRESSIONS = {
    2: "CCITT", 3: "CCITT", 4: "CCITT", 5: "LZW", 6: "old JPEG", 7: "JPEG", 8: "Deflate", 22610: "JPEG XR",
    33003: "JPEG 2000", 33004: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 34661: "JBIG",
    34676: "SGI LogLuv", 34677: "SGI LogLuv", 34887: "LERC", 34892: "lossy DNG", 34925: "LZMA",
    34934: "JPEG XR", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}
# fmt: on
_COLOURS = {
    6: "YCbCr",
    8: "CIELab",
    9: "ICCLab",
    10: "ITULab",
    32803: "colour filter array",
    34892: "linear raw",
}
_UNSIGNED, _SIGNED, _FLOAT, _UNTOLD = 1, 2, 3, 4
_KINDS = {_UNSIGNED: "u", _UNTOLD: "u", _SIGNED: "i", _FLOAT: "f"}
_WHOLE = (8, 16, 32, 64)  # bits of numbers that numpy knows
_MIN_IS_WHITE, _GRAY, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6


def pillow_reads(page: Page) -> bool:
    """Whether Pillow, if it opens a page of this kind, gives its pixels as they are."""
    bits, gray = set(page.bits), page.colour in (_MIN_IS_WHITE, _GRAY)
    compressions = _JPEG if page.colour == _YCBCR else (*_LOSSLESS, *_LIBTIFF)
    if page.format not in (_UNSIGNED, _UNTOLD) or page.number(259, 1) not in compressions:
        return False
    if page.colour in _COLOURS and page.colour != _YCBCR:
        return False
    if bits <= {1, 2, 4, 8} and len(bits) == 1:
        return not (gray and page.samples > 2)
    colours = page.colour in (_RGB, _CMYK) and page.samples in (3, 4) and page.number(284, 1) == 1
    premultiplied = page.numbers(338)[:1] == (1,)  # of those it keeps 8 bits
    return bits == {16} and ((colours and not premultiplied) or (page.colour == _GRAY and page.samples == 1))


def read_deep(page: Page) -> np.ndarray:
    """uint8 or uint16 (H, W) or (H, W, 3), before rotation, of a page that Pillow does not read.

    Raises ImageError that names the kind where it is not read here either.
    """
    _check_kind(page)
    values = _samples(page)
    if page.colour == _PALETTE:
        palette = (np.array(page.numbers(320), np.uint16) >> 8).astype(np.uint8).reshape(3, -1).T
        return palette[np.minimum(values[..., 0], len(palette) - 1)]
    if values.dtype.kind != "u" or values.dtype.itemsize > 2:
        whole_range = (
            page.colour == _RGB and values.dtype.kind == "f" and 0 <= values.min() <= values.max() <= 1
        )
        values = np.rint(values * 65535.0).astype(np.uint16) if whole_range else stretch(values)
    colours = {_RGB: 3, _CMYK: 4}.get(page.colour, 1)
    alpha = (page.numbers(338) or (0,))[0] if page.samples > colours else 0
    if page.colour == _CMYK:
        top = np.iinfo(values.dtype).max
        return (np.uint32(1) * (top - values[..., :3]) * (top - values[..., 3:4]) // top).astype(values.dtype)
    if page.colour == _MIN_IS_WHITE:
        values = values.max() - values
    if alpha == 2:  # transparency not yet worked into the colours
        shown = np.repeat(values[..., :1], 3, axis=2) if colours == 1 else values[..., :3]
        return on_black(np.dstack([shown, values[..., colours]]))
    return values[..., 0] if colours == 1 else np.ascontiguousarray(values[..., :3])


def read_marked(page: Page) -> np.ndarray:
    """bool (H, W), before rotation: where a page of one sample, as it is stored, is not zero. ImageError as
    of `read_deep`."""
    _check_kind(page)
    values = _samples(page)[..., 0]
    if not np.isfinite(values).all():
        raise ImageError("The image holds values that are not finite numbers: export it again without them.")
    return values != 0


def _check_kind(page: Page) -> None:
    """Raise ImageError for a kind that `read_deep` does not read."""
    compression = page.number(259, 1)
    bits, kind = page.bits, page.format
    if compression not in _LOSSLESS:
        raise ImageError(_refusal(_describe(page)))
    if len(set(bits)) > 1 or len(bits) != page.samples or len(set(page.numbers(339))) > 1:
        raise ImageError(_refusal("channels of different depth"))
    if page.colour in (_MIN_IS_WHITE, _GRAY) and page.samples > 2:
        raise ImageError(_refusal(f"{page.samples} channels that are no colours"))
    if page.colour not in (_MIN_IS_WHITE, _GRAY, _RGB, _PALETTE, _CMYK):
        raise ImageError(_refusal(f"{_COLOURS.get(page.colour, 'unusual')} colours of {bits[0]} bits"))
    if page.samples < {_RGB: 3, _CMYK: 4}.get(page.colour, 1):
        raise ImageError(_refusal(f"colours of {page.samples} channels"))
    whole = bits[0] in _WHOLE
    if not (whole or (kind in (_UNSIGNED, _UNTOLD) and bits[0] < 16)) or (kind == _FLOAT and bits[0] == 8):
        raise ImageError(_refusal(_describe(page)))
    if kind not in _KINDS or page.number(317, 1) not in ((1, 2, 3) if whole else (1,)):
        raise ImageError(_refusal(_describe(page)))


def _describe(page: Page) -> str:
    compression = page.number(259, 1)
    kind = {_SIGNED: "signed ", _FLOAT: "floating-point ", 5: "complex ", 6: "complex "}.get(page.format, "")
    name = _COMPRESSIONS.get(compression, f"method {compression}")
    return f"{page.bits[0]}-bit {kind}pixels" + (f" compressed by {name}" if compression != 1 else "")


def _refusal(kind: str) -> str:
    return (
        f"The TIFF file holds {kind}, which AFLoc does not read: "
        "export it as PNG, or as TIFF with 8 or 16 bits and LZW compression."
    )


def _samples(page: Page) -> np.ndarray:
    """(H, W, samples) numbers of a page, in this machine's byte order."""
    planes = page.samples if page.number(284, 1) == 2 else 1
    samples = page.samples // planes
    parts = [_plane(page, plane, planes, samples) for plane in range(planes)]
    return parts[0] if planes == 1 else np.concatenate(parts, axis=2)


def _plane(page: Page, plane: int, planes: int, samples: int) -> np.ndarray:
    height, width = page.size
    bits, across = page.bits[0], page.number(322) if page.tiled else width
    row_bytes = -(-across * samples * bits // 8)
    rows = _rows(page, plane, planes, row_bytes, -(-width // across))
    rows = rows.reshape(height, -1, row_bytes)  # (H, tiles across, bytes of a tile's row)
    if bits in _WHOLE:
        values = _numbers(page, rows, samples, bits // 8).view(f"{_KINDS[page.format]}{bits // 8}")
    else:
        values = _unpack(rows, across * samples, bits)
    return values.reshape(height, -1, samples)[:, :width]


def _numbers(page: Page, rows: np.ndarray, samples: int, size: int) -> np.ndarray:
    """Numbers without a sign, of this machine's order, with the predictor undone: (H, tiles, numbers)."""
    predictor = page.number(317, 1)
    if predictor == 3:  # bytes of like weight lie together, each the difference to the one before
        summed = np.cumsum(rows.reshape(*rows.shape[:2], -1, samples), axis=2, dtype=np.uint8)
        parted = summed.reshape(*rows.shape[:2], size, -1).swapaxes(2, 3)
        return np.ascontiguousarray(parted).view(f">u{size}")[..., 0].astype(f"u{size}")
    numbers = rows.view(f"{page.order}u{size}").astype(f"u{size}")
    if predictor == 2:
        parted = numbers.reshape(*numbers.shape[:2], -1, samples)
        return np.cumsum(parted, axis=2, dtype=numbers.dtype).reshape(numbers.shape)
    return numbers


def _unpack(rows: np.ndarray, count: int, bits: int) -> np.ndarray:
    """Numbers of up to 16 bits that lie bit by bit in the bytes of a row."""
    values = np.empty((*rows.shape[:2], count), np.uint16)
    weights = 1 << np.arange(bits - 1, -1, -1)
    for row, line in zip(values, rows, strict=True):  # line by line: each bit takes a byte
        unpacked = np.unpackbits(line, axis=-1)[:, : count * bits]
        row[:] = unpacked.reshape(len(line), count, bits) @ weights
    return values


def _rows(page: Page, plane: int, planes: int, row_bytes: int, tiles: int) -> np.ndarray:
    """The decompressed bytes of a plane, uint8 (H, bytes), by way of a page of 8-bit gray."""
    offsets, counts = (324, 325) if page.tiled else (273, 279)
    tags = {
        256: row_bytes * tiles,
        257: page.size[0],
        258: 8,
        259: page.number(259, 1),
        262: 1,
        277: 1,
        284: 1,
    }
    tags |= {tag: page.number(tag) for tag in (266, 278, 323) if page.number(tag)}
    tags |= {322: row_bytes} if page.tiled else {}
    arrays = {tag: page.numbers(tag) for tag in (offsets, counts)}
    each = len(arrays[offsets]) // planes
    arrays = {tag: numbers[plane * each : (plane + 1) * each] for tag, numbers in arrays.items()}
    file = io.BytesIO(_head(page) + page.data[len(_head(page)) :] + _directory(page, tags | arrays))
    with TiffImagePlugin.TiffImageFile(file) as picture:
        return np.array(picture)


def _head(page: Page) -> bytes:
    """The head of a little-endian file like the page's, whose first directory lies at the page's end."""
    if page.big:
        return b"II" + struct.pack("<HHHQ", 43, 8, 0, len(page.data))
    return b"II" + struct.pack("<HI", 42, len(page.data))


def _directory(page: Page, tags: dict[int, int | tuple[int, ...]]) -> bytes:
    """An image file directory of these tags, to lie at the end of the page's file."""
    count, number, kind = ("Q", "Q", 16) if page.big else ("H", "I", 4)
    size = struct.calcsize(f"<{number}")
    start = len(page.data) + struct.calcsize(f"<{count}") + (4 + 2 * size) * len(tags) + size
    entries, tail = b"", b""
    for tag, values in sorted(tags.items()):
        values = values if isinstance(values, tuple) else (values,)
        packed = struct.pack(f"<{len(values)}{number}", *values)
        if len(values) != 1:
            packed, tail = struct.pack(f"<{number}", start + len(tail)), tail + packed
        entries += struct.pack(f"<HH{number}", tag, kind, len(values)) + packed
    return struct.pack(f"<{count}", len(tags)) + entries + bytes(size) + tail
