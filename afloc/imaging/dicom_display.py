"""Stored pixel values as they are to be shown: modality and VOI transformation, padding, polarity, colours.

The grayscale chain of PS3.3 C.11, and what other readers do where files do not keep to it.
"""

from dataclasses import dataclass

import numpy as np
import pydicom

from afloc.errors import ImageError
from afloc.imaging.dicom_frames import number
from afloc.imaging.dicom_tables import PALETTE_ELEMENTS, apply_palette, read_table
from afloc.imaging.image import stretch, suitable_window

GRAY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
UNUSUAL_COLOURS = "The DICOM file has an unusual colour space: export it as MONOCHROME2 or RGB."
OUT_OF_WINDOW = (
    "The window in the file leaves the whole picture black or white: the range of its values is shown."
)

# fmt: off
DISPLAY_ELEMENTS = [
    "SOPClassUID", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit",
    "DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit",
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept",
    "VOILUTSequence", "VOILUTFunction", "WindowCenter", "WindowWidth", *PALETTE_ELEMENTS,
]


# X-ray angiography and fluoroscopy: their Modality LUT is for measuring, not for showing (PS3.3 C.8.7.1.1.2).
_STORED_IS_SHOWN = {f"1.2.840.10008.5.1.4.1.1.12.{last}" for last in (1, 2, 3)}

Window = tuple[float, float]


@dataclass(frozen=True)
class Shown:
    """Pixels, uint8 or uint16, brighter with larger values; the window to show them in, or None."""

    pixels: np.ndarray
    window: Window | None
    notes: tuple[str, ...] = ()


def show_colour(stored: np.ndarray, dataset: pydicom.Dataset) -> Shown:
    bits = dataset.BitsStored
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        if stored.ndim != 2:
            raise ImageError(UNUSUAL_COLOURS)
        stored = apply_palette(stored, dataset, bool(dataset.original_encoding[1]))
        bits = stored.dtype.itemsize * 8
    if stored.ndim != 3 or stored.shape[2] != 3 or stored.dtype.kind != "u":
        raise ImageError(UNUSUAL_COLOURS)
    if bits > 16:
        stored, bits = (stored >> (bits - 16)).astype(np.uint16), 16
    return Shown(stored, (0, 2**bits - 1))


def show_gray(stored: np.ndarray, dataset: pydicom.Dataset) -> Shown:
    """Without a table the pixels keep their precision; a window goes with them, so that it can be changed."""
    if stored.ndim != 2:
        raise ImageError(UNUSUAL_COLOURS)
    if not np.isfinite(stored).all():
        raise ImageError("The image holds values that are not finite numbers: export it again without them.")
    padding = _padding(stored, dataset)
    if padding.all():
        padding = np.zeros_like(padding)
    values, window, notes = _voi(_modality(stored, dataset), padding, dataset)
    if padding.any():
        values = np.where(padding, values[~padding].min(), values)

    pixels, window = _as_uint16(values, window)
    if stored.dtype == np.uint8 and pixels.max() <= 255 and not notes:
        pixels = pixels.astype(np.uint8)
        window = window or (0, 2**dataset.BitsStored - 1)
    if window is None and padding.any():
        window = suitable_window(pixels[~padding])
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        top = int(pixels.max())
        pixels = top - pixels
        window = window and (top - window[1], top - window[0])
    return Shown(np.where(padding, 0, pixels).astype(pixels.dtype), window, notes)


