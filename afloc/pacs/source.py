"""What a result says of the image it is about: the headers of a DICOM file, for DICOM objects alone.

`afloc.imaging.dicom` drops what identifies a patient. A result that goes to a PACS must carry it, so it is
read again here. Nothing of it reaches the page, the log or the store.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.config import RAISE
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pydicom.valuerep import validate_value

from afloc.errors import ImageError
from afloc.imaging.dicom import check_nesting, inflate
from afloc.imaging.dicom_frames import FUNCTIONAL_GROUPS, count_frames
from afloc.imaging.image import is_dicom

# pydicom warns of values that are not allowed, and quotes them: they may be the patient's.
warnings.filterwarnings("ignore", module=r"pydicom\b")

NOT_DICOM = "The image is no DICOM file, so no DICOM result can refer to it: give a DICOM image."
NOT_NAMED = (
    "The DICOM file does not name its study, series and instance by a UID, so no result can refer to it: "
    "export it from the PACS again."
)
NOT_STANDARD = (
    "The DICOM file is of a kind (SOP class) to which no report can refer: export it as a standard image."
)
NO_HEADER = "The headers of the DICOM file cannot be read: export it again."

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
# What a result takes over: an element without a valid value becomes empty (type 2), or is left out (type 3).
# fmt: off
PATIENT_AND_STUDY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
    "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
)
FURTHER = ("IssuerOfPatientID", "StudyDescription")
_ABOUT = ("Modality", "Laterality", "ImageLaterality", "PatientOrientation")
_PLACE = ("FrameOfReferenceUID", "PositionReferenceIndicator")
_PLANE = {  # by the macro that has it in a file of several frames
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
}
_NUMBERS = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
_SIZE = ("Rows", "Columns", "NumberOfFrames")
# fmt: on
_ELEMENTS = [
    "SpecificCharacterSet",
    *(UIDS + PATIENT_AND_STUDY + FURTHER + _ABOUT + _PLACE + _SIZE + FUNCTIONAL_GROUPS),
    *(name for names in _PLANE.values() for name in names),
]
_SEXES = ("M", "F", "O")


@dataclass(frozen=True)
class Source:
    """A frame of a DICOM image, as results refer to it.

    `header`: its elements, every one with a valid value or, of type 2, empty; the text is Unicode.
    `frame`: from 0, None of a file that holds one picture. `plane`: the macros that say where the frame lies;
    their items are empty unless the file gives position, orientation and spacing.
    """

    header: Dataset
    frame: int | None
    plane: Dataset

    @property
    def height(self) -> int:
        return self.header.Rows

    @property
    def width(self) -> int:
        return self.header.Columns

    @property
    def placed(self) -> bool:
        """Whether the frame has a place in its frame of reference."""
        return "PixelSpacing" in self.plane.PixelMeasuresSequence[0]

    @property
    def frame_numbers(self) -> list[int] | None:
        """As DICOM counts them, from 1; None of a file that holds one picture."""
        return None if self.frame is None else [self.frame + 1]

    def reference(self) -> Dataset:
        """A reference to the instance and, in a file that holds several, to the frame."""
        header = self.header
        item = make_item(
            ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID
        )
        if self.frame_numbers:
            item.ReferencedFrameNumber = self.frame_numbers
        return item


def read_source(file: str | Path | bytes, frame: int = 0) -> Source:
    """The source of results on a frame of a DICOM file that `read_image` reads.

    ImageError for another kind of file, and for one that does not name its instance.
    """
    data = file if isinstance(file, bytes) else Path(file).read_bytes()
    if not is_dicom(data):
        raise ImageError(NOT_DICOM)
    try:
        data = inflate(data)
        check_nesting(pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=True))
        dataset = pydicom.dcmread(io.BytesIO(data), force=True, specific_tags=_ELEMENTS)
        return source_of(dataset, frame)
    except ImageError:
        raise
    except Exception:  # pydicom raises anything on a damaged file, and its message may quote it
        raise ImageError(NO_HEADER) from None


def source_of(dataset: Dataset, frame: int = 0) -> Source:
    """The same of a file's elements. ImageError where they do not name the instance."""
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"  # what is typed may be in any script
    for name in UIDS:
        if not UID(str(dataset.get(name) or "")).is_valid:
            raise ImageError(NOT_NAMED)
        setattr(header, name, str(dataset.get(name)))
    if UID(header.SOPClassUID).is_private:
        raise ImageError(NOT_STANDARD)
    for name in PATIENT_AND_STUDY:
        setattr(header, name, _valid(dataset, name) or "")
    if header.PatientSex not in _SEXES:
        header.PatientSex = ""
    for name in (*FURTHER, *_ABOUT, *_PLACE):
        if value := _valid(dataset, name):
            setattr(header, name, value)
    header.Rows, header.Columns = int(dataset.Rows), int(dataset.Columns)
    frames = count_frames(dataset)
    if frames > 1:
        header.NumberOfFrames = frames
    return Source(header, frame if frames > 1 else None, _read_plane(dataset, frame))


def _read_plane(dataset: Dataset, frame: int) -> Dataset:
    """The macros that place the frame in its frame of reference: all values as the file has them, or none.

    Without a position they stay empty: the standard asks for the macros, and allows that of a derived image.
    A distance of pixels alone says nothing of a place, for on a film it may be the detector's.
    """
    given, empty = Dataset(), Dataset()
    for macro, names in _PLANE.items():
        home = _home(dataset, frame, macro)
        values = {name: _valid(home, name) for name in names}
        if np.size(values[names[0]]) != _NUMBERS[names[0]]:
            values.clear()
        setattr(given, macro, [make_item(**{name: value for name, value in values.items() if value})])
        setattr(empty, macro, [Dataset()])
    placed = all(names[0] in given[macro][0] for macro, names in _PLANE.items())
    return given if placed and _valid(dataset, "FrameOfReferenceUID") else empty


def make_item(**elements: Any) -> Dataset:
    """An item of a sequence."""
    item = Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return item


def _home(dataset: Dataset, frame: int, macro: str) -> Dataset:
    """Where a frame's values of a macro stand: its own group, the shared group, or a file of one picture."""
    for sequence, index in zip(reversed(FUNCTIONAL_GROUPS), (frame, 0), strict=True):
        groups = dataset.get(sequence) or []
        items = groups[index].get(macro) if index < len(groups) else None
        if items:
            return items[0]
    return dataset if count_frames(dataset) == 1 else Dataset()


def _valid(dataset: Dataset, name: str) -> Any:
    """The value of an element as new text or numbers; None where it is missing, empty or not allowed."""
    if name not in dataset:
        return None
    element = dataset[name]
    if element.is_empty:
        return None
    try:
        several = element.VM > 1
        values = [str(value).strip() for value in (element.value if several else [element.value])]
        for value in values:
            validate_value(element.VR, value, RAISE)
    except Exception:  # of a kind that pydicom does not even read
        return None
    return values if several else values[0]
