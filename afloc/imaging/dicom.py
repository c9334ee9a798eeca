"""DICOM to `Image`: only the elements named here are read, and none of them identifies the patient."""

import io
import zlib
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from afloc.errors import ImageError
from afloc.imaging.dicom_capture import CAPTURE_ELEMENTS, read_capture
from afloc.imaging.dicom_display import (
    COLOUR,
    DISPLAY_ELEMENTS,
    GRAY,
    UNUSUAL_COLOURS,
    show_colour,
    show_gray,
)
from afloc.imaging.dicom_frames import FRAME_ELEMENTS, count_frames, take_frame
from afloc.imaging.dicom_orientation import ORIENTATION_ELEMENTS, read_orientation
from afloc.imaging.dicom_pixels import PIXEL_ELEMENTS, read_stored
from afloc.imaging.dicom_spacing import SPACING_ELEMENTS, aspect, spacing
from afloc.imaging.image import (
    FIRST_FRAME,
    MAX_BYTES,
    TOO_LARGE,
    Header,
    Image,
    check_frame,
    check_frames,
    check_size,
    make_image,
    mark,
)

ELEMENTS = ["Rows", "Columns", "SamplesPerPixel", "PlanarConfiguration", "PhotometricInterpretation"]
ELEMENTS += [
    "BurnedInAnnotation",
    *FRAME_ELEMENTS,
    *DISPLAY_ELEMENTS,
    *ORIENTATION_ELEMENTS,
    *CAPTURE_ELEMENTS,
    *SPACING_ELEMENTS,
    *PIXEL_ELEMENTS,
]


BURNED_IN = "Text may be burned into this picture: look before you share it."

_LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000)
MAX_NESTING = 8  # sequences in sequences; enhanced multi-frame objects have four
_META = 144  # bytes before the file meta information, its length included
_INFLATION = 20  # times its size that a deflated file may have, above 4 MB


def read_dicom(data: bytes, frame: int = 0) -> Image:
    """A frame of a DICOM file in display polarity, its modality and VOI tables or window applied.

    Raises ImageError for a file without a picture or without that frame, or of a kind not accepted, and for
    a damaged one whatever pydicom raises.
    """
    dataset, stored, frames = _read(data, frame)
    shown = (show_gray if dataset.PhotometricInterpretation in GRAY else show_colour)(stored, dataset)
    burned_in = {"YES": True, "NO": False}.get(str(dataset.get("BurnedInAnnotation") or "").strip().upper())
    notes = (FIRST_FRAME,) * (frames > 1 and frame == 0) + shown.notes + (BURNED_IN,) * bool(burned_in)
    return make_image(
        shown.pixels,
        shown.window,
        notes,
        spacing(dataset),
        aspect=aspect(dataset),
        orientation=read_orientation(dataset),
        frames=frames,
        burned_in=burned_in,
        capture=read_capture(dataset),
    )


def read_dicom_mask(data: bytes) -> np.ndarray:
    """bool (H, W): where the first frame, as it is stored, is not zero. Raises as `read_dicom`."""
    dataset, stored, _ = _read(data, 0)
    return mark(stored, dataset.file_meta.TransferSyntaxUID in _LOSSY, 2**dataset.BitsStored - 1)


def _read(data: bytes, frame: int) -> tuple[pydicom.Dataset, np.ndarray, int]:
    """A file's elements, the numbers of a frame as they are stored, and how many frames there are."""
    data = inflate(data)
    check_nesting(pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=True))
    dataset = pydicom.dcmread(io.BytesIO(data), force=True, specific_tags=ELEMENTS)
    if "Rows" not in dataset or not any(name in dataset for name in PIXEL_ELEMENTS[:3]):
        raise ImageError("The DICOM file holds no picture: give one with pixel data.")
    check_size(dataset.Rows, dataset.Columns)
    frames = count_frames(dataset)
    check_frames(frames)
    check_frame(frame, frames)
    take_frame(dataset, frame)
    if dataset.PhotometricInterpretation not in GRAY + COLOUR:
        raise ImageError(UNUSUAL_COLOURS)
    return dataset, read_stored(dataset, frame), frames


def dicom_header(file: BinaryIO) -> Header:
    """Size and frames. Raises as `read_dicom`."""
    if DeflatedExplicitVRLittleEndian.encode() in file.read(_META + 1000):
        file.seek(0)
        image = read_dicom(file.read(MAX_BYTES))
        return Header(image.height, image.width, frames=image.frames)
    file.seek(0)
    wanted = ["Rows", "Columns", "NumberOfFrames"]
    header = pydicom.dcmread(file, force=True, stop_before_pixels=True, specific_tags=wanted)
    check_size(header.Rows, header.Columns)
    return Header(int(header.Rows), int(header.Columns), frames=count_frames(header))


def inflate(data: bytes) -> bytes:
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


def check_nesting(dataset: pydicom.Dataset, depth: int = 0) -> None:
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
                check_nesting(item, depth + 1)


def _known_sequence(tag: pydicom.tag.BaseTag) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"
