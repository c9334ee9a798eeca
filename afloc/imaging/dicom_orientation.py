"""How the patient lies in a DICOM picture: only what the file says, nothing that is usual.

FieldOfViewHorizontalFlip is left alone: it tells what was done between detector and picture, and makers mean
different sides of the detector; PatientOrientation describes the picture that came of it.
"""

import re

import pydicom

from afloc.imaging.dicom_frames import number
from afloc.imaging.image import Orientation

# fmt: off
ORIENTATION_ELEMENTS = [
    "SOPClassUID", "Modality", "BodyPartExamined", "AnatomicRegionSequence", "AnatomicalOrientationType",
    "PatientOrientation", "ImageOrientationPatient", "ViewPosition", "ViewCodeSequence",
    "ImageLaterality", "FrameLaterality", "Laterality",
]


_EYES = {"R": "right", "OD": "right", "RIGHT": "right", "L": "left", "OS": "left", "LEFT": "left"}
_OPHTHALMIC = ("OP", "OPM", "OPT", "OPV", "OAM", "OCT", "OPTBSV", "OPTENF", "OSS")
_OPHTHALMIC_CLASSES = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.77\.1\.5(\.|$)")
_OF_THE_EYE = re.compile(r"EYE|RETINA|FUNDUS|OCULAR|MACULA|OPTIC DISC", re.IGNORECASE)
_FRONTAL = {"AP", "PA"}
_LATERAL = {"LL", "RL", "LAT", "LATERAL"}
_NEITHER = {"LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "OBL", "OBLIQUE", "CC", "MLO", "AXIAL"}
_MEANS_FRONTAL = re.compile(r"antero.?posterior|postero.?anterior", re.IGNORECASE)
_MEANS_LATERAL = re.compile(r"\blateral\b", re.IGNORECASE)
_MEANS_NEITHER = re.compile(r"oblique|decubitus|medio|latero", re.IGNORECASE)
_MAIN = 0.7  # of a direction along an axis: the picture is turned by less than 45 degrees


def read_orientation(dataset: pydicom.Dataset) -> Orientation:
    """What the file says of sides and view; each None where it says nothing."""
    row, column = _directions(dataset)
    right = {"L": "left", "R": "right"}.get(row or "")
    view = _view(dataset) or _view_of_plane(row, column)
    front = {"P": "left", "A": "right"}.get(row or "")
    return Orientation(right, None if view == "neither" else view, _eye(dataset), front)


def _directions(dataset: pydicom.Dataset) -> tuple[str | None, str | None]:
    """Where rows (to the right) and columns (down) lead: one of L R A P H F, None where nothing is said."""
    if str(dataset.get("AnatomicalOrientationType") or "BIPED").upper() == "QUADRUPED":
        return None, None
    said = dataset.get("PatientOrientation")
    if isinstance(said, pydicom.multival.MultiValue) and len(said) == 2:
        letters = [str(value).strip().upper()[:1] for value in said]
        if all(letter and letter in "LRAPHF" for letter in letters):
            return letters[0], letters[1]
    cosines = [number(dataset, "ImageOrientationPatient", index) for index in range(6)]
    return _axis(cosines[:3]), _axis(cosines[3:])


def _axis(cosines: list[float | None]) -> str | None:
    """Where a direction mostly leads: x grows to the patient's left, y to the back, z to the head."""
    known = [cosine for cosine in cosines if cosine is not None]
    if len(known) < len(cosines):
        return None
    place = max(range(3), key=lambda axis: abs(known[axis]))
    if abs(known[place]) < _MAIN:
        return None
    return ("LR", "PA", "HF")[place][known[place] < 0]


def _view(dataset: pydicom.Dataset) -> str | None:
    words = set(re.findall("[A-Z]+", str(dataset.get("ViewPosition") or "").upper()))
    if words & _NEITHER:
        return "neither"
    found = {view for view, names in (("frontal", _FRONTAL), ("lateral", _LATERAL)) if words & names}
    if len(found) == 1:
        return found.pop()
    for code in dataset.get("ViewCodeSequence") or []:
        meaning = str(code.get("CodeMeaning") or "")
        if _MEANS_NEITHER.search(meaning):
            return "neither"
        if _MEANS_FRONTAL.search(meaning):
            return "frontal"
        if _MEANS_LATERAL.search(meaning):
            return "lateral"
    return None


def _view_of_plane(row: str | None, column: str | None) -> str | None:
    """The view whose picture lies in this plane; None for a slice across the body."""
    sides = "".join(sorted(filter(None, (row, column)), key="LRAPHF".index))
    if len(sides) < 2 or sides[1] not in "HF":
        return None
    return "frontal" if sides[0] in "LR" else "lateral" if sides[0] in "AP" else None


def _eye(dataset: pydicom.Dataset) -> str | None:
    if not _shows_an_eye(dataset):
        return None
    for name in ("FrameLaterality", "ImageLaterality", "Laterality"):
        if eye := _EYES.get(str(dataset.get(name) or "").strip().upper()):
            return eye
    return None


def _shows_an_eye(dataset: pydicom.Dataset) -> bool:
    if str(dataset.get("Modality") or "").strip().upper() in _OPHTHALMIC:
        return True
    regions = [str(item.get("CodeMeaning") or "") for item in dataset.get("AnatomicRegionSequence") or []]
    said = " ".join([str(dataset.get("BodyPartExamined") or ""), *regions])
    return bool(_OPHTHALMIC_CLASSES.match(str(dataset.get("SOPClassUID") or "")) or _OF_THE_EYE.search(said))
