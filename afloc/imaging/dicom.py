"""DICOM to `Image`: only the elements named here are read, and none of them identifies the patient."""

import io
import math
import zlib
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from afloc.errors import ImageError
from afloc.imaging.image import (
    FIRST_FRAME,
    MAX_BYTES,
    TOO_LARGE,
    Image,
    check_frames,
    check_size,
    make_image,
    stretch,
)

# fmt: off
_ELEMENTS = [
    "Rows", "Columns", "SamplesPerPixel", "PlanarConfiguration", "PhotometricInterpretation",
    "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelSpacing",
    "ImagerPixelSpacing", "PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence",
    "RescaleSlope", "RescaleIntercept",
    "VOILUTSequence", "VOILUTFunction", "WindowCenter", "WindowWidth",
    "RedPaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableData",
    "PixelData", "FloatPixelData", "DoubleFloatPixelData",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
]


_GRAY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")

MAX_NESTING = 8  # sequences in sequences; enhanced multi-frame objects have four
_META = 144  # bytes before the file meta information, its length included
_INFLATION = 20  # times its size that a deflated file may have, above 4 MB


def read_dicom(data: bytes) -> Image:
    """The first frame of a DICOM file in display polarity, its modality and VOI tables or window applied.

    Raises ImageError for a file without a picture or of a kind not accepted, and for a damaged one whatever
    pydicom raises.
    """
    data = _inflate(data)
    _check_nesting(pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=True))
    dataset = pydicom.dcmread(io.BytesIO(data), force=True, specific_tags=_ELEMENTS)
    if "Rows" not in dataset or not any(
        name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    ):
        raise ImageError("The DICOM file holds no picture: give one with pixel data.")
    check_size(dataset.Rows, dataset.Columns)
    frames = int(dataset.get("NumberOfFrames") or 1)
    check_frames(frames)
    photometric = dataset.PhotometricInterpretation
    if photometric not in _GRAY + _COLOUR:
        raise ImageError("The DICOM file has an unusual colour space: export it as MONOCHROME2 or RGB.")

    stored = _decode(dataset)
    notes = (FIRST_FRAME,) if frames > 1 else ()
    pixels, window = (_gray if photometric in _GRAY else _colour)(stored, dataset)
    return make_image(pixels, window, notes, _spacing(dataset))


def dicom_size(file: BinaryIO) -> tuple[int, int]:
    """(height, width) from the header. Raises as `read_dicom`."""
    if DeflatedExplicitVRLittleEndian.encode() in file.read(_META + 1000):
        file.seek(0)
        image = read_dicom(file.read(MAX_BYTES))
        return image.height, image.width
    file.seek(0)
    header = pydicom.dcmread(file, force=True, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
    check_size(header.Rows, header.Columns)
    return int(header.Rows), int(header.Columns)


def _inflate(data: bytes) -> bytes:
    """A file that is deflated as a whole, as one that is not: pydicom would inflate it without a limit."""
    start = _META + int.from_bytes(data[_META - 4 : _META], "little")
    meta, syntax = data[:start], DeflatedExplicitVRLittleEndian.encode()
    if data[128:140] != b"DICM\x02\0\0\0UL\x04\0" or syntax not in meta:
        if syntax in data[:2000]:
            raise ImageError("The DICOM file is deflated as a whole: export it with another transfer syntax.")
        return data
    limit = (4 << 20) + _INFLATION * len(data)
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:], limit + 1)
    if len(inflated) > limit:
        raise ImageError(TOO_LARGE)
    return meta.replace(syntax, ExplicitVRLittleEndian.encode().ljust(len(syntax), b"\0")) + inflated


def _check_nesting(dataset: pydicom.Dataset, depth: int = 0) -> None:
    if depth > MAX_NESTING:
        raise ImageError(f"The DICOM file nests sequences more than {MAX_NESTING} deep: export it again.")
    for tag in list(dataset.keys()):  # the tags alone: no other element is converted
        element = dataset.get_item(tag)
        if element.VR == "SQ" or (element.VR in (None, "UN") and _known_sequence(tag)):
            try:
                items = dataset[tag].value
            except Exception:  # of no use here, whatever is wrong with it
                continue
            for item in items:
                _check_nesting(item, depth + 1)


