"""What DICOM files say, in all the places where they say it."""

import io
import re
import struct

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    RLELossless,
)

import afloc
from afloc.errors import ImageError
from afloc.imaging.image import Orientation, image_size, read_image
from tests.imaging.dicoms import (
    COLOURS,
    RAMP,
    WINDOW,
    dicom,
    encapsulated,
    group,
    item,
    jpeg,
    jpeg12,
    lut,
    palette,
    patch,
    segmented,
)

WINDOWED = np.rint(np.clip((RAMP[0] - 21.5) / 20, 0, 1) * 255).astype(int)  # what WINDOW shows
FULL = np.rint(RAMP[0] / 63 * 255).astype(int)


def shown(data, frame=0):
    return read_image(data, frame).gray()[0].astype(int)


def same(found, wanted, tolerance=1):
    return np.abs(np.asarray(found).astype(int) - wanted).max() <= tolerance


def refusal(data, frame=0):
    with pytest.raises(ImageError) as caught:
        read_image(data, frame)
    return str(caught.value)


# Frames


FRAMES = np.stack([RAMP, RAMP, RAMP])
SHARED, EACH = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"


def test_a_frame_has_its_own_window():
    """Its group beats the shared one, which beats the file; an empty group says nothing."""
    window, other = item(**WINDOW), item(WindowCenter="5", WindowWidth="3")
    right, wrong, empty = (group(FrameVOILUTSequence=each) for each in (window, other, Dataset()))
    for frame, elements in (
        (0, {SHARED: [right]}),
        (2, {SHARED: [right]}),
        (1, {EACH: [wrong, right, wrong]}),
        (2, {SHARED: [wrong], EACH: [wrong, wrong, right]}),
        (1, {SHARED: [right], EACH: [wrong, empty, Dataset()]}),
        (2, {SHARED: [right], EACH: [wrong, empty, Dataset()]}),
    ):
        elements = {name: Sequence(items) for name, items in elements.items()}
        data = dicom(FRAMES, **elements, WindowCenter="1", WindowWidth="2", VOILUTSequence=lut(range(64), 0))
        assert same(shown(data, frame), WINDOWED), (frame, elements)


def test_a_frame_has_its_own_table_and_function():
    table = group(FrameVOILUTSequence=item(VOILUTSequence=lut(range(64000, 0, -1000), 0)))
    data = dicom(FRAMES, **{SHARED: Sequence([table])}, **WINDOW)
    assert same(shown(data), (64000 - 1000 * RAMP[0].astype(int)) / 65535 * 255)
    for function, wanted in (
        ("SIGMOID", 255 / (1 + np.exp(-4 * (RAMP[0] - 32.0) / 21))),
        ("LINEAR_EXACT", np.clip((RAMP[0] - 21.5) / 21, 0, 1) * 255),
    ):
        sloped = group(FrameVOILUTSequence=item(**WINDOW, VOILUTFunction=function))
        assert same(shown(dicom(FRAMES, **{SHARED: Sequence([sloped])})), wanted), function


def test_a_frame_has_its_own_rescaling():
    change = item(RescaleSlope="-1", RescaleIntercept="63", RescaleType="US")
    for place, groups in ((SHARED, 1), (EACH, 3)):
        groups = Sequence([group(PixelValueTransformationSequence=change)] * groups)
        data = dicom(FRAMES, **{place: groups}, RescaleSlope="1", RescaleIntercept="0")
        assert same(shown(data, 1), 255 - FULL)
    mapping = group(RealWorldValueMappingSequence=item(RealWorldValueSlope=-1.0, RealWorldValueIntercept=0.0))
    assert same(shown(dicom(FRAMES, **{SHARED: Sequence([mapping])})), FULL)  # for measuring, not for showing


