"""The stored pixel values of one frame, out of any transfer syntax there is a decoder for."""

import io
from itertools import pairwise

import numpy as np
import pydicom
from PIL import Image as Pillow
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGExtended12Bit,
    JPEGLossless,
    RLELossless,
)

from afloc.errors import ImageError
from afloc.imaging import jpeg
from afloc.imaging.dicom_frames import count_frames
from afloc.imaging.image import check_size

PIXEL_ELEMENTS = ["PixelData", "FloatPixelData", "DoubleFloatPixelData"]


PIXEL_ELEMENTS += ["ExtendedOffsetTable", "ExtendedOffsetTableLengths"]


_RETIRED = "1.2.840.10008.1.2.4."  # transfer syntaxes of JPEG that differ in name alone from one that is read
_SAME_STREAM = {f"{_RETIRED}{last}": JPEGExtended12Bit for last in (52, 53, 54, 55, 56)}


_SAME_STREAM |= {f"{_RETIRED}{last}": JPEGLossless for last in (58, 59)}


_NAMES = {f"{_RETIRED}{last}": "JPEG XL" for last in (110, 111, 112)}  # too new for pydicom


_NAMES |= {"1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression"}


def read_stored(dataset: pydicom.Dataset, frame: int) -> np.ndarray:
    """The stored values of a frame, (H, W) or (H, W, 3) with YBR as RGB; the dataset is changed on the way.

    Raises ImageError for a kind that is not read, and whatever pydicom raises for damaged data.
    """
    meta = dataset.file_meta
    if "TransferSyntaxUID" not in meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    meta.TransferSyntaxUID = _SAME_STREAM.get(meta.TransferSyntaxUID, meta.TransferSyntaxUID)
    bits = int(dataset.get("BitsAllocated") or 0)
    _check_decoder(meta.TransferSyntaxUID, bits)
    if "PixelData" in dataset and bits not in (1, 8, 16, 32, 64):
        raise ImageError(f"The DICOM file keeps each pixel in {bits} bits: export it with 8 or 16.")
    if not meta.TransferSyntaxUID.is_encapsulated:
        return _pixels(dataset, frame, None)
    streams, precision = _unpack(dataset, frame)
    found = []
    for stream in streams:
        dataset.PixelData = encapsulate([stream])
        found.append(_pixels(dataset, 0, precision))
    if len(streams) > 1 and precision == 8:  # there Pillow's decoder makes more of what is missing
        found += [np.asarray(Pillow.open(io.BytesIO(stream), formats=("JPEG",))) for stream in streams]
    half = len(streams)
    if not all(np.array_equal(*pair) for part in (found[:half], found[half:]) for pair in pairwise(part)):
        raise ValueError("part of the picture is missing")
    return found[0]


def _unpack(dataset: pydicom.Dataset, frame: int) -> tuple[list[bytes], int | None]:
    """The stream of one frame, in the ways it may end, and a JPEG's precision; the dataset is made to fit."""
    table = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    stream = get_frame(
        dataset.PixelData,
        frame,
        number_of_frames=count_frames(dataset),
        extended_offsets=table if all(table) else None,
    )
    for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if name in dataset:
            del dataset[name]
    dataset.NumberOfFrames = 1
    meta = dataset.file_meta
    header = jpeg.read_frame(stream)
    size = (header.height, header.width) if header else _jpeg_2000_size(stream)
    check_size(*(size or (dataset.Rows, dataset.Columns)))
    if meta.TransferSyntaxUID != RLELossless and dataset.get("PlanarConfiguration"):
        dataset.PlanarConfiguration = 0  # what decoders give, whatever the header says
    streams, precision = [stream], None
    if header and not header.jpeg_ls and meta.TransferSyntaxUID != RLELossless:
        streams, precision = jpeg.end(jpeg.mend(stream)), header.precision
        if len(header.components) in (1, 3) and len(header.components) != dataset.SamplesPerPixel:
            dataset.SamplesPerPixel, dataset.PlanarConfiguration = len(header.components), 0
            dataset.PhotometricInterpretation = "MONOCHROME2" if dataset.SamplesPerPixel == 1 else "YBR_FULL"
        if len(header.components) == 3:
            said = str(dataset.PhotometricInterpretation)
            colour = header.colour("RGB" if said == "RGB" else "YBR")
            if said != "PALETTE COLOR" and not said.startswith(colour):
                dataset.PhotometricInterpretation = "RGB" if colour == "RGB" else "YBR_FULL"
        allocated = 8 if precision <= 8 else 16
        if allocated != dataset.BitsAllocated and dataset.BitsAllocated in (8, 16):
            dataset.BitsAllocated = allocated
            dataset.BitsStored = precision if allocated == 16 else min(precision, dataset.BitsStored)
            dataset.HighBit = dataset.BitsStored - 1
    return streams, precision


def _check_decoder(syntax: UID, bits: int) -> None:
    if syntax == RLELossless and bits == 1:
        raise ImageError("The DICOM file is RLE of 1-bit pixels: export it without compression.")
    try:
        readable = get_decoder(syntax).is_available
    except NotImplementedError:
        readable = False
    if not readable:
        name = _NAMES.get(syntax, syntax.name)
        raise ImageError(
            f"AFLoc does not read the transfer syntax {name}: export the DICOM file without compression."
        )


def _pixels(dataset: pydicom.Dataset, frame: int, precision: int | None) -> np.ndarray:
    """Decoded; where the pixel does not lie at the low end of its cell, moved there (PS3.5 8.1.1)."""
    syntax = dataset.file_meta.TransferSyntaxUID
    allocated, stored = int(dataset.get("BitsAllocated") or 0), int(dataset.get("BitsStored") or 0)
    high = int(dataset.get("HighBit") or 0)
    deep_ybr = allocated == 16 and str(dataset.PhotometricInterpretation).startswith("YBR_FULL")
    cells = not syntax.is_encapsulated or syntax == RLELossless or (precision or 0) > high
    if cells and "PixelData" in dataset and 0 < stored <= high < allocated:
        values = pixel_array(dataset, index=frame, raw=deep_ybr, correct_unused_bits=False).copy()
        values <<= allocated - 1 - high
        values >>= allocated - stored
    else:
        values = pixel_array(dataset, index=frame, raw=deep_ybr)
    return _rgb_of_ybr(values, stored) if deep_ybr and values.ndim == 3 else values


def _rgb_of_ybr(ybr: np.ndarray, bits: int) -> np.ndarray:
    """Colours of more than 8 bits, which pydicom does not convert (PS3.3 C.7.6.3.1.2)."""
    middle, top = 1 << (bits - 1), (1 << bits) - 1
    rgb = np.empty_like(ybr)
    for line, given in zip(rgb, ybr, strict=True):  # row by row: the fractions take four times the memory
        y, blue, red = given[:, 0].astype(float), given[:, 1] - float(middle), given[:, 2] - float(middle)
        colours = (y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue)
        line[:] = np.clip(np.rint(np.stack(colours, 1)), 0, top)
    return rgb


def _jpeg_2000_size(stream: bytes) -> tuple[int, int] | None:
    """(height, width) a JPEG 2000 stream, bare or in its container, declares: its decoder goes by that."""
    start = stream.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0:
        return None
    right, bottom, left, top = (
        int.from_bytes(stream[start + at : start + at + 4], "big") for at in (8, 12, 16, 20)
    )
    return bottom - top, right - left
