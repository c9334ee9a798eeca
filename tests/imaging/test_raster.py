"""Kinds of TIFF, PNG and JPEG that need more than the decoder's own answer."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from afloc.errors import ImageError
from afloc.imaging.image import image_size, read_image
from tests.imaging.dicoms import jpeg, jpeg12
from tests.imaging.test_image import make_png

tifffile = pytest.importorskip("tifffile")

RAMP = np.tile(np.arange(64), (48, 1))
SHOWN = np.rint(RAMP / 63 * 255)
DEEP = np.random.default_rng(1).integers(0, 65535, (50, 70, 3), dtype=np.uint16)
BARS = np.zeros((48, 64, 3), np.uint8)
BARS[:, :16], BARS[:, 16:32], BARS[:, 32:48], BARS[:, 48:] = (
    (200, 30, 30),
    (30, 200, 30),
    (30, 30, 200),
    (180, 180, 40),
)


def tiff(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def pages(*all_pages, **options):
    """A TIFF of pages: (pixels, options of that page)."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, **options) as writer:
        for pixels, more in all_pages:
            writer.write(pixels, metadata=None, **more)
    return file.getvalue()


def by_libtiff(pixels, **tags):
    """As Pillow writes it, compressed by libtiff."""
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "TIFF", **tags)
    return file.getvalue()


def directory(tags, data, order="<"):
    """A TIFF of one page with these tags (numbers of 4 bytes, or of 2 where they fit) and strip."""
    at = 8 + 2 + 12 * (len(tags) + 2) + 4
    out = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(tags) + 2)
    for tag, value in sorted((tags | {273: at, 279: len(data)}).items()):
        out += struct.pack(order + "HHII", tag, 4, 1, value)
    return out + bytes(4) + data


def refusal(data):
    with pytest.raises(ImageError) as caught:
        read_image(data)
    return str(caught.value)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 32)}, {"rowsperstrip": 7}, {"bigtiff": True}])