@pytest.mark.parametrize("syntax", [None, JPEGBaseline8Bit])
def test_any_frame(syntax):
    frames = np.stack([np.full((16, 16), value, np.uint8) for value in (10, 90, 200)])
    if syntax:
        dataset = pydicom.dcmread(io.BytesIO(dicom(frames)))
        dataset.PixelData = encapsulate([jpeg(frame) for frame in frames])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
        file = io.BytesIO()
        dataset.save_as(file)
        data = file.getvalue()
    else:
        data = dicom(frames)
    for number, value in enumerate((10, 90, 200)):
        image = read_image(data, frame=number)
        assert image.frames == 3 and (image.pixels == value).all()
    assert [len(read_image(data, frame).notes) for frame in (0, 1)] == [1, 0]
    for number in (3, -1, 10**6):
        assert "3 frames" in refusal(data, number) and "0 to 2" in refusal(data, number)
    assert "one frame" in refusal(dicom(RAMP), 1)
    assert "whole number" in refusal(data, "first")
    assert read_image(dicom(RAMP)).frames == 1


def test_spacing_from_every_place():
    measures, imager = item(PixelSpacing=["0.5", "0.25"]), item(ImagerPixelSpacing=["0.5", "0.25"])
    regions = [
        item(
            RegionSpatialFormat=1,
            PhysicalUnitsXDirection=3,
            PhysicalUnitsYDirection=3,
            PhysicalDeltaX=0.025,
            PhysicalDeltaY=delta,
        )
        for delta in (0.05, -0.05, 0.07)
    ]
    for elements in (
        {"PixelSpacing": ["0.5", "0.25"], "ImagerPixelSpacing": ["9", "9"]},
        {"ImagerPixelSpacing": ["0.5", "0.25"]},
        {"NominalScannedPixelSpacing": ["0.5", "0.25"]},
        {"SequenceOfUltrasoundRegions": Sequence(regions[:2])},
        {SHARED: Sequence([group(PixelMeasuresSequence=measures)]), "PixelSpacing": ["9", "9"]},
        {EACH: Sequence([Dataset(), group(PixelMeasuresSequence=measures)])},
        {SHARED: Sequence([group(FramePixelDataPropertiesSequence=imager)])},
    ):
        image = read_image(dicom(np.stack([RAMP, RAMP]), **elements), frame=1)
        assert image.spacing == (0.5, 0.25) and image.aspect == 2, elements
        assert image.pixels.shape == RAMP.shape  # never resampled
    assert read_image(dicom(RAMP, SequenceOfUltrasoundRegions=Sequence(regions))).spacing is None
    flat = read_image(dicom(RAMP, PixelAspectRatio=["1", "2"]))
    assert flat.spacing is None and flat.aspect == 0.5
    square = read_image(dicom(RAMP, PixelSpacing=["0.5", "0.5"]))
    assert square.aspect == 1 and square.digest == read_image(dicom(RAMP)).digest != flat.digest


# Tables


@pytest.mark.parametrize("first", [65536 - 32, -32])
@pytest.mark.parametrize("place", ["VOILUTSequence", "ModalityLUTSequence"])
def test_first_value_of_a_table_for_signed_pixels(place, first):
    data = dicom(RAMP.astype(np.int16) - 32, **{place: lut(range(0, 64000, 1000), first)})
    wanted = RAMP[0] * 1000 / (65535 if place == "VOILUTSequence" else 63000) * 255
    assert same(shown(data), wanted, 2)


def test_first_value_of_a_table_after_rescaling():
    table = lut(range(0, 64000, 1000), 65536 - 32)
    data = dicom(RAMP, RescaleSlope="1", RescaleIntercept="-32", VOILUTSequence=table)
    assert same(shown(data), RAMP[0] * 1000 / 65535 * 255)
    high = dicom(RAMP + 40000, VOILUTSequence=lut(range(0, 64000, 1000), 40000 - 65536))
    assert same(shown(high), RAMP[0] * 1000 / 65535 * 255)


@pytest.mark.parametrize("count", [62, 63, 64])
def test_entries_of_a_table(count):
    """Bytes or words, whatever the descriptor says: the length of the data tells."""
    values = np.minimum(np.arange(64), count - 1) * 4
    eight = range(0, count * 4, 4)
    for table in (
        lut(eight, 0, 8, "u1"),
        lut(eight, 0, 16, "u1"),
        lut(eight, 0, 8),
        lut(eight, 0, 8, "u1", "OB"),
        lut([value * 257 for value in eight], 0, 16),
        lut([value * 257 for value in eight], 0, 8),
        lut([value << 4 for value in eight], 0, 12),
    ):
        assert same(shown(dicom(RAMP, VOILUTSequence=table)), values, 2), table


