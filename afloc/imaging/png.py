"""The parts that a PNG file is made of. Nothing is decoded here."""

from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG up to its end: (kind, the chunk with its length, kind and checksum)."""
    at, kind = len(SIGNATURE), b""
    while at + 8 <= len(data) and kind != b"IEND":
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield kind, data[at:end]
        at = end
