"""The pages of a TIFF: which are pictures, which smaller copies of one (a thumbnail, levels of a pyramid)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from mmap import mmap
from typing import Literal

import numpy as np

from afloc.errors import ImageError
from afloc.imaging.image import MAX_FRAMES, MAX_PIXELS, MIN_SIDE
from afloc.imaging.raster_spacing import of_tiff

_SIZES = {1: 1, 3: 2, 4: 4, 6: 1, 7: 1, 13: 4, 16: 8, 18: 8}  # bytes of the types of numbers read here
_TEXT, _RATIONAL, _SIGNED_RATIONAL = 2, 5, 10
ORIENTATION = 274  # the tag, values as in EXIF
_MOST_NUMBERS = 1 << 21
_SAME_SHAPE = 0.02  # by which the proportions of a reduced copy may be off


@dataclass(frozen=True)
class Page:
    """An image file directory: where it lies, and the numbers of its tags."""

    data: bytes | mmap
    at: int
    order: str
    big: bool

    @cached_property
    def _entries(self) -> dict[int, tuple[int, int, int]]:
        """Tag: type, count, and where the values lie."""
        count_size, size, offset = (8, 20, 8) if self.big else (2, 12, 4)
        count = _number(self.data, self.at, count_size, self.order)
        entries: dict[int, tuple[int, int, int]] = {}
        for place in range(min(count, 4096)):
            at = self.at + count_size + place * size
            tag, kind = (_number(self.data, at + skip, 2, self.order) for skip in (0, 2))
            number = _number(self.data, at + 4, offset, self.order)
            values = at + 4 + offset
            if (8 if kind == _RATIONAL else _SIZES.get(kind, 1)) * number > offset:
                values = _number(self.data, values, offset, self.order)
            entries.setdefault(tag, (kind, number, values))
        return entries

    def places(self) -> Iterator[tuple[int, int, int, int]]:
        """(tag, type, start, end) of the values of each entry; of types that are not read here, from where
        they start to the same place."""
        for tag, (kind, count, at) in self._entries.items():
            size = 8 if kind in (_RATIONAL, _SIGNED_RATIONAL) else 1 if kind == _TEXT else _SIZES.get(kind, 0)
            yield tag, kind, at, min(at + size * count, len(self.data))

    def numbers(self, tag: int) -> tuple[int, ...]:
        kind, count, at = self._entries.get(tag, (0, 0, 0))
        size = _SIZES.get(kind)
        if size is None or count > _MOST_NUMBERS:
            return ()
        raw = self.data[at : at + size * count]
        return tuple(np.frombuffer(raw[: len(raw) // size * size], f"{self.order}u{size}").tolist())

    def number(self, tag: int, usual: int = 0) -> int:
        return (self.numbers(tag) or (usual,))[0]

    def fraction(self, tag: int) -> float:
        """A value of two whole numbers; 0 where there is none."""
        kind, _, at = self._entries.get(tag, (0, 0, 0))
        above, below = (_number(self.data, at + skip, 4, self.order) for skip in (0, 4))
        return above / below if kind == _RATIONAL and below else 0.0

    def text(self, tag: int) -> str:
        """Its first 64 KB; characters beyond UTF-8 are left out."""
        kind, count, at = self._entries.get(tag, (0, 0, 0))
        return self.data[at : at + min(count, 1 << 16)].decode(errors="ignore") if kind == _TEXT else ""

    @cached_property
    def spacing(self) -> tuple[float, float] | None:
        """(row, column) mm between pixels as stored, where the file can be trusted to know."""
        return of_tiff(self.text(270), self.fraction(282), self.fraction(283), self.number(296, 2))

    @cached_property
    def size(self) -> tuple[int, int]:
        """(height, width) as stored."""
        return self.number(257), self.number(256)

    @property
    def pixels(self) -> int:
        return self.size[0] * self.size[1]

    @property
    def reduced(self) -> bool:
        """A smaller copy of another page, or its mask: no picture by itself."""
        return bool(self.number(254) & 5) or self.number(255) == 2

    @property
    def tiled(self) -> bool:
        return 324 in self._entries

    @cached_property
    def bits(self) -> tuple[int, ...]:
        """Of each sample."""
        bits = self.numbers(258) or (1,)
        return bits * self.samples if len(bits) == 1 else bits

    @property
    def samples(self) -> int:
        return self.number(277, 1)

    @property
    def format(self) -> int:
        """Of a sample: 1 without a sign, 2 with one, 3 floating-point."""
        return self.number(339, 1)

    @property
    def colour(self) -> int:
        """How samples are to be understood ("PhotometricInterpretation")."""
        return self.number(262, 1)

    @property
    def slide(self) -> bool:
        """By Aperio's scanner: what follows the first page are levels, thumbnail, label and overview."""
        _, count, at = self._entries.get(270, (0, 0, 0))
        return bytes(self.data[at : at + min(count, 6)]) == b"Aperio"


