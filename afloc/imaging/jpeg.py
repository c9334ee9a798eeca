"""What a JPEG stream says of itself, and two slips of writers that decoders need not stumble over.

Nothing is decoded here. JPEG-LS, whose streams are built alike, is read too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_START, _END, _SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
_NO_FRAME = (0xC4, 0xC8, 0xCC)  # markers among those of the frame headers that are none
_SEQUENTIAL = (0xC0, 0xC1)
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
_JPEG_LS = 0xF7
_MARKER = re.compile(
    rb"\xff[^\x00\x01\xd0-\xd7\xff]"
)  # with a length, or the end; no restart, no filling byte
_SCAN_OR_END = re.compile(rb"\xff[\xda\xd9]")  # within coded data, 0xFF is followed by 0 or a restart


@dataclass(frozen=True)
class Frame:
    """The frame header of a stream. `components`: (id, sampling factors) of each."""

    kind: int
    precision: int
    height: int
    width: int
    components: tuple[tuple[int, int], ...]
    jfif: bool
    adobe: int | None

    @property
    def lossless(self) -> bool:
        return self.kind in _LOSSLESS or self.kind == _JPEG_LS

    @property
    def jpeg_ls(self) -> bool:
        return self.kind == _JPEG_LS

    def colour(self, said: str) -> str:
        """ "RGB" or "YBR": what three components are, as decoders have it; `said`: what the file around says.

        An Adobe segment says it, JFIF knows YCbCr alone. Without them, chroma with fewer samples than luma
        cannot be RGB, and the numbers 1, 2, 3 are those of YCbCr. Lossless coding changes no colours.
        """
        names = bytes(number for number, _ in self.components)
        if self.lossless:
            return said
        if self.adobe in (0, 1):
            return "YBR" if self.adobe else "RGB"
        if self.jfif or len({sampling for _, sampling in self.components}) > 1:
            return "YBR"
        if names in (b"RGB", b"rgb"):
            return "RGB"
        return "YBR" if names == b"\1\2\3" else said


def read_frame(stream: bytes) -> Frame | None:
    """The frame header of a stream; None where it is no JPEG."""
    jfif, adobe = False, None
    for marker, start, end in _segments(stream):
        body = stream[start:end]
        if marker == 0xE0 and body.startswith(b"JFIF"):
            jfif = True
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = body[11]
        elif _is_frame(marker) and len(body) >= 6:
            parts = body[6 : 6 + 3 * body[5]]
            components = tuple(zip(parts[::3], parts[1::3], strict=False))
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            return Frame(marker, body[0], height, width, components, jfif, adobe)
    return None


def mend(stream: bytes) -> bytes:
    """The stream with what sequential coding has no choice in: all 64 coefficients in each scan.

    Some writers name 0 as the last one, as lossless coding does.
    """
    frame = read_frame(stream)
    if frame is None:
        return stream
    mended = bytearray(stream)
    if frame.kind in _SEQUENTIAL:
        at = next((start - 4 for marker, start, _ in _segments(stream) if marker == _SCAN), None)
        while at is not None and at + 5 < len(mended):
            if mended[at + 1] == _SCAN:
                last = at + 5 + 2 * mended[at + 4]
                mended[last : last + 3] = b"\x00\x3f\x00"
            found = _SCAN_OR_END.search(stream, at + 2)
            at = found.start() if found and stream[found.start() + 1] == _SCAN else None
    return bytes(mended)


def end(stream: bytes) -> list[bytes]:
    """The stream, or, where it lacks the two bytes that end it, several that end in different ways.

    They decode to one picture where nothing else is missing; else a decoder takes what stands there for the
    missing part.
    """
    coded = stream.rstrip(b"\0")  # what fills the stream up to an even length
    if coded.endswith(_END):
        return [stream]
    coded += b"\0" if coded.endswith(b"\xff") else b""
    return [coded + filling * 64 + _END for filling in (b"", b"\0", b"\x55", b"\xaa")]


def parts(stream: bytes) -> Iterator[tuple[int | None, bytes]]:
    """What follows the first two bytes of a stream, up to its end: each segment, header included, with its
    marker, and None with what is coded data."""
    at = 2
    while at + 2 <= len(stream):
        found = _MARKER.search(stream, at)
        start = found.start() if found else len(stream)
        if start > at:
            yield None, stream[at:start]
        if not found:
            return
        marker = stream[start + 1]
        at = start + 2
        if marker != _END[1]:
            at += int.from_bytes(stream[at : at + 2], "big")
        yield marker, stream[start:at]
        if marker == _END[1]:
            return


def _is_frame(marker: int) -> bool:
    return marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME)


def _segments(stream: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of what stands before the coded data, the scan's header included."""
    at = 2
    while stream[:2] == _START and at + 4 <= len(stream):
        marker = stream[at + 1]
        if stream[at] != 0xFF:
            return
        if marker == 0xFF:  # a filling byte
            at += 1
            continue
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        yield marker, at + 4, end
        if marker == _SCAN:
            return
        at = end