def _known_sequence(tag: pydicom.tag.BaseTag) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def _decode(dataset: pydicom.Dataset) -> np.ndarray:
    """The first frame as stored, (H, W) or (H, W, 3); YBR becomes RGB."""
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        frame = get_frame(dataset.PixelData, 0, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
        check_size(*(_codestream_size(frame) or (dataset.Rows, dataset.Columns)))
    return pixel_array(dataset, index=0)


def _codestream_size(frame: bytes) -> tuple[int, int] | None:
    """(height, width) a JPEG, JPEG-LS or JPEG 2000 stream declares: its decoder goes by that."""
    start = frame.find(b"\xff\x4f\xff\x51", 0, 4096)  # JPEG 2000, bare or in its container
    if start >= 0:
        right, bottom, left, top = (
            int.from_bytes(frame[start + at : start + at + 4], "big") for at in (8, 12, 16, 20)
        )
        return bottom - top, right - left
    at = 2
    while frame[:2] == b"\xff\xd8" and at + 9 <= len(frame):
        marker = frame[at + 1]
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            height, width = frame[at + 5 : at + 7], frame[at + 7 : at + 9]
            return int.from_bytes(height, "big"), int.from_bytes(width, "big")
        at += 1 if marker == 0xFF else 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None


def _colour(stored: np.ndarray, dataset: pydicom.Dataset) -> tuple[np.ndarray, tuple[float, float]]:
    bits = dataset.BitsStored
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
        bits = stored.dtype.itemsize * 8
    if stored.ndim != 3 or stored.shape[2] != 3 or stored.dtype.kind != "u":
        raise ImageError("The DICOM file has an unusual colour space: export it as MONOCHROME2 or RGB.")
    if bits > 16:
        stored, bits = (stored >> (bits - 16)).astype(np.uint16), 16
    return stored, (0, 2**bits - 1)


def _gray(stored: np.ndarray, dataset: pydicom.Dataset) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Pixels brighter with larger values, and their window; None where the file gives none.

    Without a table the pixels keep their precision and a window goes with them, so that it can be changed.
    """
    if stored.ndim != 2:
        raise ImageError("The DICOM file has an unusual colour space: export it as MONOCHROME2 or RGB.")
    if not np.isfinite(stored).all():
        raise ImageError("The image holds values that are not finite numbers: export it again without them.")
    padding = _padding(stored, dataset)
    values, window = _voi(_modality(stored, dataset), dataset)
    if padding.all():
        padding = np.zeros_like(padding)
    if padding.any():
        values = np.where(padding, values[~padding].min(), values)

    pixels, window = _as_uint16(values, window)
    if stored.dtype == np.uint8 and pixels.max() <= 255:
        pixels = pixels.astype(np.uint8)
        window = window or (0, 2**dataset.BitsStored - 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        top = int(pixels.max())
        pixels = top - pixels
        window = window and (top - window[1], top - window[0])
    return np.where(padding, 0, pixels).astype(pixels.dtype), window


def _padding(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """bool (H, W): pixels that fill up the rectangle and show nothing."""
    value = _number(dataset, "PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = _number(dataset, "PixelPaddingRangeLimit")
    limit = value if limit is None else limit
    return (stored >= min(value, limit)) & (stored <= max(value, limit))


def _modality(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    if tables := dataset.get("ModalityLUTSequence"):
        return _look_up(stored, tables[0], dataset)[0]
    slope, intercept = _number(dataset, "RescaleSlope"), _number(dataset, "RescaleIntercept")
    if None in (slope, intercept):
        if dataset.get("RescaleSlope") or dataset.get("RescaleIntercept"):
            raise ImageError("The DICOM file's rescale slope or intercept is no number: export it again.")
        return stored
    if (slope, intercept) == (1, 0):
        return stored
    return stored * slope + intercept


def _voi(values: np.ndarray, dataset: pydicom.Dataset) -> tuple[np.ndarray, tuple[float, float] | None]:
    """The values to show and the two shown black and white (PS3.3 C.11.2); the first of several choices."""
    if tables := dataset.get("VOILUTSequence"):
        values, bits = _look_up(values, tables[0], dataset)
        return values, (0, 2**bits - 1)
    center, width = _number(dataset, "WindowCenter"), _number(dataset, "WindowWidth")
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    if center is None or width is None or width <= 0:
        return values, None
    if function == "SIGMOID":
        steepness = np.clip(-4 * (values - center) / width, -700, 700)
        return np.rint(65535 / (1 + np.exp(steepness))), (0, 65535)
    if function == "LINEAR":  # from the standard's formula: half a step lower, a step narrower
        center, width = center - 0.5, max(width - 1, 0)
    return values, (center - width / 2, center + width / 2)


def _look_up(values: np.ndarray, table: pydicom.Dataset, dataset: pydicom.Dataset) -> tuple[np.ndarray, int]:
    """Values through a lookup table (first input value at its start, ends repeated), and its bits."""
    count, first, bits = (int(number) for number in table.LUTDescriptor)
    outputs = table.LUTData
    if isinstance(outputs, bytes):
        order = "<" if dataset.original_encoding[1] else ">"
        outputs = np.frombuffer(outputs, np.uint8 if len(outputs) == count else f"{order}u2")
    outputs = np.asarray(outputs).reshape(-1)[: count or 65536]
    return outputs[np.clip(np.rint(values) - first, 0, len(outputs) - 1).astype(np.intp)], bits


def _as_uint16(
    values: np.ndarray, window: tuple[float, float] | None
) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Whole numbers that fit keep their steps, moved up where negative; others are stretched over 16 bits."""
    low, high = float(values.min()), float(values.max())
    whole = values.dtype.kind in "ui" or np.array_equal(values, np.rint(values))
    if whole and high - min(low, 0) <= 65535:
        offset, scale = min(low, 0), 1.0
        pixels = (values - offset).astype(np.uint16)
    else:
        offset, scale = low, 65535 / (high - low) if high > low else 1.0
        pixels = stretch(values)
    return pixels, window and tuple((edge - offset) * scale for edge in window)


def _spacing(dataset: pydicom.Dataset) -> tuple[float, float] | None:
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        row, column = _number(dataset, name), _number(dataset, name, 1)
        if row and column and row > 0 and column > 0:
            return row, column
    return None


def _number(dataset: pydicom.Dataset, name: str, index: int = 0) -> float | None:
    """The value at ``index`` of an element as a finite number; None where it is missing or no number."""
    value = dataset.get(name)
    try:
        number = float(value[index] if isinstance(value, pydicom.multival.MultiValue) else value)
    except (TypeError, ValueError, IndexError):
        return None
    return number if math.isfinite(number) else None