def read_pages(data: bytes | mmap) -> list[Page]:
    """The pages of a TIFF, one more than are accepted at most."""
    order = "<" if data[:2] == b"II" else ">"
    big = _number(data, 2, 2, order) == 43
    at, size = (8, 8) if big else (4, 4)
    places: list[int] = []
    place = _number(data, at, size, order)
    while 0 < place < len(data) and place not in places and len(places) <= MAX_FRAMES:
        places.append(place)
        count = _number(data, place, 8 if big else 2, order)
        place = _number(data, place + (8 + 20 * count if big else 2 + 12 * count), size, order)
    return [Page(data, place, order, big) for place in places]


def pictures(pages: list[Page]) -> list[Page]:
    """The pages that are pictures of their own."""
    whole = [page for page in pages if not page.reduced] or pages
    return whole[:1] if whole and whole[0].slide else whole


def fit(page: Page, pages: list[Page]) -> tuple[Page, str | None]:
    """The page itself or, where it is too large, the largest copy of it that is not, and a note on that."""
    if page.pixels <= MAX_PIXELS:
        return page, None
    copies = [Page(page.data, at, page.order, page.big) for at in page.numbers(330)[:64]]
    copies += pages
    copies = [copy for copy in copies if copy.pixels <= MAX_PIXELS and _is_copy(copy, page)]
    size = f"{page.size[1]} x {page.size[0]}"
    if not copies:
        raise ImageError(
            f"The picture is too large: {size} pixels are over {MAX_PIXELS // 1_000_000} megapixels, and no "
            "smaller copy of it is in the file: export a region, or the whole at a lower magnification."
        )
    best = max(copies, key=lambda copy: copy.pixels)
    copy = f"{best.size[1]} x {best.size[0]}"
    return best, f"The picture of {size} pixels is too large: its reduced copy of {copy} pixels is used."


def first(page: Page) -> bytes:
    """The file with this page as its first."""
    assert isinstance(page.data, bytes)  # of a mapped file only sizes are asked
    at, size = (8, 8) if page.big else (4, 4)
    if _number(page.data, at, size, page.order) == page.at:
        return page.data
    return page.data[:at] + page.at.to_bytes(size, _byteorder(page)) + page.data[at + size :]


def _is_copy(copy: Page, page: Page) -> bool:
    """Whether a page has the proportions of another, smaller."""
    (height, width), (full_height, full_width) = copy.size, page.size
    if min(height, width) < MIN_SIDE or height >= full_height:
        return False
    return abs(height * full_width / (width * full_height) - 1) < _SAME_SHAPE


def _byteorder(page: Page) -> Literal["little", "big"]:
    return "little" if page.order == "<" else "big"


def _number(data: bytes | mmap, at: int, size: int, order: str) -> int:
    return int.from_bytes(data[at : at + size], "little" if order == "<" else "big")
