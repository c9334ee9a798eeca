"""DICOM images of every kind that results are written for, as PACS have them; each names a patient."""

import io
from collections.abc import Callable

import numpy as np
import pydicom
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid
from skimage import data

from afloc.imaging.examples import EXAMPLES
from tests.imaging.dicoms import dicom, group, item

DX, CR, OP, ENHANCED_XA, SC_FRAMES, XRAY3D = (
    "1.2.840.10008.5.1.4.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.77.1.5.1",
    "1.2.840.10008.5.1.4.1.1.12.1.1",
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.13.1.1",
)
PATIENT = {
    "PatientName": "Doe^Jane",
    "PatientID": "P-1234",
    "PatientBirthDate": "19600101",
    "PatientSex": "F",
    "StudyDate": "20240102",
    "StudyTime": "101500",
    "StudyID": "7",
    "AccessionNumber": "A77",
    "ReferringPhysicianName": "Roe^Richard",
}
PLACED = {
    "FrameOfReferenceUID": generate_uid(),
    "PositionReferenceIndicator": "",
    "ImagePositionPatient": ["-180.5", "20", "310"],
    "ImageOrientationPatient": ["1", "0", "0", "0", "0", "-1"],
    "PixelSpacing": ["0.4", "0.4"],
}


def film(shape=(160, 120)) -> np.ndarray:
    pixels = EXAMPLES[0].load().gray()
    rows, columns = (
        np.linspace(0, size - 1, to).astype(int) for size, to in zip(pixels.shape, shape, strict=True)
    )
    return pixels[np.ix_(rows, columns)]


def source(pixels=None, **elements) -> bytes:
    """A film of the example patient; `elements` beat what it has."""
    uids = {name: generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID")}
    usual = {"SOPClassUID": DX, "Modality": "DX", "PatientOrientation": ["L", "F"], **uids, **PATIENT}
    return dicom(film() if pixels is None else pixels, **(usual | elements))


def without(content: bytes, *names: str) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(content))
    for name in names:
        del dataset[name]
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def enhanced() -> bytes:
    """Three frames, each with a place of its own."""
    shared = group(
        PixelMeasuresSequence=item(PixelSpacing=["0.5", "0.5"], SliceThickness="2"),
        PlaneOrientationSequence=item(ImageOrientationPatient=["1", "0", "0", "0", "0", "-1"]),
    )
    places = [
        group(PlanePositionSequence=item(ImagePositionPatient=["0", str(20 * n), "0"])) for n in range(3)
    ]
    return source(
        np.stack([film(), film()[::-1], film()[:, ::-1]]),
        SOPClassUID=XRAY3D,
        FrameOfReferenceUID=PLACED["FrameOfReferenceUID"],
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(places),
    )


def fundus() -> bytes:
    return source(
        data.retina()[::12, ::12].copy(),
        photometric="RGB",
        SOPClassUID=OP,
        Modality="OP",
        ImageLaterality="R",
        PatientOrientation="",
    )


KINDS: dict[str, tuple[Callable[[], bytes], int]] = {  # and the frame that is asked about
    "film": (source, 0),
    "film with a place": (lambda: source(**PLACED), 0),
    "film with a frame of reference alone": (lambda: source(FrameOfReferenceUID=generate_uid()), 0),
    "film with distances of the detector": (
        lambda: source(
            SOPClassUID=CR, Modality="CR", PixelSpacing=["0.14", "0.14"], ImagerPixelSpacing=["0.14", "0.14"]
        ),
        0,
    ),
    "fundus": (fundus, 0),
    "frames with places": (enhanced, 2),
    "frames of a capture": (
        lambda: source(np.stack([film(), film()[::-1]]), SOPClassUID=SC_FRAMES, Modality="OT"),
        1,
    ),
    "16 bit": (lambda: source(film().astype(np.uint16) * 200, photometric="MONOCHROME1", bits=16), 0),
    "mirrored": (lambda: source(film()[:, ::-1].copy(), PatientOrientation=["R", "F"]), 0),
    "pixels that are not square": (lambda: source(PixelAspectRatio=["2", "1"]), 0),
    "without type 2 attributes": (lambda: without(source(), *PATIENT, "PatientOrientation"), 0),
    "values that are not allowed": (
        lambda: source(
            PatientSex="female", PatientBirthDate="1.1.1960", StudyDate="2024-01-02", StudyID="x" * 40
        ),
        0,
    ),
    "names in Chinese": (
        lambda: source(
            SpecificCharacterSet="ISO_IR 192", PatientName="Wang^XiaoDong=王^小东", AccessionNumber=""
        ),
        0,
    ),
}
