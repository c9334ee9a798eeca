"""View and date of a DICOM picture, and nothing else that is written in their place."""

import warnings

import pytest

from afloc.imaging.capture import Capture
from afloc.imaging.image import read_image
from tests.imaging.dicoms import RAMP, dicom, patch

SAID = {
    "usual": ({"ViewPosition": "PA", "StudyDate": "20210304"}, ("PA", "2021-03-04")),
    "of old": ({"ViewPosition": "AP SUPINE", "StudyDate": "2021.03.04"}, ("AP SUPINE", "2021-03-04")),
    "silent": ({}, (None, None)),
    "empty": ({"ViewPosition": "", "StudyDate": ""}, (None, None)),
    "a name": ({"ViewPosition": "PA DOE JANE", "StudyDate": "20210304"}, ("PA", "2021-03-04")),
    "no day": ({"ViewPosition": "DOE", "StudyDate": "20210230"}, (None, None)),
}


@pytest.mark.parametrize("name", SAID)
def test_view_and_date(name):
    elements, (projection, day) = SAID[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of values that are no dates
        data = dicom(RAMP, **elements)
    assert read_image(data).capture == Capture(projection, day)


def test_words_where_the_date_should_be_are_not_told():
    data = patch(dicom(RAMP, StudyDate="20210304"), 0x00080020, b"DA", b"Jane Doe")
    assert read_image(data).capture.study_date is None
