"""The attributes of one frame, wherever a DICOM file keeps them."""

import math
from typing import Any

import pydicom
from pydicom.multival import MultiValue

# Macros of the functional groups of enhanced multi-frame files (PS3.3 C.7.6.16): what each gives takes the
# place of all attributes of its family.
MACROS = {
    "PixelMeasuresSequence": ("PixelSpacing", "PixelSpacingCalibrationType"),
    "FramePixelDataPropertiesSequence": ("ImagerPixelSpacing",),
    "ProjectionPixelCalibrationSequence": ("ObjectPixelSpacingInCenterOfBeam",),
    "PixelValueTransformationSequence": ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    "FrameVOILUTSequence": ("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PatientOrientationInFrameSequence": ("PatientOrientation",),
    "FrameAnatomySequence": ("FrameLaterality",),
}
FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")

# fmt: off
FRAME_ELEMENTS = [
    *FUNCTIONAL_GROUPS, *(name for names in MACROS.values() for name in names), "NumberOfFrames",
]
# fmt: on


def count_frames(dataset: pydicom.Dataset) -> int:
    return max(1, int(dataset.get("NumberOfFrames") or 1))


def take_frame(dataset: pydicom.Dataset, frame: int) -> None:
    """Put the attributes of a frame where a file of one frame has them.

    What the frame's own group says beats the shared group, which beats the file.
    """
    for sequence, index in zip(FUNCTIONAL_GROUPS, (0, frame), strict=True):
        groups = dataset.get(sequence) or []
        if index >= len(groups):
            continue
        for macro, names in MACROS.items():
            items = groups[index].get(macro) or []
            given = [name for name in names if items and _has_value(items[0], name)]
            if not given or given == ["VOILUTFunction"]:
                continue
            for name in names:
                if name in dataset:
                    del dataset[name]
            for name in given:
                dataset[name] = items[0][name]


def number(dataset: pydicom.Dataset, name: str, index: int = 0) -> float | None:
    """The value at `index` of an element as a finite number; None where it is missing or no number."""
    value: Any = dataset.get(name)
    try:
        found = float(value[index] if isinstance(value, MultiValue | list) else value)
    except (TypeError, ValueError, IndexError):
        return None
    return found if math.isfinite(found) else None


def _has_value(dataset: pydicom.Dataset, name: str) -> bool:
    value = dataset.get(name)
    return value is not None and (not hasattr(value, "__len__") or len(value) > 0)