@pytest.mark.parametrize(
    "compression", [{}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}]
)
def test_colour_planes_of_sixteen_bits(order, layout, compression):
    options = {"photometric": "rgb", "byteorder": order, **layout, **compression}
    alpha = np.full((*DEEP.shape[:2], 1), 65535, np.uint16)
    alpha[:25] = 0
    behind = np.where(alpha, DEEP, 0)
    for samples, extra, wanted in (
        (DEEP, [], DEEP),
        (np.dstack([DEEP, alpha]), ["unassalpha"], behind),
        (np.dstack([behind, alpha]), ["assocalpha"], behind),
        (np.dstack([DEEP, alpha]), ["unspecified"], DEEP),
        (np.dstack([DEEP, alpha, alpha]), ["unspecified"] * 2, DEEP),
    ):
        planes = tiff(samples.transpose(2, 0, 1), planarconfig="separate", extrasamples=extra, **options)
        assert np.array_equal(read_image(planes).pixels, wanted), extra
        together = tiff(samples, planarconfig="contig", extrasamples=extra, **options)
        assert np.array_equal(read_image(together).pixels, wanted), extra


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["u2", "i1", "i2", "i4", "i8", "u4", "u8", "f2", "f4", "f8"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_gray_of_every_number(order, kind, compression):
    values = (RAMP - (0 if kind[0] == "u" else 32)).astype(kind)
    for predictor in {None, True if compression and kind in ("i1", "i2", "i4", "u4") else None}:
        options = {"byteorder": order, "compression": compression, "predictor": predictor}
        found = read_image(tiff(values, photometric="minisblack", **options))
        assert np.abs(found.gray() - SHOWN).max() <= 1
        found = read_image(tiff(values, photometric="miniswhite", **options))
        assert np.abs(found.gray() - (255 - SHOWN)).max() <= 1


def test_floats_as_libtiff_writes_them():
    for predictor in (1, 2, 3):
        data = by_libtiff((RAMP - 7.5).astype(np.float32), compression="tiff_lzw", tiffinfo={317: predictor})
        assert np.abs(read_image(data).gray() - SHOWN).max() <= 1, predictor


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("compression", [1, 8])
def test_packed_bits(order, bits, compression):
    values = RAMP << (bits - 6)
    unpacked = values[..., None] >> np.arange(bits - 1, -1, -1) & 1
    data = np.packbits(unpacked.astype(np.uint8).reshape(48, -1), axis=1).tobytes()
    data = zlib.compress(data) if compression == 8 else data
    tags = {256: 64, 257: 48, 258: bits, 259: compression, 262: 1, 277: 1, 278: 48}
    assert np.array_equal(read_image(directory(tags, data, order)).pixels, values)


def test_gray_with_transparency_of_sixteen_bits():
    gray = DEEP[..., 0]
    for extra, shown in (("unassalpha", np.repeat(gray[..., None], 3, 2)), ("unspecified", gray)):
        samples = np.dstack([gray, np.full_like(gray, 65535)])
        data = tiff(samples, photometric="minisblack", planarconfig="contig", extrasamples=[extra])
        assert np.array_equal(read_image(data).pixels, shown)


@pytest.mark.parametrize(
    "tags, name",
    [
        ({259: 33003}, "JPEG 2000"),
        ({259: 34887}, "LERC"),
        ({259: 50001}, "WebP"),
        ({259: 50002}, "JPEG XL"),
        ({259: 64000}, "method 64000"),
        ({262: 8, 277: 3}, "CIELab"),
        ({277: 5}, "5 channels"),
        ({258: 64, 339: 6}, "complex"),
        ({258: 24}, "24-bit"),
        ({259: 7, 258: 12}, "12-bit"),
    ],
)
def test_sound_kinds_that_are_not_read_are_named(tags, name):
    usual = {256: 64, 257: 48, 258: 8, 259: 1, 262: 1, 277: 1, 278: 48}
    sentence = refusal(directory(usual | tags, bytes(64 * 48 * 8)))
    assert name in sentence and "damaged" not in sentence and ": export" in sentence


def test_half_a_file_is_damaged():
    for data in (tiff(DEEP.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"), tiff(RAMP * 1.0)):
        assert "damaged" in refusal(data[:-4000])


# Pages


def test_a_thumbnail_is_not_the_picture(tmp_path):
    thumbnail = (DEEP[::2, ::2, 0] >> 8).astype(np.uint8), {"subfiletype": 1}
    full, other = (DEEP[..., 0] >> 8).astype(np.uint8), np.full((50, 70), 9, np.uint8)
    for big in (False, True):
        path = tmp_path / "film.tif"
        path.write_bytes(pages(thumbnail, (full, {}), bigtiff=big))
        image = read_image(path)
        assert np.array_equal(image.pixels, full) and image.frames == 1 and image.notes == ()
        assert image_size(path) == (50, 70)
    data = pages(thumbnail, (full, {}), thumbnail, (other, {}))
    assert read_image(data).frames == 2 and len(read_image(data).notes) == 1
    second = read_image(data, frame=1)
    assert np.array_equal(second.pixels, other) and second.notes == ()
    with pytest.raises(ImageError, match="2 frames"):
        read_image(data, frame=2)
    assert np.array_equal(read_image(pages(thumbnail)).pixels, thumbnail[0])  # nothing else is there


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP"])
def test_any_frame(kind):
    frames = [Pillow.fromarray(np.full((20, 30), value, np.uint8)) for value in (10, 20, 30)]
    file = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], **options)
    for number, value in enumerate((10, 20, 30)):
        image = read_image(file.getvalue(), frame=number)
        assert (image.pixels == value).all() and image.frames == 3
    with pytest.raises(ImageError, match="3 frames.*0 to 2"):
        read_image(file.getvalue(), frame=3)


def pyramid(levels, **options):
    """A TIFF that declares 20,000 x 12,000 pixels in tiles that are empty, and smaller copies of it."""
    tile = zlib.compress(bytes(256 * 256))
    count = 79 * 47
    tags = {256: 20000, 257: 12000, 258: 8, 259: 8, 262: 1, 277: 1, 322: 256, 323: 256}
    rest = io.BytesIO()
    with tifffile.TiffWriter(rest) as writer:
        for pixels, more in levels:
            writer.write(pixels, metadata=None, compression="zlib", tile=(64, 64), **more)
    rest = bytearray(rest.getvalue())
    at = len(rest)
    entries = sorted((tags | {324: None, 325: None}).items())
    arrays = at + 2 + 12 * len(entries) + 4
    head = struct.pack("<H", len(entries))
    for tag, value in entries:
        if value is None:
            value, number = arrays + (0 if tag == 324 else 4 * count), count
        else:
            number = 1
        head += struct.pack("<HHII", tag, 4, number, value)
    following = struct.unpack("<I", rest[4:8])[0]
    place = arrays + 8 * count
    head += struct.pack("<I", following)
    head += struct.pack(f"<{count}I", *[place] * count) + struct.pack(f"<{count}I", *[len(tile)] * count)
    rest[4:8] = struct.pack("<I", at)
    return bytes(rest + head + tile)


def test_the_largest_level_that_fits(tmp_path):
    wide, narrow = np.full((1200, 2000), 90, np.uint8), np.full((600, 1000), 50, np.uint8)
    label = np.full((400, 400), 7, np.uint8)
    data = pyramid([(narrow, {"subfiletype": 1}), (wide, {"subfiletype": 1}), (label, {})])
    path = tmp_path / "slide.svs"
    path.write_bytes(data)
    image = read_image(path)
    assert (image.pixels == 90).all() and image.pixels.shape == (1200, 2000) == image_size(path)
    assert "20000 x 12000" in image.notes[-1] and "2000 x 1200" in image.notes[-1]


def test_a_picture_too_large_without_a_copy():
    sentence = refusal(pyramid([(np.full((400, 400), 7, np.uint8), {})]))
    assert "too large" in sentence and "export a region" in sentence


def test_pages_behind_a_slide():
    """Aperio's thumbnail and label carry no mark; what follows the first page is no frame."""
    slide, label = np.full((300, 400), 90, np.uint8), np.full((30, 40), 7, np.uint8)
    data = pages((slide, {"tile": (64, 64), "description": "Aperio Image Library v1"}), (label, {}))
    assert read_image(data).frames == 1 and (read_image(data).pixels == 90).all()


# Sixteen bits


@pytest.mark.parametrize("colours", [BARS, BARS // 3])
def test_a_copy_in_sixteen_bits_is_the_picture(colours):
    for copy in (colours.astype(np.uint16) * 257, colours.astype(np.uint16) * 256):
        for data in (make_png(copy, 2), tiff(copy, photometric="rgb")):
            assert np.abs(read_image(data).rgb().astype(int) - colours).max() <= 1
    gray = colours[..., 0].astype(np.uint16) * 257
    assert np.abs(read_image(make_png(gray, 0)).gray().astype(int) - colours[..., 0]).max() <= 1


def test_deep_colours_keep_their_proportions():
    twelve = BARS.astype(np.uint16) * 16
    assert np.abs(read_image(make_png(twelve, 2)).rgb().astype(int) - BARS).max() <= 1
    sixteen = (BARS * 257.0 + 3).astype(np.uint16)
    assert np.abs(read_image(make_png(sixteen, 2)).rgb().astype(int) - BARS).max() <= 1


# JPEG and PNG


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("pixels", [BARS, (RAMP * 4).astype(np.uint8)])
def test_a_jpeg_without_its_end(pixels, options):
    random = np.random.default_rng(2).integers(0, 60, pixels.shape, dtype=np.uint8)
    whole = jpeg(np.clip(pixels.astype(int) + random, 0, 255).astype(np.uint8), **options)
    image = read_image(whole[:-2])
    assert np.array_equal(image.pixels, read_image(whole).pixels)
    for missing in (8, 100, len(whole) // 2):
        assert "damaged" in refusal(whole[:-missing])


def test_kinds_of_jpeg_that_are_not_read_are_named():
    steps = np.tile(np.array([500, 900, 1300, 1700]), (3, 1))
    assert "12-bit" in refusal(jpeg12(steps))
    film = bytearray(jpeg((RAMP * 4).astype(np.uint8)))
    at = film.index(b"\xff\xc0")
    for kind, name in ((0xC3, "lossless"), (0xF7, "JPEG-LS")):
        film[at + 1] = kind
        assert name in refusal(bytes(film))


def test_long_texts_in_a_png():
    film = make_png(RAMP, 0)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    plain = b"".join(chunk(b"tEXt", b"log\0" + b"x" * 900_000) for _ in range(6))
    packed = chunk(b"zTXt", b"log\0\0" + zlib.compress(np.random.default_rng(0).bytes(1_500_000)))
    for texts in (plain, packed, chunk(b"tEXt", b"log\0" + b"x" * 5_000_000)):
        assert np.array_equal(read_image(film[:33] + texts + film[33:]).pixels, RAMP)


NEEDED = """
import re, sys
from pathlib import Path
from afloc.imaging.decoder_process import decode
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
file = sys.stdin.buffer.read()
before = peak()
decode(file)
print((peak() - before) // 16_000_000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_picture_in_colour_takes_eight_bytes_a_pixel_at_most():
    """With 15, one of 79 megapixels found no room in a machine of 2 GB."""
    file = io.BytesIO()
    Pillow.new("RGB", (4000, 4000)).save(file, "PNG")
    call = [sys.executable, "-c", NEEDED]
    done = subprocess.run(call, input=file.getvalue(), capture_output=True, check=True)
    assert int(done.stdout) <= 8
