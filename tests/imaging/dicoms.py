"""DICOM files made from scratch, as other people's software writes them."""

import io
import struct

import numpy as np
import pydicom
from PIL import Image as Pillow
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

RAMP = np.tile(np.arange(64, dtype=np.uint16), (48, 1))  # 48 x 64, 0 to 63 from left to right
WINDOW = {"WindowCenter": "32", "WindowWidth": "21"}
COLOURS = (np.arange(64) * 4, 255 - np.arange(64) * 4, np.full(64, 100))


def item(**elements):
    one = Dataset()
    for name, value in elements.items():
        setattr(one, name, value)
    return one


def dicom(pixels, photometric="MONOCHROME2", bits=None, syntax=ExplicitVRLittleEndian, raw=None, **elements):
    """A secondary capture of `pixels` (H, W[, 3]), or of frames of them; `elements` beat what follows."""
    pixels = np.asarray(pixels)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    if pixels.ndim == 3 + colour:
        dataset.NumberOfFrames = len(pixels)
    dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    dataset.SamplesPerPixel = 3 if colour else 1
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    data = raw if raw is not None else pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    for name, value in elements.items():
        setattr(dataset, name, value)
    return save(dataset, syntax)


def save(dataset, syntax):
    dataset.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    encoding = {
        "implicit_vr": syntax == ImplicitVRLittleEndian,
        "little_endian": syntax != ExplicitVRBigEndian,
    }
    dataset.save_as(file, enforce_file_format=True, **encoding)
    return file.getvalue()


def patch(data, tag, vr, value):
    """Other bytes, and another VR, for an element of an explicit little-endian file."""
    at = data.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF))
    end = at + 8 + int.from_bytes(data[at + 6 : at + 8], "little")
    return data[: at + 4] + vr + struct.pack("<H", len(value)) + value + data[end:]


def encapsulated(stream, syntax, pixels, photometric="MONOCHROME2", bits=None, **elements):
    """`stream` as the only frame of a file that is said to hold `pixels`."""
    dataset = pydicom.dcmread(io.BytesIO(dicom(pixels, photometric, bits, **elements)))
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return save(dataset, syntax)


def group(**macros):
    """An item of a functional groups sequence."""
    return item(**{name: Sequence([one]) for name, one in macros.items()})


def lut(outputs, first, bits=16, kind="<u2", vr="OW"):
    """A LUT sequence of one item; a negative `first` is written as SS, any other as US."""
    one = Dataset()
    one.add_new(0x00283002, "SS" if first < 0 else "US", [len(outputs) % 65536, first, bits])
    data = np.asarray(outputs, kind).tobytes()
    one.add_new(0x00283006, vr, data + b"\0" * (len(data) % 2))
    return Sequence([one])


def palette(entries, bits, kind="<u2", first=0, index=None, **options):
    """A PALETTE COLOR image; `entries`: red, green and blue."""
    elements = {}
    for name, values in zip(("Red", "Green", "Blue"), entries, strict=True):
        data = np.asarray(values, kind).tobytes()
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [len(values) % 65536, first, bits]
        elements[f"{name}PaletteColorLookupTableData"] = data + b"\0" * (len(data) % 2)
    index = RAMP.astype(np.uint8) if index is None else index
    return dicom(index, "PALETTE COLOR", **elements, **options)


def segmented(segments, count, bits=16):
    """A PALETTE COLOR image of the same segments for all colours."""
    elements = {}
    for name in ("Red", "Green", "Blue"):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [count, 0, bits]
        data = np.array(segments, "<u2" if bits == 16 else "u1").tobytes()
        elements[f"Segmented{name}PaletteColorLookupTableData"] = data + b"\0" * (len(data) % 2)
    return dicom(RAMP.astype(np.uint8), "PALETTE COLOR", **elements)


def jpeg(pixels, markers=True, **options):
    """A JPEG; without `markers` it has neither JFIF nor Adobe segment."""
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "JPEG", quality=95, **options)
    data = file.getvalue()
    at, kept = 2, data[:2]
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        kept += data[at:end] if markers or not 0xE0 <= data[at + 1] <= 0xEF else b""
        at = end
    return kept + data[at:]


def jpeg12(blocks, stop=63):
    """An extended sequential JPEG of 12 bits, (h, w) constant blocks of 8 x 8, written by hand.

    `stop`: the last coefficient that the header of the scan names; 63 as the standard has it.
    """

    def segment(marker, body):
        return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body

    dc, ac = [0] * 16, [0] * 16
    dc[4], ac[0] = 16, 1  # sizes 0 to 15 with 5 bits; end of block with 1
    height, width = blocks.shape
    out = b"\xff\xd8" + segment(0xDB, b"\x10" + b"\0\1" * 64)
    out += segment(0xC1, struct.pack(">BHHB", 12, height * 8, width * 8, 1) + b"\1\x11\0")
    out += segment(0xC4, b"\0" + bytes(dc) + bytes(range(16))) + segment(0xC4, b"\x10" + bytes(ac) + b"\0")
    out += segment(0xDA, b"\1\1\0" + bytes([0, stop, 0]))
    bits, last = "", 0
    for value in blocks.ravel():
        now = 8 * (int(value) - 2048)
        step, last = now - last, now
        size = abs(step).bit_length()
        bits += f"{size:05b}"
        bits += (f"{step if step > 0 else step + (1 << size) - 1:0{size}b}" if size else "") + "0"
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")
    return out + data + b"\xff\xd9"