def test_a_modality_table_of_odd_bytes():
    window = {"WindowCenter": "127.5", "WindowWidth": "256"}
    for table in (lut(range(0, 252, 4), 0, 8, "u1"), lut(range(0, 252, 4), 0, 8)):
        data = dicom(RAMP, ModalityLUTSequence=table, **window)
        assert same(shown(data), np.minimum(RAMP[0] * 4, 248))


def test_tables_in_big_endian_files():
    eight = np.arange(0, 256, 4, dtype=np.uint8)
    swapped = eight.reshape(-1, 2)[:, ::-1].tobytes()  # bytes in words of 16
    for data, bits, vr in (
        (swapped, 8, "OW"),
        (eight.tobytes(), 8, "OB"),
        ((eight * 16.0).astype(">u2"), 12, "OW"),
    ):
        for order in (data,) if vr == "OB" or bits == 8 else (data, data.byteswap()):
            table = lut(range(64), 0, bits)
            table[0][0x00283006].value = bytes(order)
            table[0][0x00283006].VR = vr
            found = shown(dicom(RAMP, syntax=ExplicitVRBigEndian, VOILUTSequence=table))
            assert same(found, RAMP[0] * 4, 2), (bits, vr)


def test_a_table_of_65536_entries():
    data = dicom(RAMP * 1000, VOILUTSequence=lut(np.arange(65535, -1, -1), 0))
    assert same(shown(data), (65535 - RAMP[0].astype(int) * 1000) / 257)


@pytest.mark.parametrize("place", ["ModalityLUTSequence", "VOILUTSequence"])
def test_an_empty_table_is_none(place):
    for empty in (Dataset(), item(LUTDescriptor=[64, 0, 16], LUTData=b"")):
        for syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian):
            assert same(shown(dicom(RAMP, syntax=syntax, **{place: Sequence([empty])}, **WINDOW)), WINDOWED)


# Palettes


WANTED = np.stack(COLOURS, 1)


@pytest.mark.parametrize(
    "bits, kind, scale", [(8, "u1", 1), (8, "<u2", 1), (16, "<u2", 257), (8, "<u2", 257)]
)
def test_palettes(bits, kind, scale):
    found = read_image(palette([entries * scale for entries in COLOURS], bits, kind)).rgb()[0]
    assert same(found, WANTED)


def test_a_palette_covers_what_it_covers():
    """Values before its first and after its last entry take these; odd lengths have a filling byte."""
    part = [entries[10:61] for entries in COLOURS]
    for kind, bits in (("u1", 8), ("<u2", 8)):
        found = read_image(palette(part, bits, kind, first=10)).rgb()[0]
        assert same(found, WANTED[np.clip(np.arange(64), 10, 60)])
    signed = palette(COLOURS, 8, "u1", first=-32, index=RAMP.astype(np.int8) - 32)
    assert same(read_image(signed).rgb()[0], WANTED)


def test_segmented_palettes():
    line = [0, 1, 0, 1, 63, 63 * 1000]
    assert same(read_image(segmented(line, 64)).gray()[0], RAMP[0] * 1000 / 257)
    # Two values, a line of six more, and both again and again, counted in bytes and in entries.
    parts = [0, 2, 0, 9000, 1, 6, 63000]
    once = [0, 9000, *(9000 + 9000 * step for step in range(1, 7))]
    for offset in (0,):
        again = [*parts, *([2, 2, offset, 0] * 7)]
        assert same(read_image(segmented(again, 64)).gray()[0], np.array(once * 8) / 257)
    later = [0, 1, 500, *parts, 2, 1, 6, 0, 2, 1, 3, 0]  # the discrete segment at byte 6, at entry 3
    found = read_image(segmented(later, 13)).gray()[0]
    assert same(found[:13], np.array([500, *once, 0, 9000, 0, 9000]) / 257)
    eight = [0, 1, 0, 1, 31, 124, 2, 1, 0, 0, 0, 0, 1, 31, 250]
    assert same(read_image(segmented(eight, 64, 8)).gray()[0][[0, 31, 32, 63]], [0, 124, 0, 250])
    for broken in ([1, 5, 9], [2, 1, 0, 0], [7, 1, 2]):
        assert re.search("palette that cannot|without entries", refusal(segmented(broken, 64)))


