"""DICOM files of every make, shown by `read_image` and by DCMTK, another implementation of the standard.

Random combinations of what the standard offers, the same on every machine; a failure names the number of the
case, and `Case.draw(number)` makes it again. Skipped where DCMTK is not installed (Debian: apt-get install
dcmtk). Left out is what DCMTK does not do: padding, LINEAR_EXACT, functional groups by themselves (of those
its picture is that of a file that says the same in the usual places) and windows narrower than a step.
"""

import io
import shutil
import subprocess
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from afloc.errors import ImageError
from afloc.imaging.image import read_image

HEIGHT, WIDTH = 32, 40

PLAIN = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
TOOLS = {
    "JPEG lossless": ["dcmcjpeg", "+e1"],
    "JPEG baseline": ["dcmcjpeg", "+eb"],
    "JPEG extended": ["dcmcjpeg", "+ee"],
    "JPEG-LS": ["dcmcjpls"],
}
LOSSY = ("JPEG baseline", "JPEG extended")
PACKED = {"RLE": RLELossless, "JPEG 2000": JPEG2000Lossless}

needs_dcmtk = pytest.mark.skipif(
    not all(map(shutil.which, ("dcm2pnm", "dcmj2pnm", "dcmcjpeg", "dcmcjpls"))), reason="needs DCMTK's tools"
)


@dataclass(frozen=True)
class Case:
    number: int
    photometric: str
    allocated: int
    stored: int
    high: int
    signed: bool
    rescale: str
    voi: str
    frames: int
    grouped: str
    syntax: str

    @classmethod
    def draw(cls, number: int) -> "Case":
        random = np.random.default_rng([22, number])

        def pick(*choices):
            return choices[random.integers(len(choices))]

        colours = ("RGB", "RGB planes", "YBR_FULL", "YBR_FULL_422")
        palettes = ("PALETTE 8", "PALETTE 8 in words", "PALETTE 16", "PALETTE short", "PALETTE later")
        photometric = pick("MONOCHROME1", "MONOCHROME2", "MONOCHROME2", pick(*colours), pick(*palettes))
        allocated, stored = pick((8, 8), (8, 6), (16, 8), (16, 10), (16, 12), (16, 12), (16, 16), (32, 20))
        high = pick(stored - 1, stored - 1, stored - 1, allocated - 1)
        signed = bool(random.integers(2))
        syntax = pick(*PLAIN, *PLAIN, *PACKED, *TOOLS)
        rescale = pick("none", "none", "shift", "steep", "falling", "fraction", "table", "table 8")
        windows = ("window", "window", "windows", "narrow", "step", "SIGMOID")
        voi = pick(*windows, "table", "table 8", "table US", "odd table")
        frames, grouped = pick((1, "no"), (1, "no"), (3, "no"), (3, "shared"), (3, "per frame"))
        if not photometric.startswith("MONOCHROME"):
            rescale, voi, grouped = "none", "none", "no"
            allocated, stored, high, signed = pick((8, 8, 7), (16, 16, 15), (16, 12, 11)) + (False,)
            if photometric.startswith(("PALETTE", "YBR")) or syntax in LOSSY:
                allocated, stored, high = 8, 8, 7
        if allocated == stored == 8 and voi == "window" and random.integers(2) and rescale == "none":
            voi = "none"
        if syntax in TOOLS or syntax == "JPEG 2000":
            high = stored - 1
            if allocated == 32:
                allocated, stored, high = 16, 12, 11
        if syntax in LOSSY:  # made by DCMTK of what its chain shows, windows moved along
            allocated, stored, high, signed = (8, 8, 7, False) if "base" in syntax else (16, 12, 11, False)
            rescale, voi = "none", "window" if photometric.startswith("MONOCHROME") else "none"
        if photometric.startswith("PALETTE") and syntax in LOSSY or photometric == "YBR_FULL_422":
            syntax = "explicit"
            allocated, stored, high = 8, 8, 7
        if photometric == "RGB planes" and syntax not in PLAIN:  # pydicom and DCMTK write some of them wrong
            photometric = "RGB"
        if allocated == 32 and syntax in ("big endian", "RLE"):  # no two writers agree on the words
            syntax = "explicit"
        if syntax == "RLE" and stored <= 8:
            allocated, high = 8, stored - 1
        return cls(
            number, photometric, allocated, stored, high, signed, rescale, voi, frames, grouped, syntax
        )


