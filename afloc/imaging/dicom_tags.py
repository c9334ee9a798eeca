"""A DICOM file without its tags: only what the picture, its orientation and its millimetres need stays.

None of it says who the patient is, when or where; the basic profile of DICOM PS3.15 keeps it, too. What is
burned into the picture stays.
"""

import hashlib
import io

import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from afloc.errors import ImageError
from afloc.imaging.dicom import ELEMENTS, check_nesting, inflate
from afloc.imaging.dicom_frames import MACROS
from afloc.imaging.image import read_image

NOT_WRITTEN = "This DICOM file cannot be kept without the patient's tags: export it again, or as PNG."
_DATES = {"StudyDate"}  # read for whoever opens a file, and of no use to a reader of a study
_IN_SEQUENCES = {
    *("LUTDescriptor", "LUTData"),
    *("CodeValue", "CodingSchemeDesignator", "CodeMeaning"),
    *("RegionSpatialFormat", "PhysicalUnitsXDirection", "PhysicalUnitsYDirection"),
    *("PhysicalDeltaX", "PhysicalDeltaY"),
}
_OF_THE_FILE = {"SpecificCharacterSet", "SOPInstanceUID"}
_KEPT = {*ELEMENTS, *MACROS, *_IN_SEQUENCES, *_OF_THE_FILE} - _DATES


def strip_tags(data: bytes) -> bytes:
    """The same picture as a file that tells nothing else; the same bytes for the same file.

    ImageError for a file that is no picture, or cannot be written so.
    """
    before = read_image(data)
    try:
        dataset = pydicom.dcmread(io.BytesIO(inflate(data)), force=True, specific_tags=sorted(_KEPT))
        check_nesting(dataset)
        _strip(dataset)
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        if syntax is None:
            implicit, little = dataset.original_encoding
            explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
            syntax = ImplicitVRLittleEndian if implicit else explicit
        name = generate_uid(entropy_srcs=[hashlib.sha256(data).hexdigest()])
        dataset.SOPInstanceUID = name
        meta = pydicom.dataset.FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPInstanceUID = syntax, name
        meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID") or pydicom.uid.SecondaryCaptureImageStorage
        dataset.SOPClassUID = meta.MediaStorageSOPClassUID
        dataset.file_meta, dataset.preamble = meta, b"\0" * 128
        out = io.BytesIO()
        dataset.save_as(out, enforce_file_format=True)
        after = read_image(out.getvalue())
    except Exception:  # pydicom raises what it likes
        raise ImageError(NOT_WRITTEN) from None
    same = ("digest", "spacing", "aspect", "orientation", "frames", "burned_in")
    if any(getattr(before, each) != getattr(after, each) for each in same):
        raise ImageError(NOT_WRITTEN)
    return out.getvalue()


def has_other_tags(data: bytes) -> bool:
    """Whether a DICOM file has tags that `strip_tags` would take out."""
    try:
        dataset = pydicom.dcmread(io.BytesIO(inflate(data)), force=True, stop_before_pixels=True)
        return any(keyword_for_tag(tag) not in _KEPT for tag in list(dataset.keys()))
    except Exception:  # pydicom raises what it likes
        return True


def _strip(dataset: pydicom.Dataset) -> None:
    for tag in list(dataset.keys()):
        if keyword_for_tag(tag) not in _KEPT:
            del dataset[tag]
        elif dataset[tag].VR == "SQ":
            for item in dataset[tag].value:
                _strip(item)
