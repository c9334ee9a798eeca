"""How and when a DICOM picture was taken: what the stage says beside it, and nothing of who it shows."""

import re
from datetime import date

import pydicom

from afloc.imaging.capture import Capture
from afloc.imaging.dicom_spacing import plane

CAPTURE_ELEMENTS = ["ViewPosition", "StudyDate"]

# Only these words of ViewPosition are told: some software lets anything be typed there.
# fmt: off
_PROJECTIONS = {
    "AP", "PA", "LL", "RL", "LAT", "LATERAL", "LLD", "RLD", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO",
    "OBL", "OBLIQUE", "AXIAL", "LORDOTIC", "SUPINE", "ERECT", "PORTABLE", "CC", "MLO", "ML", "LM",
}
# fmt: on


def read_capture(dataset: pydicom.Dataset) -> Capture:
    return Capture(_projection(dataset), _study_date(dataset), plane(dataset))


def _projection(dataset: pydicom.Dataset) -> str | None:
    words = re.findall("[A-Z]+", str(dataset.get("ViewPosition") or "").upper())
    return " ".join(word for word in words if word in _PROJECTIONS) or None


def _study_date(dataset: pydicom.Dataset) -> str | None:
    """Like "2021-03-04"; None where the file gives no day of the calendar."""
    digits = re.fullmatch(r"(\d{4})\.?(\d\d)\.?(\d\d)", str(dataset.get("StudyDate") or "").strip())
    try:
        return date(*map(int, digits.groups())).isoformat() if digits else None
    except ValueError:
        return None