# Padding, windows, rescaling


@pytest.mark.parametrize("value, vr", [(63536, b"US"), (-2000, b"SS")])
def test_padding_with_and_without_a_sign(value, vr):
    signed = RAMP.astype(np.int16) - 32
    signed[:24] = -2000
    packed = struct.pack("<H" if vr == b"US" else "<h", value)
    data = patch(dicom(signed, PixelPaddingValue=-2000), 0x00280120, vr, packed)
    assert same(read_image(data).gray()[40], FULL) and not read_image(data).gray()[:24].any()
    unsigned = RAMP + 100
    unsigned[:24] = 63536
    data = patch(dicom(unsigned, PixelPaddingValue=1), 0x00280120, vr, packed)
    assert same(read_image(data).gray()[40], FULL)


def test_padding_of_a_range():
    signed = RAMP.astype(np.int16) - 32
    signed[:12], signed[12:24] = -2000, -1500
    data = dicom(signed, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1400)
    for limit in (b"SS", b"US"):
        data = patch(data, 0x00280121, limit, struct.pack("<h", -1400))
        assert same(read_image(data).gray()[40], FULL)


@pytest.mark.parametrize("kind, double", [(np.float32, ""), (np.float64, "Double")])
def test_floating_point_pixels(kind, double):
    """A map of shares with a window of 1, and padding of its own kind."""
    shares = (RAMP / 63).astype(kind)
    shares[:12] = -9.5
    dataset = pydicom.dcmread(io.BytesIO(dicom(RAMP)))
    del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
    dataset.BitsAllocated = shares.itemsize * 8
    setattr(dataset, f"{double}FloatPixelData", shares.tobytes())
    setattr(dataset, f"{double}FloatPixelPaddingValue", -9.5)
    for window in ({}, {"WindowCenter": "0.5", "WindowWidth": "1"}):
        dataset.update(item(**window))
        file = io.BytesIO()
        dataset.save_as(file)
        image = read_image(file.getvalue())
        assert same(image.gray()[40], FULL) and not image.gray()[:12].any(), window


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("high", [11, 13, 15])
def test_pixels_at_the_high_end_of_their_cells(signed, high):
    values = RAMP.astype(int) * 60 - (1800 if signed else 0)
    cells = ((values & 0xFFF) << (high - 11)).astype(np.uint16) | (0 if high == 15 else 1 << 15)
    elements = {"HighBit": high, "PixelRepresentation": int(signed), **WINDOW}
    elements |= {"WindowCenter": str(values[0, 32]), "WindowWidth": "1201"}
    wanted = np.clip((values[0] - values[0, 32] + 0.5) / 1200 + 0.5, 0, 1) * 255
    assert same(shown(dicom(cells, bits=12, **elements)), wanted)


def test_narrow_windows():
    """Fractions of a step have a slope of their own; whole numbers keep the standard's formula."""
    narrow = dicom(RAMP, RescaleSlope="0.01", RescaleIntercept="0", WindowCenter="0.32", WindowWidth="0.64")
    assert same(shown(narrow), np.clip(RAMP[0] / 64, 0, 1) * 255, 2)
    one = dicom(RAMP, RescaleSlope="0.015873", RescaleIntercept="0", WindowCenter="0.5", WindowWidth="1")
    assert same(shown(one), FULL)
    step = dicom(RAMP, WindowCenter="32", WindowWidth="1")
    assert (shown(step) == np.where(RAMP[0] >= 32, 255, 0)).all()


