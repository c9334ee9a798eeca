"""A DICOM file as a study keeps it: the same picture, and nothing of the patient."""

import io

import numpy as np
import pydicom
import pytest
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    generate_uid,
)

from afloc.errors import ImageError
from afloc.imaging.dicom_tags import has_other_tags, strip_tags
from afloc.imaging.image import read_image
from tests.imaging.dicoms import RAMP, WINDOW, dicom, encapsulated, group, item, jpeg, lut, palette

NAME, NUMBER = "Doe^Jane", "MRN-4711"  # with letters: UIDs are digits at random
PATIENT = {
    "PatientName": NAME,
    "PatientID": NUMBER,
    "StudyDate": "19700101",
    "InstitutionName": "St. Elsewhere 4711",
    "StudyInstanceUID": generate_uid(),
    "ReferencedImageSequence": Sequence([item(PatientID=NUMBER)]),
}
SHARED = Sequence(
    [
        group(
            PixelMeasuresSequence=item(PixelSpacing=[0.2, 0.2], PatientName=NAME),
            FrameVOILUTSequence=item(WindowCenter="20", WindowWidth="9"),
            FrameContentSequence=item(FrameComments=NAME),
        )
    ]
)
REGION = item(
    RegionSpatialFormat=1,
    PhysicalUnitsXDirection=3,
    PhysicalUnitsYDirection=3,
    PhysicalDeltaX=0.02,
    PhysicalDeltaY=0.02,
    PatientComments=NAME,
)
VIEW = Sequence([item(CodeValue="399348003", CodeMeaning="antero-posterior", PatientName=NAME)])


def a_private_tag(data):
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.private_block(0x0009, "A VENDOR", create=True).add_new(1, "LO", NAME)
    dataset.file_meta.SourceApplicationEntityTitle = NUMBER
    dataset.preamble = NAME.encode().ljust(128)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


FILES = {
    "plain": dicom(RAMP, bits=6, **WINDOW, **PATIENT, PixelSpacing=[0.15, 0.15], ViewPosition="PA"),
    "private": a_private_tag(dicom(RAMP, bits=6, **PATIENT)),
    "implicit": dicom(
        RAMP, bits=6, syntax=ImplicitVRLittleEndian, **PATIENT, VOILUTSequence=lut(range(64), 0)
    ),
    "big endian": dicom(RAMP, bits=6, syntax=ExplicitVRBigEndian, **PATIENT),
    "deflated": dicom(RAMP, bits=6, syntax=DeflatedExplicitVRLittleEndian, **PATIENT),
    "jpeg": encapsulated(
        jpeg(RAMP.astype(np.uint8)),
        JPEGBaseline8Bit,
        RAMP.astype(np.uint8),
        **PATIENT,
        BurnedInAnnotation="YES",
    ),
    "palette": palette([np.arange(64) * 4] * 3, 8, "u1", **PATIENT),
    "frames": dicom([RAMP, 63 - RAMP], bits=6, **PATIENT, SharedFunctionalGroupsSequence=SHARED),
    "ultrasound": dicom(RAMP, bits=6, **PATIENT, SequenceOfUltrasoundRegions=Sequence([REGION])),
    "view": dicom(RAMP, bits=6, **PATIENT, ViewCodeSequence=VIEW, PatientOrientation=["L", "F"]),
    "no header": dicom(RAMP, bits=6, syntax=ImplicitVRLittleEndian, **PATIENT),
}
FILES["no header"] = FILES["no header"][FILES["no header"].index(b"\x08\0\x16\0") :]


@pytest.mark.parametrize("kind", FILES)
def test_the_picture_stays_and_the_patient_goes(kind):
    data = FILES[kind]
    before, kept = read_image(data), strip_tags(data)
    after = read_image(kept)
    assert after.digest == before.digest and after.notes == before.notes
    assert (after.spacing, after.aspect, after.frames) == (before.spacing, before.aspect, before.frames)
    assert after.orientation == before.orientation and after.capture.plane == before.capture.plane
    for frame in range(before.frames):
        assert read_image(kept, frame=frame).digest == read_image(data, frame=frame).digest
    told = kept + repr(pydicom.dcmread(io.BytesIO(kept))).encode()
    for secret in (b"Doe", b"MRN-4711", b"19700101", b"Elsewhere", PATIENT["StudyInstanceUID"].encode()):
        assert secret not in told, secret
    assert has_other_tags(data) and not has_other_tags(kept)
    assert strip_tags(data) == kept, "the same file keeps its name in a study"
    assert strip_tags(kept) != b"" and read_image(strip_tags(kept)).digest == before.digest


def test_what_is_no_picture_is_refused():
    with pytest.raises(ImageError):
        strip_tags(FILES["plain"][:400])
