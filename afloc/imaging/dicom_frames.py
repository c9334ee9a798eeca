"""The attributes of one frame, wherever a DICOM file keeps them; and the distances of its pixels."""

import math
from typing import Any

import pydicom
from pydicom.multival import MultiValue

# Macros of the functional groups of enhanced multi-frame files (PS3.3 C.7.6.16): what each gives takes the
# place of all attributes of its family.
_MACROS = {
    "PixelMeasuresSequence": ("PixelSpacing",),
    "FramePixelDataPropertiesSequence": ("ImagerPixelSpacing",),
    "ProjectionPixelCalibrationSequence": ("ObjectPixelSpacingInCenterOfBeam",),
    "PixelValueTransformationSequence": ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    "FrameVOILUTSequence": ("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PatientOrientationInFrameSequence": ("PatientOrientation",),
    "FrameAnatomySequence": ("FrameLaterality",),
}
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")

# fmt: off
FRAME_ELEMENTS = [
    *_GROUPS, *(name for names in _MACROS.values() for name in names),
    "NumberOfFrames", "NominalScannedPixelSpacing", "PixelAspectRatio", "SequenceOfUltrasoundRegions",
]
# fmt: on
_SPACINGS = (
    "PixelSpacing",
    "ObjectPixelSpacingInCenterOfBeam",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
)
_CENTIMETRES, _TWO_DIMENSIONS = 3, 1  # of an ultrasound region
_MOST_ASPECT = 20


def count_frames(dataset: pydicom.Dataset) -> int:
    return max(1, int(dataset.get("NumberOfFrames") or 1))


def take_frame(dataset: pydicom.Dataset, frame: int) -> None:
    """Put the attributes of a frame where a file of one frame has them.

    What the frame's own group says beats the shared group, which beats the file.
    """
    for sequence, index in zip(_GROUPS, (0, frame), strict=True):
        groups = dataset.get(sequence) or []
        if index >= len(groups):
            continue
        for macro, names in _MACROS.items():
            items = groups[index].get(macro) or []
            given = [name for name in names if items and _has_value(items[0], name)]
            if not given or given == ["VOILUTFunction"]:
                continue
            for name in names:
                if name in dataset:
                    del dataset[name]
            for name in given:
                dataset[name] = items[0][name]


def spacing(dataset: pydicom.Dataset) -> tuple[float, float] | None:
    """(row, column) distance of pixel centres in mm."""
    for name in _SPACINGS:
        row, column = number(dataset, name), number(dataset, name, 1)
        if row and column and row > 0 and column > 0:
            return row, column
    return _ultrasound_spacing(dataset)


def aspect(dataset: pydicom.Dataset) -> float:
    """Height of a pixel over its width; 1 where the file does not say."""
    height, width = spacing(dataset) or (
        number(dataset, "PixelAspectRatio"),
        number(dataset, "PixelAspectRatio", 1),
    )
    if not (height and width and height > 0 and width > 0):
        return 1.0
    ratio = height / width
    if abs(ratio - 1) < 0.001 or not 1 / _MOST_ASPECT <= ratio <= _MOST_ASPECT:
        return 1.0
    return ratio


def number(dataset: pydicom.Dataset, name: str, index: int = 0) -> float | None:
    """The value at `index` of an element as a finite number; None where it is missing or no number."""
    value: Any = dataset.get(name)
    try:
        found = float(value[index] if isinstance(value, MultiValue) else value)
    except (TypeError, ValueError, IndexError):
        return None
    return found if math.isfinite(found) else None


def _ultrasound_spacing(dataset: pydicom.Dataset) -> tuple[float, float] | None:
    """The one scale of all two-dimensional regions that are measured in centimetres."""
    found = set()
    for region in dataset.get("SequenceOfUltrasoundRegions") or []:
        if number(region, "RegionSpatialFormat") != _TWO_DIMENSIONS:
            continue
        units = {number(region, f"PhysicalUnits{axis}Direction") for axis in "XY"}
        row, column = (abs(number(region, f"PhysicalDelta{axis}") or 0) * 10 for axis in "YX")
        if units != {_CENTIMETRES} or not (row and column):
            return None
        found.add((round(row, 6), round(column, 6)))
    return found.pop() if len(found) == 1 else None


def _has_value(dataset: pydicom.Dataset, name: str) -> bool:
    value = dataset.get(name)
    return value is not None and (not hasattr(value, "__len__") or len(value) > 0)
