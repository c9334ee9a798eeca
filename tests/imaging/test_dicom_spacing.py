"""Where the lengths of a DICOM picture hold: PS3.3, 10.7.1.3."""

import pytest

from afloc.imaging.image import read_image
from tests.imaging.dicoms import RAMP, dicom

OWN, OTHER = [0.25, 0.125], [0.3, 0.15]

PLANES = {
    "slice": ({"Modality": "CT", "PixelSpacing": OWN}, "object"),
    "projection that says no more": ({"Modality": "DX", "PixelSpacing": OWN}, "unsaid"),
    "copy of it": (
        {"Modality": "DX", "PixelSpacing": OWN, "ImagerPixelSpacing": OWN},
        "detector",
    ),
    "corrected": ({"Modality": "CR", "PixelSpacing": OWN, "ImagerPixelSpacing": OTHER}, "object"),
    "calibrated": (
        {"Modality": "DX", "PixelSpacing": OWN, "PixelSpacingCalibrationType": "FIDUCIAL"},
        "object",
    ),
    "detector": ({"Modality": "DX", "ImagerPixelSpacing": OWN}, "detector"),
    "scanned film": ({"Modality": "CR", "NominalScannedPixelSpacing": OWN}, "film"),
    "centre of the beam": ({"Modality": "XA", "ObjectPixelSpacingInCenterOfBeam": OWN}, "object"),
    "not a number": ({"Modality": "DX", "PixelSpacing": ["0", "0"], "ImagerPixelSpacing": OWN}, "detector"),
}


@pytest.mark.parametrize("name", PLANES)
def test_the_plane_of_lengths(name):
    elements, plane = PLANES[name]
    image = read_image(dicom(RAMP, **elements))
    assert (image.spacing, image.capture.plane, image.aspect) == ((0.25, 0.125), plane, 2)


def test_a_silent_file_has_neither_lengths_nor_plane():
    image = read_image(dicom(RAMP, Modality="DX", PixelAspectRatio=["3", "1"]))
    assert (image.spacing, image.capture.plane, image.aspect) == (None, None, 3)