@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": "5000", "WindowWidth": "100"},
        {"WindowCenter": "-5000", "WindowWidth": "100"},
        {"WindowCenter": "5000", "WindowWidth": "1"},
        {"WindowCenter": "5000", "WindowWidth": "10", "VOILUTFunction": "SIGMOID"},
        {"VOILUTSequence": lut(range(64), 5000)},
    ],
)
def test_a_window_that_shows_nothing_is_left_out_with_a_note(elements):
    image = read_image(dicom(RAMP, **elements))
    assert same(image.gray()[0], FULL) and "black or white" in image.notes[0]


def test_the_first_window_that_shows_something():
    data = dicom(RAMP, WindowCenter=["9000", "32"], WindowWidth=["10", "21"])
    assert same(shown(data), WINDOWED) and read_image(data).notes == ()
    assert same(shown(dicom(RAMP, WindowCenter=["0", "32"], WindowWidth=["0", "21"])), WINDOWED)


@pytest.mark.parametrize(
    "slope, intercept, scale, shift", [("1", None, 1, 0), (None, "", 1, 0), ("0", "5", 1, 0)]
)
def test_rescaling_that_says_nothing(slope, intercept, scale, shift):
    data = dicom(RAMP, RescaleSlope=slope, RescaleIntercept=intercept, **WINDOW)
    assert same(shown(data), WINDOWED)
    doubled = dicom(RAMP, RescaleSlope="2", RescaleIntercept=None, WindowCenter="64", WindowWidth="41")
    assert same(shown(doubled), np.clip((RAMP[0] * 2 - 43.5) / 40, 0, 1) * 255)
    broken = dicom(RAMP, RescaleSlope="1", RescaleIntercept="0").replace(
        b"\x28\0\x53\x10DS\x02\x001 ", b"\x28\0\x53\x10DS\x02\0x "
    )
    assert "no number" in refusal(broken)


@pytest.mark.parametrize("kind", ["1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2"])
def test_angiography_shows_its_stored_values(kind):
    """Its modality table is for measuring densities."""
    table = lut([value**2 for value in range(64)], 0)
    data = dicom(
        RAMP, SOPClassUID=kind, PixelIntensityRelationship="LOG", ModalityLUTSequence=table, **WINDOW
    )
    assert same(shown(data), WINDOWED)


def test_sixteen_bit_colours_of_a_big_endian_file():
    deep = np.stack([RAMP * 1000, RAMP[:, ::-1] * 900, RAMP * 7], 2)
    image = read_image(dicom(deep, "RGB", syntax=ExplicitVRBigEndian))
    assert (image.pixels == deep).all()


def test_sixteen_bit_ybr():
    gray = np.stack([RAMP * 1000, np.full_like(RAMP, 32768), np.full_like(RAMP, 32768)], 2)
    assert same(read_image(dicom(gray, "YBR_FULL")).rgb()[0], (RAMP[0] * 1000 / 257)[:, None])


# JPEG


BARS = np.zeros((48, 64, 3), np.uint8)
BARS[:, :16], BARS[:, 16:32], BARS[:, 32:48], BARS[:, 48:] = (
    (200, 30, 30),
    (30, 200, 30),
    (30, 30, 200),
    (180, 180, 40),
)
BAR = [4, 20, 40, 60]


@pytest.mark.parametrize("said", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("markers", [True, False])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_colours_of_a_jpeg_are_what_its_stream_says(said, markers, subsampling):
    stream = jpeg(BARS, markers, subsampling=subsampling)
    found = read_image(encapsulated(stream, JPEGBaseline8Bit, BARS, said)).rgb()[10, BAR]
    assert same(found, BARS[10, BAR], 6)


@pytest.mark.parametrize("said", ["RGB", "YBR_FULL_422"])
def test_a_jpeg_that_is_rgb(said):
    """Pillow writes one with an Adobe segment and the letters R, G, B; each alone says it, too."""
    stream = jpeg(BARS, keep_rgb=True)
    bare = jpeg(BARS, False, keep_rgb=True)
    for each in (stream, bare):
        found = read_image(encapsulated(each, JPEGBaseline8Bit, BARS, said)).rgb()[10, BAR]
        assert same(found, BARS[10, BAR], 6)


@pytest.mark.parametrize("stop", [0, 5, 63])
def test_a_twelve_bit_jpeg_with_a_wrong_scan_header(stop):
    steps = np.tile(np.array([500, 900, 1300, 1700, 2100, 2500, 2900, 3300]), (6, 1))
    whole = np.kron(steps, np.ones((8, 8), int)).astype(np.uint16)
    image = read_image(encapsulated(jpeg12(steps, stop), JPEGExtended12Bit, whole, bits=12))
    assert same(image.pixels[0, ::8], steps[0], 2)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_eight_bits_in_a_header_of_sixteen(bits):
    film = (RAMP * 4).astype(np.uint8)
    image = read_image(encapsulated(jpeg(film), JPEGBaseline8Bit, RAMP, bits=bits))
    assert same(image.gray()[0], RAMP[0] * 4, 3)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000Lossless, RLELossless])
