"""A PNG, JPEG, WebP or TIFF without what it says of anything but its pixels: EXIF, XMP, IPTC, comments, and
whatever stands behind its end. The pixels stay as they are coded, and so do what turns them upright, their
colours and, of a microscope, their size.
"""

import io
import zlib

from PIL import Image as Pillow

from afloc.errors import ImageError
from afloc.imaging import jpeg, png, tiff
from afloc.imaging.image import read_image
from afloc.imaging.raster_spacing import shortest_description

NOT_WRITTEN = "This picture cannot be kept without the texts in its file: export it again as PNG."
_NUMBERS = (274, 282, 283, 296)  # of EXIF: orientation, resolution and its unit
_PNG_KEPT = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT"),
    *(b"pHYs", b"acTL", b"fcTL", b"fdAT"),
}
_WEBP_DROPPED = (b"EXIF", b"XMP ")
_WEBP_FLAGS = 0x08 | 0x04  # "has EXIF", "has XMP", in the first byte of VP8X
_TIFF_BLOCKS = (700, 33723, 34377, 50839, 50838)  # XMP, IPTC, Photoshop, ImageJ
_TIFF_DIRECTORIES = (34665, 34853)  # EXIF, GPS
_DESCRIPTION, _TEXT = 270, 2  # a tag, a type


def strip_texts(data: bytes) -> bytes:
    """The same picture in a file that tells nothing else; the same bytes for the same file.

    ImageError for a file that is no picture, or cannot be written so.
    """
    before = read_image(data)
    try:
        stripped = _strip(data)
        after = read_image(stripped)
    except Exception:  # Pillow raises what it likes
        raise ImageError(NOT_WRITTEN) from None
    same = ("digest", "spacing", "frames")
    if any(getattr(before, each) != getattr(after, each) for each in same):
        raise ImageError(NOT_WRITTEN)
    return stripped


def has_texts(data: bytes) -> bool:
    """Whether a picture file has something that `strip_texts` would take out."""
    try:
        return _strip(data) != data
    except Exception:  # Pillow raises what it likes
        return True


def _strip(data: bytes) -> bytes:
    if data[:2] in (b"II", b"MM"):
        return _strip_tiff(data)
    with Pillow.open(io.BytesIO(data)) as picture:
        exif = _numbers_of(picture)
    if data[:2] == b"\xff\xd8":
        return _strip_jpeg(data, exif)
    return _strip_png(data, exif) if data.startswith(png.SIGNATURE) else _strip_webp(data, exif)


def _numbers_of(picture: Pillow.Image) -> bytes:
    """The EXIF of a picture with the numbers alone that its pixels need; empty where there are none."""
    said, kept = picture.getexif(), Pillow.Exif()
    for tag in _NUMBERS:
        if tag in said:
            kept[tag] = said[tag]
    return kept.tobytes().removeprefix(b"Exif\0\0") if len(kept) else b""


def _strip_jpeg(data: bytes, exif: bytes) -> bytes:
    body = b"Exif\0\0" + exif
    kept = [data[:2], b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body if exif else b""]
    kept += [part for marker, part in jpeg.parts(data) if _is_kept(marker, part[4:])]
    return b"".join(kept)


def _is_kept(marker: int | None, body: bytes) -> bool:
    """Of a JPEG all but comments and what applications left, other than what tells its colours."""
    if marker == 0xE0:
        return body.startswith(b"JFIF\0")
    if marker == 0xE2:
        return body.startswith(b"ICC_PROFILE\0")
    if marker == 0xEE:
        return body.startswith(b"Adobe")
    return marker != 0xFE and not (marker and 0xE0 <= marker <= 0xEF)


def _strip_png(data: bytes, exif: bytes) -> bytes:
    kept = [png.SIGNATURE]
    for kind, chunk in png.chunks(data):
        if kind in _PNG_KEPT:
            kept.append(chunk)
        if kind == b"IHDR" and exif:
            body = b"eXIf" + exif
            kept.append(len(exif).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big"))
    return b"".join(kept)


def _strip_webp(data: bytes, exif: bytes) -> bytes:
    kept, at, end = [b"WEBP"], 12, 8 + int.from_bytes(data[4:8], "little")
    while at + 8 <= min(end, len(data)):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        chunk = bytearray(data[at : at + 8 + size + size % 2])
        if kind == b"VP8X":
            chunk[8] = chunk[8] & ~_WEBP_FLAGS | (0x08 if exif else 0)
        if kind not in _WEBP_DROPPED:
            kept.append(bytes(chunk))
        at += len(chunk)
    if exif:
        kept.append(b"EXIF" + len(exif).to_bytes(4, "little") + exif + b"\0" * (len(exif) % 2))
    body = b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _strip_tiff(data: bytes) -> bytes:
    """In place, for everything in a TIFF is found by its offset: texts become zeros."""
    stripped = bytearray(data)
    pages = tiff.read_pages(data)
    copies = [tiff.Page(data, at, page.order, page.big) for page in pages for at in page.numbers(330)[:64]]
    for page in (*pages, *copies):
        inner = [
            tiff.Page(data, at, page.order, page.big)
            for tag in _TIFF_DIRECTORIES
            for at in page.numbers(tag)[:1]
        ]
        for directory in (page, *inner):
            for tag, kind, start, end in directory.places():
                if kind == _TEXT or tag in _TIFF_BLOCKS or directory is not page:
                    said = shortest_description(page.text(tag)) if tag == _DESCRIPTION else ""
                    stripped[start:end] = said.encode().ljust(end - start, b"\0")[: end - start]
    return bytes(stripped)
