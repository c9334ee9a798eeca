"""The distances of a DICOM picture's pixels, the plane they hold in, and the shape of a pixel."""

import pydicom

from afloc.imaging.dicom_frames import number

# fmt: off
SPACING_ELEMENTS = [
    "Modality", "PixelSpacing", "PixelSpacingCalibrationType", "ObjectPixelSpacingInCenterOfBeam",
    "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio", "SequenceOfUltrasoundRegions",
]
_PLANES = {  # in the order in which they are believed
    "PixelSpacing": "object", "ObjectPixelSpacingInCenterOfBeam": "object",
    "ImagerPixelSpacing": "detector", "NominalScannedPixelSpacing": "film",
}
_PROJECTIONS = {"CR", "DX", "DR", "MG", "PX", "IO", "RF", "XA", "RG"}  # modalities whose rays magnify
# fmt: on
_CENTIMETRES, _TWO_DIMENSIONS = 3, 1  # of an ultrasound region
_MOST_ASPECT = 20
_ALIKE = 0.001


def spacing(dataset: pydicom.Dataset) -> tuple[float, float] | None:
    """(row, column) distance of pixel centres in mm."""
    name = _named(dataset)
    return _pair(dataset, name) if name else _ultrasound_spacing(dataset)


def plane(dataset: pydicom.Dataset) -> str | None:
    """Where `spacing` holds: "object", "detector", "film" or "unsaid"; None without one.

    A projection's PixelSpacing may be calibrated or a copy of the detector's: PS3.3, 10.7.1.3, says how the
    two are told apart.
    """
    name = _named(dataset)
    if name is None:
        return "object" if _ultrasound_spacing(dataset) else None
    if name != "PixelSpacing" or str(dataset.get("Modality") or "").strip().upper() not in _PROJECTIONS:
        return _PLANES[name]
    if str(dataset.get("PixelSpacingCalibrationType") or "").strip().upper() in ("GEOMETRY", "FIDUCIAL"):
        return "object"
    stated, detector = _pair(dataset, name), _pair(dataset, "ImagerPixelSpacing")
    if detector is None:
        return "unsaid"
    alike = all(abs(a / b - 1) < _ALIKE for a, b in zip(stated or (), detector, strict=True))
    return "detector" if alike else "object"


def aspect(dataset: pydicom.Dataset) -> float:
    """Height of a pixel over its width; 1 where the file does not say."""
    pair = spacing(dataset) or _pair(dataset, "PixelAspectRatio")
    if pair is None:
        return 1.0
    ratio = pair[0] / pair[1]
    if abs(ratio - 1) < _ALIKE or not 1 / _MOST_ASPECT <= ratio <= _MOST_ASPECT:
        return 1.0
    return ratio


def _named(dataset: pydicom.Dataset) -> str | None:
    """The element that the distances are read from."""
    return next((name for name in _PLANES if _pair(dataset, name)), None)


def _pair(dataset: pydicom.Dataset, name: str) -> tuple[float, float] | None:
    row, column = number(dataset, name), number(dataset, name, 1)
    return (row, column) if row and column and row > 0 and column > 0 else None


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
