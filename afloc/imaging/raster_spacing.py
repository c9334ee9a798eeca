"""The distance of pixels of a PNG, JPEG or TIFF, where what the file says of it can be trusted.

Most software writes a resolution that is meant for a printer (72, 96, 300 dots per inch) and says nothing of
what was photographed. So a resolution counts only where it is a microscope's: no printer has dots of 5 µm.
"""

import re

Spacing = tuple[float, float]

_FINEST, _COARSEST = 1e-5, 0.005  # mm
_UNITS = {
    "nm": 1e-6,
    "µm": 1e-3,
    "μm": 1e-3,
    "um": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
    "mm": 1.0,
    "cm": 10.0,
}
_APERIO = re.compile(r"\|\s*MPP\s*=\s*([\d.]+)")
_IMAGEJ = re.compile(r"^unit=(\S+)", re.MULTILINE)
_OME = re.compile(r"<Pixels\b[^>]*>")
_INCH = 25.4  # mm


def of_resolution(across: float, down: float, millimetres: float) -> Spacing | None:
    """(row, column) mm of a picture with so many pixels in `millimetres`; None where that is a printer's."""
    if not (across > 0 and down > 0):
        return None
    return _trusted(millimetres / down, millimetres / across)


def of_dots_per_inch(dots: object) -> Spacing | None:
    """Of what Pillow calls `info["dpi"]`."""
    if not (isinstance(dots, tuple) and len(dots) == 2):
        return None
    return of_resolution(float(dots[0]), float(dots[1]), _INCH)


def of_tiff(description: str, across: float, down: float, unit: int) -> Spacing | None:
    """Of a TIFF page: its ImageDescription and resolution; `unit`: 1 none, 2 inch, 3 centimetre."""
    if found := _APERIO.search(description):
        micrometres = _number(found[1]) / 1000
        return _trusted(micrometres, micrometres)
    if found := _OME.search(description):
        return _of_ome(found[0])
    if description.startswith("ImageJ="):
        named = _IMAGEJ.search(description)
        unit_of = _UNITS.get(named[1].replace("\\u00B5", "µ")) if named else None
        return of_resolution(across, down, unit_of) if unit_of else None
    return of_resolution(across, down, {2: _INCH, 3: 10.0}[unit]) if unit in (2, 3) else None


def shortest_description(description: str) -> str:
    """What has to stay of the ImageDescription of a TIFF for its spacing to be read."""
    slide = "Aperio " if description.startswith("Aperio") else ""
    if found := _APERIO.search(description):
        return slide + found[0]
    if found := _OME.search(description):
        sizes = re.findall(r'PhysicalSize[XY](?:Unit)?="[^"]*"', found[0])
        return f"<Pixels {' '.join(sizes)}>"
    if description.startswith("ImageJ="):
        named = _IMAGEJ.search(description)
        return f"ImageJ=\n{named[0]}\n" if named else "ImageJ="
    return slide


def _of_ome(pixels: str) -> Spacing | None:
    """Of the element Pixels of OME-XML, whose lengths are in micrometres unless it says otherwise."""
    sizes = []
    for axis in "YX":
        size = re.search(rf'\bPhysicalSize{axis}="([^"]+)"', pixels)
        unit = re.search(rf'\bPhysicalSize{axis}Unit="([^"]+)"', pixels)
        factor = _UNITS.get(unit[1] if unit else "µm")
        if not (size and factor):
            return None
        sizes.append(_number(size[1]) * factor)
    return _trusted(sizes[0], sizes[1])


def _trusted(row: float, column: float) -> Spacing | None:
    return (row, column) if all(_FINEST <= side <= _COARSEST for side in (row, column)) else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