def table(outputs, first, bits, kind="<u2", vr="OW"):
    one = Dataset()
    one.add_new(0x00283002, "SS" if first < 0 else "US", [len(outputs) % 65536, first, bits])
    data = np.asarray(outputs).astype(kind).tobytes()
    one.add_new(0x00283006, vr, data + b"\0" * (len(data) % 2))
    return Sequence([one])


class Maker:
    """The file of a case, `plain` as DCMTK reads it."""

    def __init__(self, case: Case):
        self.case = case
        self.random = np.random.default_rng([23, case.number])
        self.low = -(1 << (case.stored - 1)) if case.signed else 0
        self.top = self.low + (1 << case.stored) - 1

    def dataset(self) -> Dataset:
        case, ds = self.case, Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = SecondaryCaptureImageStorage
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
        ds.Rows, ds.Columns, ds.SamplesPerPixel = HEIGHT, WIDTH, 1
        if case.frames > 1:
            ds.NumberOfFrames = case.frames
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = case.allocated, case.stored, case.high
        ds.PixelRepresentation = int(case.signed)
        if case.photometric.startswith("MONOCHROME"):
            ds.PhotometricInterpretation = case.photometric
            self._gray(ds)
        elif case.photometric.startswith("PALETTE"):
            ds.PhotometricInterpretation = "PALETTE COLOR"
            self._palette(ds)
        else:
            ds.PhotometricInterpretation = case.photometric.split()[0]
            ds.SamplesPerPixel, ds.PlanarConfiguration = 3, int("planes" in case.photometric)
            self._colours(ds)
        return ds

    def _values(self, low, top):
        """A ramp over the whole range and noise: (frames, H, W)."""
        ramp = np.linspace(low, top, WIDTH)[None, None].repeat(HEIGHT, 1).repeat(self.case.frames, 0)
        noise = self.random.normal(0, (top - low) / 30, ramp.shape)
        noise[:, : HEIGHT // 2] = 0
        return np.clip(np.rint(ramp + noise), low, top).astype(np.int64)

    def _gray(self, ds):
        case = self.case
        values = self._values(self.low, self.top)
        cells = (values & ((1 << case.stored) - 1)) << (case.high + 1 - case.stored)
        if case.signed and case.high + 1 < case.allocated:  # sign bits fill the cell, as most writers do
            cells |= np.where(values < 0, -1 << (case.high + 1), 0)
        self._pack(ds, cells)
        low, top = self._rescale(ds)
        self._voi(ds, low, top)

    def _pack(self, ds, cells):
        size = self.case.allocated // 8
        order = ">" if self.case.syntax == "big endian" else "<"
        data = (cells & ((1 << 8 * size) - 1)).astype(f"{order}u{size}").tobytes()
        ds.PixelData = data + b"\0" * (len(data) % 2)
        ds["PixelData"].VR = "OW" if size > 1 else "OB"

    def _rescale(self, ds):
        """Put the modality transformation in; the range of its outputs."""
        kind, low, top = self.case.rescale, self.low, self.top
        slopes = {"shift": (1, -1024), "steep": (2, 10), "falling": (-1, top)}
        slopes["fraction"] = (0.25 if self.case.stored > 10 else 2.5, -3)  # DCMTK rounds what comes out
        if kind in slopes:
            slope, intercept = slopes[kind]
            ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = str(slope), str(intercept), "US"
            return tuple(sorted((low * slope + intercept, top * slope + intercept)))
        if kind.startswith("table") and top - low < 65536 and self.case.stored <= 16:
            bits = 8 if kind == "table 8" else 16
            outputs = np.linspace(3, (1 << bits) - 5, min(top - low + 1, 4096)).astype(int)
            ds.ModalityLUTSequence = self._table(outputs, low, bits)
            ds.ModalityLUTSequence[0].ModalityLUTType = "US"
            return int(outputs[0]), int(outputs[-1])
        return low, top

    def _voi(self, ds, low, top):
        kind, span = self.case.voi, top - low
        centre = low + span * float(self.random.uniform(0.3, 0.7))
        if "table" in kind:
            count = int(min(span + 1, 4096))
            count -= kind == "odd table" and count % 2 == 0
            first = int(np.clip(np.floor(low), -32768, 32767))
            bits = 8 if kind in ("table 8", "odd table") else 12
            outputs = np.rint(((1 << bits) - 1) * np.linspace(0, 1, count) ** 2)
            ds.VOILUTSequence = self._table(outputs, first, bits, kind == "table US")
            return
        if kind == "none":
            return
        width = max(2.0, span * float(self.random.uniform(0.3, 1.2)))
        if kind == "narrow":
            width = max(2.0, span / 50)
        if kind == "step":
            width, centre = 1, np.rint(centre)
        centre, width = f"{centre:.8g}"[:16], f"{width:.8g}"[:16]
        several = kind == "windows"
        ds.WindowCenter = [centre, "0"] if several else centre
        ds.WindowWidth = [width, "1"] if several else width
        if kind == "SIGMOID":
            ds.VOILUTFunction = "SIGMOID"

    def _table(self, outputs, first, bits, unsigned=False):
        big = self.case.syntax == "big endian"
        if bits == 8:
            data = np.asarray(outputs).astype("u1")
            kept = table(outputs, first, bits, "u1")
            if big:  # bytes lie in words of the file's order
                padded = np.append(data, np.zeros(len(data) % 2, "u1"))
                kept[0].LUTData = padded.reshape(-1, 2)[:, ::-1].tobytes()
            return kept
        return table(outputs, first % 65536 if unsigned else first, bits, ">u2" if big else "<u2")

    def _colours(self, ds):
        values = np.stack([self._values(0, self.top) for _ in range(3)], -1)
        values[..., 1] = values[:, ::-1, ::-1, 1]
        if self.case.photometric == "YBR_FULL_422":
            pairs = values.reshape(self.case.frames, HEIGHT, WIDTH // 2, 2, 3)
            flat = [pairs[..., 0, 0], pairs[..., 1, 0], pairs[..., 0, 1], pairs[..., 0, 2]]
            self._pack(ds, np.stack(flat, -1))
        else:
            self._pack(ds, values.transpose(0, 3, 1, 2) if ds.PlanarConfiguration else values)

    def _palette(self, ds):
        kind = self.case.photometric
        count = {"PALETTE short": 200, "PALETTE later": 101}.get(kind, 256)
        first = 30 if kind == "PALETTE later" else 0
        bits = 8 if "8" in kind else 16
        top = (1 << bits) - 1
        self._pack(ds, self._values(0, 255))
        shapes = (np.linspace(0, 1, count), np.linspace(1, 0, count) ** 2, np.sin(np.linspace(0, 3, count)))
        for name, shape in zip(("Red", "Green", "Blue"), shapes, strict=True):
            kept = self._table(np.rint(shape * top), first, bits if "words" not in kind else 16)
            ds.add_new(f"{name}PaletteColorLookupTableDescriptor", "US", [count, first, bits])
            ds.add_new(f"{name}PaletteColorLookupTableData", "OW", kept[0].LUTData)


def save(ds, syntax):
    ds.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    options = {
        "implicit_vr": syntax == ImplicitVRLittleEndian,
        "little_endian": syntax != ExplicitVRBigEndian,
    }
    ds.save_as(file, enforce_file_format=True, **options)
    return file.getvalue()


def make(case: Case, folder: Path) -> tuple[bytes, Path]:
    """The file that is read, and one that DCMTK shows: itself, or the same without compression and groups."""
    plain = folder / f"{case.number}.dcm"
    plain.write_bytes(save(Maker(case).dataset(), PLAIN.get(case.syntax, ExplicitVRLittleEndian)))
    if case.syntax in TOOLS:
        packed = folder / f"{case.number}-packed.dcm"
        done = subprocess.run([*TOOLS[case.syntax], str(plain), str(packed)], capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(done.stderr)
        ds = pydicom.dcmread(packed)
        if case.syntax in LOSSY:
            plain = packed
    else:
        ds = pydicom.dcmread(plain)
        if case.syntax in PACKED:
            ds.compress(PACKED[case.syntax], generate_instance_uid=False)
    if case.grouped != "no":
        group(ds, case)
    return save(ds, ds.file_meta.TransferSyntaxUID), plain


def group(ds, case):
    """Move window and rescaling into functional groups; wrong ones stay where they do not count."""
    macros = {
        "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
        "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    }
    right, wrong = Dataset(), Dataset()
    for macro, names in macros.items():
        inner = Dataset()
        for name in names:
            if name in ds:
                inner[name] = ds[name]
                del ds[name]
        if len(inner):
            setattr(right, macro, Sequence([inner]))
    wrong_window = Dataset()
    wrong_window.WindowCenter, wrong_window.WindowWidth = "1", "3"
    if "FrameVOILUTSequence" in right:
        wrong.FrameVOILUTSequence = Sequence([wrong_window])
        ds.WindowCenter, ds.WindowWidth = "2", "5"
    if case.grouped == "shared":
        ds.SharedFunctionalGroupsSequence = Sequence([right])
    else:
        ds.SharedFunctionalGroupsSequence = Sequence([wrong])
        ds.PerFrameFunctionalGroupsSequence = Sequence([wrong] * (case.frames - 1) + [right])


def shown_by_dcmtk(path: Path, case: Case) -> np.ndarray:
    """The last frame, (H, W, 1 or 3)."""
    tool = "dcmj2pnm" if case.syntax in LOSSY else "dcm2pnm"
    voi = ["+Wl", "1"] if "table" in case.voi else ["+Wi", "1"] if case.voi != "none" else []
    command = [tool, "-q", "+op", "+F", str(case.frames), *voi, str(path)]
    kind, size, _, pixels = subprocess.run(command, capture_output=True, check=True).stdout.split(b"\n", 3)
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3 if kind == b"P6" else 1)


def difference(case: Case, folder: Path) -> float | str:
    """Mean difference in gray levels, or the refusal."""
    data, plain = make(case, folder)
    theirs = shown_by_dcmtk(plain, case)
    try:
        ours = read_image(data, frame=case.frames - 1).rgb()
    except ImageError as error:
        return str(error)
    return float(np.abs(ours.astype(int) - theirs).mean())


@needs_dcmtk
def test_pictures_are_those_of_dcmtk(tmp_path, long):
    results = {}
    for number in range(3000 if long else 40):
        case = Case.draw(number)
        results[case] = difference(case, tmp_path)
        for path in tmp_path.iterdir():
            path.unlink()
    print(report(results))
    assert not {case: found for case, found in results.items() if isinstance(found, str) or found > 1}


def report(results) -> str:
    """A line for each value of each property: cases, compared, worst and mean difference."""
    lines = [f"{len(results)} cases"]
    for name in ("photometric", "stored", "high", "signed", "rescale", "voi", "grouped", "syntax"):
        parts = defaultdict(list)
        for case, found in results.items():
            parts[str(asdict(case)[name])].append(found)
        for value, found in sorted(parts.items()):
            numbers = [each for each in found if not isinstance(each, str)]
            counts = f"{len(found):5} cases {len(found) - len(numbers):3} refused"
            lines.append(f"{name:12} {value:20} {counts} worst {max(numbers, default=0):.3f}")
    return "\n".join(lines)
