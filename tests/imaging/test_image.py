import io
import logging
import struct
import warnings
import zlib

import numpy as np
import pydicom
import pytest
from PIL import Image as Pillow
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

import afloc.imaging.image
from afloc.errors import ImageError
from afloc.imaging.image import image_from_array, read_image

ACCEPTED = "DICOM, PNG, JPEG, TIFF or WebP"
RAMP = np.tile(np.arange(64, dtype=np.uint16), (48, 1))  # 48 high, 64 wide
COLOUR = np.stack([RAMP, RAMP[::-1, ::-1], 20 + 0 * RAMP], axis=2)


def encode(pixels, kind="PNG", mode=None, **options):
    file = io.BytesIO()
    picture = Pillow.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(file, kind, **options)
    return file.getvalue()


def make_png(pixels, colour_type, declared=None):
    """A 16-bit PNG written by hand: Pillow writes no colours of 16 bits."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = declared or pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def make_dicom(pixels, photometric="MONOCHROME2", bits=None, preamble=True, **elements):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientID = "Planted^Person", "PLANTED-4711"
    dataset.set_pixel_data(pixels, photometric, bits or pixels.dtype.itemsize * 8)
    for name, value in elements.items():
        setattr(dataset, name, value)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=preamble)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_eight_bits_come_through_unchanged(kind):
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    colour = COLOUR.astype(np.uint8)
    image = read_image(encode(colour, kind, **options))
    assert (image.pixels == colour).all() and image.window == (0, 255)
    assert (image.rgb() == colour).all()
    if kind != "WEBP":
        gray = read_image(encode(RAMP.astype(np.uint8), kind))
        assert gray.pixels.shape == (48, 64) and (gray.gray() == RAMP).all()


def test_path_bytes_and_file_are_the_same_image(tmp_path):
    data = encode(COLOUR.astype(np.uint8), "JPEG")
    path = tmp_path / "film"
    path.write_bytes(data)
    images = [read_image(path), read_image(str(path)), read_image(data), read_image(io.BytesIO(data))]
    assert len({image.digest for image in images}) == 1
    assert not images[0].pixels.flags.writeable


def test_digest_follows_pixels_shape_dtype_and_window():
    digests = [
        image_from_array(array).digest
        for array in (RAMP, RAMP.T, RAMP.astype(np.uint8), RAMP.astype(float) / 65535, 2 * RAMP)
    ]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_twelve_bits_in_sixteen_are_not_black(kind):
    image = read_image(encode(RAMP * 64, kind))
    assert image.pixels.dtype == np.uint16 and (image.pixels == RAMP * 64).all()
    assert image.gray().min() == 0 and image.gray().max() == 255
    assert 100 < image.gray().mean() < 155


def test_sixteen_bit_colour_keeps_both_bytes():
    colour = COLOUR * 1000 + 37
    image = read_image(make_png(colour, 2))
    assert image.pixels.dtype == np.uint16 and (image.pixels == colour).all()
    alpha = np.full((48, 64, 1), 65535, np.uint16)
    assert (read_image(make_png(np.dstack([colour, alpha]), 6)).pixels == colour).all()
    gray = read_image(make_png(np.dstack([RAMP * 1000, alpha]), 4))
    assert (gray.pixels == (RAMP * 1000)[..., None]).all()


def test_sixteen_bit_colour_tiff():
    tifffile = pytest.importorskip("tifffile")
    for order in "<>":
        for compression in (None, "zlib"):
            file = io.BytesIO()
            options = {"photometric": "rgb", "byteorder": order, "compression": compression}
            tifffile.imwrite(file, COLOUR * 1000 + 37, **options)
            assert (read_image(file.getvalue()).pixels == COLOUR * 1000 + 37).all()


def test_transparency_is_put_on_black():
    pixels = np.dstack([np.full((20, 20, 3), 200, np.uint8), np.full((20, 20), 255, np.uint8)])
    pixels[:10, :, 3], pixels[10:12, :, 3] = 0, 128
    image = read_image(encode(pixels))
    assert (image.pixels[:10] == 0).all() and (image.pixels[12:] == 200).all()
    assert abs(image.pixels[10, 0, 0] - 100.0) <= 1


def test_other_pixel_kinds():
    gray = (RAMP * 4).astype(np.uint8)
    assert (read_image(encode(gray > 100)).pixels == np.where(gray > 100, 255, 0)).all()
    assert (read_image(encode(gray, mode="P")).gray() == gray).all()
    assert (read_image(encode(gray, "TIFF", mode="CMYK")).gray() == gray).all()
    floats = read_image(encode(RAMP.astype(np.float32) * 3 - 50, "TIFF"))
    assert (floats.gray() == np.rint(RAMP / 63 * 255)).all()
    signed = read_image(encode(RAMP.astype(np.int32) - 30, "TIFF"))
    assert (signed.gray() == floats.gray()).all()


def test_a_constant_image_is_an_image():
    for dtype in (np.uint8, np.uint16):
        image = read_image(encode(np.full((16, 16), 77, dtype)))
        assert image.gray().shape == (16, 16)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_rotation_is_undone(turn, kind):
    upright = (RAMP * 4).astype(np.uint8)
    upright[:20, :10] = 255
    # Where the tag says that the first row and the first column of the file belong.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }
    exif = Pillow.Exif()
    exif[0x0112] = turn
    for dtype in (np.uint8, np.uint16):
        data = encode(np.ascontiguousarray(stored[turn]).astype(dtype), kind, exif=exif)
        assert (read_image(data).pixels == upright).all()


def test_of_several_frames_the_first_with_a_note():
    frames = [Pillow.fromarray(np.full((20, 30), value, np.uint8)) for value in (10, 20, 30)]
    for kind in ("TIFF", "PNG", "WEBP"):
        file = io.BytesIO()
        frames[0].save(
            file,
            kind,
            save_all=True,
            append_images=frames[1:],
            **({"lossless": True} if kind == "WEBP" else {}),
        )
        image = read_image(file.getvalue())
        assert (image.pixels == 10).all() and len(image.notes) == 1
    frames_dicom = make_dicom(np.stack([RAMP, RAMP + 1]))
    image = read_image(frames_dicom)
    assert (image.pixels == RAMP).all() and len(image.notes) == 1
    assert read_image(make_dicom(RAMP)).notes == ()


# DICOM


def test_dicom_window_and_polarity():
    # PS3.3 C.11.2.1.2: with center 32 and width 21, 21.5 and below are black, 41.5 and above are white.
    film = read_image(make_dicom(RAMP, bits=12, WindowCenter=["32", "500"], WindowWidth=["21", "900"]))
    assert film.pixels.dtype == np.uint16 and film.window == (21.5, 41.5)
    assert film.gray()[0, 21] == 0 and film.gray()[0, 42] == 255 and 0 < film.gray()[0, 31] < 128
    inverted = read_image(make_dicom(RAMP, "MONOCHROME1", 12, WindowCenter="32", WindowWidth="21"))
    assert (inverted.gray().astype(int) + film.gray() == 255).all()
    assert film.digest != inverted.digest


def test_dicom_rescale_and_signed_pixels():
    signed = (RAMP.astype(np.int16) - 30) * 10
    film = read_image(
        make_dicom(signed, RescaleSlope="2", RescaleIntercept="-100", WindowCenter="0", WindowWidth="201")
    )
    value = signed[0] * 2 - 100
    assert (film.gray()[0, value <= -100.5] == 0).all() and (film.gray()[0, value >= 100] == 255).all()
    steep = read_image(make_dicom(RAMP, RescaleSlope="0.001", RescaleIntercept="0"))
    assert len(np.unique(steep.pixels)) == 64 and steep.gray().max() == 255


def table(outputs, first, bits=16):
    item = Dataset()
    item.LUTDescriptor = [len(outputs), first, bits]
    item.LUTData = np.asarray(outputs, "<u2").tobytes()
    return Sequence([item])


def test_dicom_lookup_tables():
    falling = table(range(60000, -1, -1000), 3)
    film = read_image(make_dicom(RAMP, VOILUTSequence=falling, WindowCenter="1", WindowWidth="2"))
    expected = 60000 - 1000 * (np.clip(RAMP[0].astype(int), 3, 63) - 3)
    assert (film.pixels[0] == expected).all() and film.window == (0, 65535)
    squares = table([value**2 for value in range(64)], 0)
    film = read_image(make_dicom(RAMP, ModalityLUTSequence=squares, WindowCenter="500.5", WindowWidth="1001"))
    assert (film.pixels == RAMP**2).all() and film.window == (0, 1000)


def test_dicom_without_window_shows_its_range_and_not_its_padding():
    pixels = RAMP + 1000
    pixels[:24] = 60000
    film = read_image(make_dicom(pixels, PixelPaddingValue=60000))
    assert (film.gray()[:24] == 0).all() and film.gray()[24:].max() == 255
    film = read_image(make_dicom(pixels, "MONOCHROME1", PixelPaddingValue=60000))
    assert (film.gray()[:24] == 0).all() and film.gray()[30, 0] == 255


def test_dicom_colour():
    colour = (COLOUR * 4).astype(np.uint8)
    assert (read_image(make_dicom(colour, "RGB")).pixels == colour).all()
    palette = read_image(get_testdata_file("examples_palette.dcm"))
    assert palette.pixels.shape == (350, 800, 3) and palette.rgb().std() > 10
    stripes = read_image(get_testdata_file("SC_rgb_gdcm_KY.dcm")).rgb().astype(int)
    for name in ("SC_ybr_full_422_uncompressed", "SC_rgb_jpeg_dcmtk", "SC_rgb_rle", "SC_rgb_rle_16bit"):
        assert np.abs(read_image(get_testdata_file(f"{name}.dcm")).rgb() - stripes).mean() < 2, name


@pytest.mark.parametrize("name", ["RLE", "jp2klossless", "jpeg_ls_lossless", "bigendian", "implicit"])
def test_dicom_transfer_syntaxes(name):
    plain = read_image(get_testdata_file("MR_small.dcm"))
    assert read_image(get_testdata_file(f"MR_small_{name}.dcm")).digest == plain.digest
    assert plain.spacing == (0.3125, 0.3125)


def test_dicom_jpeg_and_jpeg_2000_films():
    for name in ("JPEG2000.dcm", "JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm"):
        assert read_image(get_testdata_file(name)).gray().std() > 10


def test_dicom_without_preamble():
    bare = make_dicom(RAMP)[132:]  # begins with the file meta
    assert read_image(bare).digest == read_image(make_dicom(RAMP)).digest
    dataset = pydicom.dcmread(io.BytesIO(make_dicom(RAMP)))
    file = io.BytesIO()
    body = Dataset({element.tag: element for element in dataset})
    body.save_as(file, implicit_vr=True, little_endian=True)
    assert read_image(file.getvalue()).digest == read_image(bare).digest


def test_nothing_identifies_the_patient(tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    good = make_dicom(RAMP, PatientComments="PLANTED", WindowCenter="32", WindowWidth="21")
    broken = [
        good[:-200],
        good.replace(b"MONOCHROME2", b"PLANTED    "),
        good.replace(b"\x28\0\x10\0US", b"\x28\0\x10\0ZZ"),
    ]
    broken.append(make_dicom(RAMP, PixelSpacing=["1", "1"]).replace(b"1\\1 ", b"PLAN"))
    said = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number, data in enumerate([good, *broken]):
            path = tmp_path / f"PLANTED-{number}.dcm"
            path.write_bytes(data)
            try:
                image = read_image(path)
                said += repr(image) + repr(vars(image))
            except ImageError as error:
                said += repr(error) + repr(error.__cause__) + repr(error.__context__)
    said += caplog.text + "".join(map(str, caught)) + "".join(capfd.readouterr())
    assert "damaged" in said
    assert "planted" not in said.lower()


# Refusals


def refuse(source):
    with pytest.raises(ImageError) as caught:
        read_image(source)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and ": " in sentence
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    return sentence


def test_what_is_no_image_is_refused(tmp_path):
    good = encode(COLOUR.astype(np.uint8))
    others = [encode(COLOUR.astype(np.uint8), "GIF"), encode(COLOUR.astype(np.uint8), "BMP"), b"%PDF-1.7 ..."]
    others += [b"", b"left pleural effusion", b"\0" * 500, b"\x89PNG", bytes(range(256))]
    others += [
        tmp_path,
        tmp_path / "secret-name.png",
        "\0",
        "",
        None,
        7,
        io.StringIO("text"),
        good[: len(good) // 2],
    ]
    for other in others:
        sentence = refuse(other)
        assert ACCEPTED in sentence and "secret" not in sentence


def test_pictures_without_pixels_are_refused():
    for name in ("rtplan.dcm", "test-SR.dcm"):
        assert "no picture" in refuse(get_testdata_file(name))


def test_sizes_are_refused_before_decoding(monkeypatch):
    for declared in ((60000, 60000), (9000, 9000), (2**31 - 1, 2**31 - 1)):
        refuse(make_png(RAMP, 0, declared))
    assert "80 megapixels" in refuse(make_png(RAMP, 0, (60000, 60000)))
    assert "80 megapixels" in refuse(make_dicom(RAMP, Rows=60000, Columns=60000))
    lying = pydicom.dcmread(get_testdata_file("JPEG2000.dcm"))
    at = lying.PixelData.index(b"\xff\x4f\xff\x51")
    size = struct.pack(">II", 60000, 60000)  # of the JPEG 2000 stream; Rows and Columns stay
    lying.PixelData = lying.PixelData[: at + 8] + size + lying.PixelData[at + 16 :]
    file = io.BytesIO()
    lying.save_as(file)
    assert "80 megapixels" in refuse(file.getvalue())
    assert "16 x 16" in refuse(encode(np.zeros((15, 400), np.uint8)))
    monkeypatch.setattr(afloc.imaging.image, "MAX_BYTES", 1000)
    assert "megapixels" in refuse(bytes(1001))


def test_values_that_are_no_numbers_are_refused():
    floats = RAMP.astype(np.float32)
    floats[3, 3] = np.nan
    assert "finite" in refuse(encode(floats, "TIFF"))


def test_deep_nesting_is_refused():
    nested = b"\xfe\xff\x00\xe0\xff\xff\xff\xff\x28\0\x10\x30SQ\0\0\xff\xff\xff\xff" * 3000
    data = make_dicom(RAMP)
    at = data.index(b"\xe0\x7f\x10\0OW")
    refuse(data[:at] + b"\x28\0\x10\x30SQ\0\0\xff\xff\xff\xff" + nested + data[at:])


def test_arrays():
    assert (image_from_array(RAMP > 30).gray() == np.where(RAMP > 30, 255, 0)).all()
    assert (image_from_array(RAMP / 63).gray() == np.rint(RAMP / 63 * 255)).all()
    assert image_from_array(np.dstack([COLOUR, COLOUR[..., :1]]).astype(np.uint8)).pixels.shape == (48, 64, 3)
    for bad in (
        RAMP.astype(int),
        RAMP * 1.0,
        RAMP * np.nan,
        RAMP[:4],
        RAMP[None],
        np.zeros((20, 20, 2), np.uint8),
        [],
    ):
        with pytest.raises(ImageError):
            image_from_array(bad)