def test_compressed_colours_called_planes(syntax):
    if syntax == JPEGBaseline8Bit:
        data = encapsulated(jpeg(BARS), syntax, BARS, "RGB")
    else:
        dataset = pydicom.dcmread(io.BytesIO(dicom(BARS, "RGB")))
        dataset.compress(syntax)
        file = io.BytesIO()
        dataset.save_as(file)
        data = file.getvalue()
    called = patch(data, 0x00280006, b"US", b"\1\0")
    assert same(read_image(called).rgb()[10, BAR], BARS[10, BAR], 6)


def test_a_jpeg_with_other_channels_than_its_header():
    gray = encapsulated(jpeg((RAMP * 4).astype(np.uint8)), JPEGBaseline8Bit, BARS, "RGB")
    assert same(read_image(gray).pixels[0], RAMP[0] * 4, 3)
    colours = encapsulated(jpeg(BARS), JPEGBaseline8Bit, BARS[..., 0])
    assert same(read_image(colours).rgb()[10, BAR], BARS[10, BAR], 6)


@pytest.mark.parametrize("progressive", [False, True])
def test_other_slips_of_jpegs(progressive):
    film = (RAMP * 4).astype(np.uint8)
    whole = encapsulated(jpeg(film)[:-2], JPEGBaseline8Bit, film)
    assert same(read_image(whole).gray()[0], RAMP[0] * 4, 3)
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for pixels, said in ((noise[..., 0].copy(), "MONOCHROME2"), (noise, "YBR_FULL_422")):
        for missing in (8, 30, 200, 1000):  # part of the picture
            stream = jpeg(pixels, progressive=progressive)[:-missing]
            assert "damaged" in refusal(encapsulated(stream, JPEGBaseline8Bit, pixels, said))
    retired = encapsulated(jpeg(film, progressive=progressive), "1.2.840.10008.1.2.4.55", film)
    assert same(read_image(retired).gray()[0], RAMP[0] * 4, 3)


def test_kinds_that_are_not_read_are_named():
    film = (RAMP * 4).astype(np.uint8)
    for syntax, name in (
        ("1.2.840.10008.1.2.4.102", "MPEG-4"),
        ("1.2.840.10008.1.2.4.100", "MPEG2"),
    ):
        sentence = refusal(encapsulated(b"\0" * 100, syntax, film))
        assert name in sentence and "damaged" not in sentence
    newer = encapsulated(b"\0" * 100, "1.2.840.10008.1.2.4.102", film).replace(b".4.102", b".4.110")
    assert "JPEG XL" in refusal(newer)
    private = dicom(RAMP).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0")
    assert "1.2.840.113619.5.2" in refusal(private) or "GE Private" in refusal(private)
    assert "12 bits" in refusal(dicom(RAMP, bits=12, BitsAllocated=12))


# Orientation


