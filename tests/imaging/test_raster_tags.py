"""A picture file as a study keeps it: the same picture, and nothing else of what the file said."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

from afloc.errors import ImageError
from afloc.imaging.image import read_image
from afloc.imaging.raster_tags import has_texts, strip_texts
from tests.imaging.dicoms import RAMP

SECRET = "Doe^Jane MRN-4711"
GRAY = np.kron(RAMP, np.ones((2, 1))).astype(np.uint8) * 3
RGB = np.stack([GRAY, 255 - GRAY, GRAY // 2], 2)
XMP = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{SECRET}</x:xmpmeta>".encode()


def exif(turn: int = 6, dots: float = 0) -> Pillow.Exif:
    said = Pillow.Exif()
    said[0x0112] = turn
    said[0x010E] = said[0x013B] = SECRET  # ImageDescription, Artist
    said.get_ifd(0x8769)[0x9286] = SECRET.encode()  # UserComment
    said.get_ifd(0x8825)[0x1D] = "1970:01:01"  # GPS
    if dots:
        said[0x011A] = said[0x011B] = dots
        said[0x0128] = 2
    return said


def saved(pixels: np.ndarray, kind: str, behind: bytes = b"", mode: str | None = None, **more) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(pixels).convert(mode).save(out, kind, **more)
    return out.getvalue() + behind


def with_texts() -> PngInfo:
    texts = PngInfo()
    texts.add_text("Patient", SECRET)
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    texts.add_text("Comment", SECRET, zip=True)
    return texts


def with_iptc(jpeg: bytes) -> bytes:
    body = b"Photoshop 3.0\0" + SECRET.encode()
    return jpeg[:2] + b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def tiff(**more) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, more.pop("pixels", GRAY), metadata=None, software=SECRET, datetime=True, **more)
    return out.getvalue()


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FILES = {
    "jpeg": saved(RGB, "JPEG", exif=exif(), comment=SECRET, icc_profile=PROFILE, xmp=XMP),
    "jpeg, progressive": saved(RGB, "JPEG", progressive=True, exif=exif(1), comment=SECRET),
    "jpeg, cmyk": saved(RGB, "JPEG", mode="CMYK", comment=SECRET),
    "jpeg, iptc": with_iptc(saved(GRAY, "JPEG")),
    "jpeg, microscope": saved(RGB, "JPEG", exif=exif(3, 50800.0)),
    "jpeg, more behind its end": saved(GRAY, "JPEG", behind=SECRET.encode()),
    "jpeg, cut off": saved(RGB, "JPEG", comment=SECRET)[:-2],
    "png": saved(RGB, "PNG", pnginfo=with_texts(), exif=exif(), dpi=(50800, 50800)),
    "png, palette": saved(RGB, "PNG", mode="P", pnginfo=with_texts(), behind=SECRET.encode()),
    "png, 16 bits": saved(GRAY.astype(np.uint16) * 200, "PNG", pnginfo=with_texts()),
    "webp": saved(RGB, "WEBP", exif=exif(), xmp=XMP, lossless=True),
    "webp, frames": saved(
        RGB, "WEBP", exif=exif(1), save_all=True, append_images=[Pillow.fromarray(255 - RGB)]
    ),
    "tiff": tiff(description=SECRET, compression="zlib"),
    "tiff, large": tiff(description=SECRET, bigtiff=True, byteorder=">"),
    "tiff, slide": tiff(description=f"Aperio Leica|Patient = {SECRET}|MPP = 0.25|Date = 01/01/70"),
    "tiff, ImageJ": tiff(
        description=f"ImageJ=1.5\nunit=um\ninfo={SECRET}\n",
        resolution=(4, 4),
        resolutionunit=1,
        extratags=[(700, 1, len(XMP), XMP, True)],
    ),
    "tiff, OME": tiff(
        description=f'<OME><Image Name="{SECRET}"><Pixels ID="{SECRET}" PhysicalSizeX="0.5" '
        'PhysicalSizeY="0.5" SizeX="1"/></Image></OME>'
    ),
    "tiff, exif": saved(RGB, "TIFF", exif=exif()),
    "tiff, its own smaller copy": tiff(description=SECRET, extratags=[(0xFDE8, 4, 1, 8, True)]).replace(
        b"\xe8\xfd\4\0\1\0\0\0\x08\0\0\0", b"\x4a\1\4\0\1\0\0\0\x08\0\0\0"
    ),  # its first page, at byte 8
}


@pytest.mark.parametrize("kind", FILES)
def test_the_picture_stays_and_what_is_said_goes(kind):
    data = FILES[kind]
    kept = strip_texts(data)
    before, after = read_image(data), read_image(kept)
    assert after.digest == before.digest and after.notes == before.notes
    assert (after.spacing, after.frames) == (before.spacing, before.frames)
    told = kept + kept.replace(b"\0", b"")  # as UTF-16, too
    for secret in (b"Doe^Jane", b"MRN-4711", b"1970:01:01", b"01/01/70", b"xmpmeta"):
        assert secret not in told, secret
    assert has_texts(data) and not has_texts(kept)
    assert strip_texts(kept) == kept, "what is kept keeps its name"
    if not kind.startswith("tiff"):
        was, now = (Pillow.open(io.BytesIO(each)) for each in (data, kept))
        assert now.info.get("icc_profile") == was.info.get("icc_profile")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_file_that_tells_nothing_stays_as_it_is(kind):
    data = saved(RGB, kind)
    assert strip_texts(data) == data and not has_texts(data)


def test_what_is_no_picture_is_refused():
    with pytest.raises(ImageError):
        strip_texts(b"\xff\xd8 no picture")
    with pytest.raises(ImageError):
        strip_texts(FILES["png"][:200])
