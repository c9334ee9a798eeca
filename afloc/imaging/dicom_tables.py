"""DICOM's lookup tables and palettes, in the many ways they are written (PS3.3 C.11.1, C.11.2, C.7.9)."""

from dataclasses import dataclass

import numpy as np
import pydicom

from afloc.errors import ImageError

_CHANNELS = ("Red", "Green", "Blue")
PALETTE_ELEMENTS = [
    f"{segmented}{channel}PaletteColorLookupTable{part}"
    for channel in _CHANNELS
    for segmented, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
]
_LARGEST = 65536  # entries; a descriptor writes it as 0


@dataclass(frozen=True)
class Table:
    """`outputs` for `first` and the values after it; ends are repeated. `bits`: of the largest output."""

    outputs: np.ndarray
    first: int
    bits: int

    def look_up(self, values: np.ndarray, signed: bool) -> np.ndarray:
        """Values through the table. `signed`: whether they may be negative.

        The first value is written in 16 bits with or without a sign, as the file's writer saw fit.
        """
        first = self.first
        if signed and first > 32767:
            first -= 65536
        elif not signed and first < 0 and int(values.min()) - first >= len(self.outputs):
            first += 65536
        at = np.clip(np.rint(values).astype(np.int64) - first, 0, len(self.outputs) - 1)
        return self.outputs[at]


def read_table(item: pydicom.Dataset, little: bool) -> Table | None:
    """The table in an item of a Modality or VOI LUT sequence; None for an item that holds none."""
    if not item.get("LUTDescriptor") or not _given(item, "LUTData"):
        return None
    count, first, bits = _descriptor(item.LUTDescriptor, little)
    outputs = _entries(item["LUTData"], count, bits, little)
    return Table(outputs, first, _true_bits(outputs, bits))


def apply_palette(stored: np.ndarray, dataset: pydicom.Dataset, little: bool) -> np.ndarray:
    """(H, W) indices as colours, (H, W, 3) uint8 or uint16. ImageError where the palette is missing."""
    tables = [_channel(dataset, channel, little) for channel in _CHANNELS]
    signed = stored.dtype.kind == "i"
    dtype = np.uint8 if all(table.bits <= 8 for table in tables) else np.uint16
    colours = np.empty((*stored.shape, 3), dtype)
    for place, table in enumerate(tables):
        widen = 257 if dtype == np.uint16 and table.bits <= 8 else 1
        colours[..., place] = Table((table.outputs * widen).astype(dtype), table.first, table.bits).look_up(
            stored, signed
        )
    return colours


def _channel(dataset: pydicom.Dataset, channel: str, little: bool) -> Table:
    name = f"{channel}PaletteColorLookupTable"
    plain, segmented = _given(dataset, f"{name}Data"), _given(dataset, f"Segmented{name}Data")
    if not dataset.get(f"{name}Descriptor") or not (plain or segmented):
        raise ImageError("The DICOM file lacks the palette of its colours: export it as RGB.")
    count, first, bits = _descriptor(dataset[f"{name}Descriptor"].value, little)
    if plain:
        outputs = _entries(dataset[f"{name}Data"], count, bits, little)
    else:
        outputs = _expand(_segments(dataset[f"Segmented{name}Data"], bits, little), bits)[:count]
    bits = _true_bits(outputs, bits)
    return Table(outputs.astype(np.uint32), first, 8 if bits <= 8 else 16)


def _given(dataset: pydicom.Dataset, name: str) -> bool:
    value = dataset.get(name)
    return value is not None and (isinstance(value, int) or len(value) > 0)


def _descriptor(value, little: bool) -> tuple[int, int, int]:
    """Entries, first input value, bits of an output."""
    if isinstance(value, bytes):
        value = np.frombuffer(value[:6], "<u2" if little else ">u2")
    if len(value) != 3:
        raise ImageError("The DICOM file describes a lookup table that cannot be: export it again.")
    count, first, bits = (int(number) for number in value)
    return (count & 0xFFFF) or _LARGEST, first, bits & 0xFFFF


def _entries(element: pydicom.DataElement, count: int, bits: int, little: bool) -> np.ndarray:
    """The outputs, told to be bytes or words by the length of the data: descriptors are often wrong there.

    An odd number of bytes has a filling one. Bytes lie in words of the file's order, unless they are "OB".
    """
    data = _little(element, little)
    whole = count + count % 2
    if (len(data) == whole and not (count == 1 and bits > 8)) or (len(data) < whole and bits <= 8):
        return np.frombuffer(data, np.uint8)[:count]
    words = np.frombuffer(data[: len(data) // 2 * 2], "<u2")[:count]
    if len(words) == 0:
        raise ImageError("The DICOM file holds a lookup table without entries: export it again.")
    if 0 < bits < 16 and words.max() >> bits and not (words.byteswap().max() >> bits):
        words = words.byteswap()  # written in the other order
    return words


def _little(element: pydicom.DataElement, little: bool) -> bytes:
    """The bytes of an element as they are in a little-endian file."""
    value = element.value
    if not isinstance(value, bytes):  # numbers already
        return (np.asarray(value).reshape(-1) & 0xFFFF).astype("<u2").tobytes()
    if little or element.VR == "OB":
        return value
    return np.frombuffer(value[: len(value) // 2 * 2], ">u2").astype("<u2").tobytes()


def _true_bits(outputs: np.ndarray, bits: int) -> int:
    """What the descriptor says, where it can be and the entries fit in."""
    needed = max(1, int(outputs.max()).bit_length())
    if not 1 <= bits <= 16:
        return needed
    if outputs.dtype == np.uint8:
        bits = min(bits, 8)
    return bits if needed <= bits else 16


def _segments(element: pydicom.DataElement, bits: int, little: bool) -> list[int]:
    data = _little(element, little)
    return np.frombuffer(
        data if bits <= 8 else data[: len(data) // 2 * 2], "u1" if bits <= 8 else "<u2"
    ).tolist()


def _expand(data: list[int], bits: int) -> np.ndarray:
    """A segmented palette written out (PS3.3 C.7.9.2)."""
    outputs: list[int] = []
    starts: list[int] = []
    at = 0
    while at + 2 < len(data) and len(outputs) < _LARGEST:
        starts.append(at)
        at = _add_segment(data, at, bits, outputs, starts)
    if not outputs:
        raise ImageError("The DICOM file holds a lookup table without entries: export it again.")
    return np.array(outputs[:_LARGEST], np.uint16)


def _add_segment(data: list[int], at: int, bits: int, outputs: list[int], starts: list[int] | None) -> int:
    """Add what the segment at `at` stands for; where the next begins. `starts`: None within a copy."""
    kind, length = data[at], data[at + 1]
    at += 2
    if kind == 0:  # the values themselves
        outputs += data[at : at + length]
        return at + length
    if kind == 1 and outputs:  # a line from the last value
        line = np.linspace(outputs[-1], data[at], length + 1)[1:]
        outputs += np.floor(line + 0.5).astype(int).tolist()
        return at + 1
    if kind == 2 and starts is not None:  # earlier segments again
        parts = data[at : at + (4 if bits <= 8 else 2)]
        offset = sum(part << place * min(bits, 16) for place, part in enumerate(parts))
        bytes_each = 1 if bits <= 8 else 2
        # The standard counts bytes; some writers count entries.
        source = offset // bytes_each if offset // bytes_each in starts else offset
        for _ in range(length):
            if source >= at - 2 or len(outputs) > _LARGEST:
                break
            source = _add_segment(data, source, bits, outputs, None)
        return at + len(parts)
    raise ImageError("The DICOM file holds a segmented palette that cannot be: export it as RGB.")