@pytest.mark.parametrize(
    "elements, wanted",
    [
        ({}, Orientation()),
        ({"PatientOrientation": ["L", "F"]}, Orientation("left", "frontal")),
        ({"PatientOrientation": ["R", "F"]}, Orientation("right", "frontal")),
        ({"PatientOrientation": ["A", "F"]}, Orientation(None, "lateral", patient_front="right")),
        ({"PatientOrientation": ["P", "F"]}, Orientation(None, "lateral", patient_front="left")),
        ({"PatientOrientation": ["LA", "FP"]}, Orientation("left", "frontal")),
        ({"PatientOrientation": ["L", "P"]}, Orientation("left")),
        ({"PatientOrientation": ["L", "F"], "AnatomicalOrientationType": "QUADRUPED"}, Orientation()),
        ({"PatientOrientation": ""}, Orientation()),
        ({"PatientOrientation": ["", ""], "ViewPosition": "PA"}, Orientation(None, "frontal")),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, Orientation("left", "frontal")),
        ({"ImageOrientationPatient": [-1, 0, 0, 0, 0, -1]}, Orientation("right", "frontal")),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, Orientation("left")),
        (
            {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
            Orientation(None, "lateral", patient_front="left"),
        ),
        ({"ViewPosition": "AP"}, Orientation(None, "frontal")),
        ({"ViewPosition": "LL"}, Orientation(None, "lateral")),
        ({"ViewPosition": "LATERAL", "PatientOrientation": ["L", "F"]}, Orientation("left", "lateral")),
        ({"ViewPosition": "LLO"}, Orientation()),
        (
            {"ViewCodeSequence": Sequence([item(CodeMeaning="postero-anterior")])},
            Orientation(None, "frontal"),
        ),
        ({"ViewCodeSequence": Sequence([item(CodeMeaning="left lateral")])}, Orientation(None, "lateral")),
        ({"ViewCodeSequence": Sequence([item(CodeMeaning="medio-lateral oblique")])}, Orientation()),
        ({"Modality": "OP", "ImageLaterality": "R"}, Orientation(eye="right")),
        ({"Modality": "OP", "Laterality": "L"}, Orientation(eye="left")),
        ({"Modality": "OT", "BodyPartExamined": "EYE", "ImageLaterality": "L"}, Orientation(eye="left")),
        (
            {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.5.1", "ImageLaterality": "R"},
            Orientation(eye="right"),
        ),
        ({"Modality": "OP", "ImageLaterality": "B"}, Orientation()),
        ({"Modality": "DX", "ImageLaterality": "R"}, Orientation()),  # a hand
    ],
)
def test_orientation(elements, wanted):
    assert read_image(dicom(RAMP, **elements)).orientation == wanted


def test_orientation_of_a_frame():
    turned = item(ImageOrientationPatient=[-1, 0, 0, 0, 0, -1])
    eye = group(FrameAnatomySequence=item(FrameLaterality="L"))
    data = dicom(FRAMES, Modality="OP", **{SHARED: Sequence([eye])})
    assert read_image(data).orientation.eye == "left"
    groups = Sequence([Dataset(), group(PlaneOrientationSequence=turned), Dataset()])
    data = dicom(FRAMES, **{EACH: groups})
    assert [read_image(data, frame).orientation.patient_right for frame in (0, 1)] == [None, "right"]


@pytest.mark.parametrize("said, wanted", [("YES", True), ("NO", False), ("", None)])
def test_text_that_is_burned_in(said, wanted):
    image = read_image(dicom(RAMP, BurnedInAnnotation=said))
    assert image.burned_in is wanted and len(image.notes) == bool(wanted)
    assert read_image(dicom(RAMP)).burned_in is None


def test_only_these_words_leave_the_reader():
    """Of elements that are read as text, nothing but words of our own goes on."""
    names = (
        "ViewPosition",
        "BodyPartExamined",
        "Laterality",
        "ImageLaterality",
        "BurnedInAnnotation",
        "Modality",
    )
    elements = dict.fromkeys(names, "PLANTED") | {"PatientOrientation": ["PLANTED", "PLANTED"]}
    code = item(CodeMeaning="PLANTED lateral", CodeValue="PLANTED")
    image = read_image(dicom(RAMP, **elements, ViewCodeSequence=Sequence([code])))
    assert "PLANTED" not in repr(image) and image.orientation.view == "lateral"


def test_size_without_pixels(tmp_path):
    path = tmp_path / "film.dcm"
    path.write_bytes(dicom(FRAMES, PixelSpacing=["1", "2"]))
    assert afloc.image_size is image_size and image_size(path) == (48, 64)