def _padding(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """bool (H, W): pixels that fill up the rectangle and show nothing."""
    kind = {"f4": "FloatPixel", "f8": "DoubleFloatPixel"}.get(stored.dtype.str[1:], "Pixel")
    value, limit = (_stored_number(stored, dataset, f"{kind}Padding{end}") for end in ("Value", "RangeLimit"))
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = value if limit is None else limit
    return (stored >= min(value, limit)) & (stored <= max(value, limit))


def _stored_number(stored: np.ndarray, dataset: pydicom.Dataset, name: str) -> float | None:
    """A number that is compared with stored values: written in 16 bits, with or without their sign."""
    value = number(dataset, name)
    if value is None or stored.dtype.kind == "f":
        return value
    cell = 1 << max(16, int(dataset.BitsAllocated))
    if stored.dtype.kind == "i" and value >= cell >> 1:
        return value - cell
    return value + cell if stored.dtype.kind == "u" and value < 0 else value


def _modality(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    if dataset.get("SOPClassUID") in _STORED_IS_SHOWN:
        return stored
    for item in dataset.get("ModalityLUTSequence") or []:
        if table := read_table(item, bool(dataset.original_encoding[1])):
            return table.look_up(stored, stored.dtype.kind == "i")
    slope, intercept = (_rescale(dataset, name, usual) for name, usual in (("Slope", 1), ("Intercept", 0)))
    if (slope, intercept) == (1, 0) or slope == 0:  # 0 would leave nothing of the picture
        return stored
    return stored * slope + intercept


def _rescale(dataset: pydicom.Dataset, name: str, usual: float) -> float:
    """A number of the rescaling; the one that changes nothing where the file gives none."""
    value = dataset.get(f"Rescale{name}")
    if value is None or str(value).strip(" \0") == "":
        return usual
    found = number(dataset, f"Rescale{name}")
    if found is None:
        raise ImageError("The DICOM file's rescale slope or intercept is no number: export it again.")
    return found


def _voi(
    values: np.ndarray, padding: np.ndarray, dataset: pydicom.Dataset
) -> tuple[np.ndarray, Window | None, tuple[str, ...]]:
    """The values to show, the two shown black and white (PS3.3 C.11.2), and notes.

    Of several tables or windows the first that shows something; tables come before windows.
    """
    seen = values[~padding] if padding.any() else values
    low, high = float(seen.min()), float(seen.max())
    signed = dataset.get("PixelRepresentation") == 1 or low < 0
    useless = False
    for item in dataset.get("VOILUTSequence") or []:
        if table := read_table(item, bool(dataset.original_encoding[1])):
            shown = table.look_up(values, signed)
            if low == high or np.ptp(shown[~padding]) > 0:
                return shown, (0, 2**table.bits - 1), ()
            useless = True
    function = str(dataset.get("VOILUTFunction") or "LINEAR").strip().upper()
    for center, width in _windows(dataset):
        if function == "SIGMOID":
            black, white = _sigmoid(np.array([low, high]), center, width)
            if low == high or black != white:
                return _sigmoid(values, center, width), (0, 65535), ()
        else:
            window = _edges(center, width, function, values)
            if low == high or _tells_apart(window, low, high):
                return values, window, ()
        useless = True
    return values, None, (OUT_OF_WINDOW,) if useless else ()


def _tells_apart(window: Window, low: float, high: float) -> bool:
    """Whether values from low to high are not all shown black, or all white."""
    black, white = window
    return low <= black < high if black == white else min(high, white) > max(low, black)


def _windows(dataset: pydicom.Dataset) -> list[Window]:
    """(center, width) of all usable windows."""
    centers = dataset.get("WindowCenter")
    count = len(centers) if isinstance(centers, pydicom.multival.MultiValue) else 1
    pairs = [
        (number(dataset, "WindowCenter", index), number(dataset, "WindowWidth", index))
        for index in range(count)
    ]
    return [(center, width) for center, width in pairs if center is not None and width and width > 0]


def _edges(center: float, width: float, function: str, values: np.ndarray) -> Window:
    """The values shown black and white: for LINEAR a step narrower and half a step lower (PS3.3 C.11.2.1.2).

    That is made for whole numbers: a window of a fraction would have no width left.
    """
    exact = width < 1 or (
        width == 1 and values.dtype.kind == "f" and not np.array_equal(values, np.rint(values))
    )
    if function != "LINEAR_EXACT" and not exact:
        center, width = center - 0.5, width - 1
    return center - width / 2, center + width / 2


def _sigmoid(values: np.ndarray, center: float, width: float) -> np.ndarray:
    steepness = np.clip(-4 * (values - center) / width, -700, 700)
    return np.rint(65535 / (1 + np.exp(steepness)))


def _as_uint16(values: np.ndarray, window: Window | None) -> tuple[np.ndarray, Window | None]:
    """Whole numbers that fit keep their steps, moved up where negative; others are stretched over 16 bits."""
    low, high = float(values.min()), float(values.max())
    whole = values.dtype.kind in "ui" or np.array_equal(values, np.rint(values))
    if whole and high - min(low, 0) <= 65535:
        offset, scale = min(low, 0), 1.0
        pixels = (values - offset).astype(np.uint16)
    else:
        offset, scale = low, 65535 / (high - low) if high > low else 1.0
        pixels = stretch(values)
    return pixels, window and ((window[0] - offset) * scale, (window[1] - offset) * scale)
