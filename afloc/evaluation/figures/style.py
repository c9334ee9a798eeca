"""How every figure is drawn: the sizes, fonts and colours of a journal, and the kinds of file.

Text stays text in SVG and PDF, no letter is smaller than 7 points, and the colours are those of Okabe and
Ito, which colour-blind readers tell apart. The same figures give the same bytes.
"""

import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING

from afloc.files import private_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf"}
"""The kinds of file, with their media types."""

COLUMN, PAGE = 88 / 25.4, 180 / 25.4
"""Inches: the widths of a journal's column and of its page."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
GRAYS = ("#5f5f5f", "#858585", "#a6a6a6", "#c4c4c4")
INK, SOFT, GRID = "#1a1a1a", "#5a5a5a", "#d9d9d9"
TEXT, SMALL = 8.0, 7.0  # points

_DPI = 300
_FIRST_WIDE = 0x2E80  # from here on characters are as wide as high, most of them
_UNSAID = {"svg": ("Date", "Creator"), "pdf": ("CreationDate", "Creator", "Producer"), "png": ("Software",)}
_FALLBACKS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Noto Sans", "Arial Unicode MS")
_STYLE = {
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.titleweight": "bold",
    "axes.labelsize": TEXT,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,  # a "$" in a description is a "$"
    "svg.fonttype": "none",  # text, not outlines of letters
    "svg.hashsalt": "afloc",
    "pdf.fonttype": 42,
}
_turn = threading.Lock()  # matplotlib's settings and fonts are one for all threads


def draw(plot: Callable[[], "Figure | None"], kind: str) -> bytes | None:
    """The file of a figure that `plot` makes; None where it makes none. `kind`: one of KINDS; PNG has 300
    dots an inch."""
    with _styled():
        figure = plot()
        if figure is None:
            return None
        for axes in figure.axes:
            for image in axes.images:  # a vector file keeps the pixels as they are
                image.set_interpolation("antialiased" if kind == "png" else "none")
        written = io.BytesIO()
        names = {
            "svg": ("Date", "Creator"),
            "pdf": ("CreationDate", "Creator", "Producer"),
            "png": ("Software",),
        }
        figure.savefig(written, format=kind, dpi=_DPI, metadata=dict.fromkeys(names[kind]))
        return written.getvalue()


@contextmanager
def _styled() -> Iterator[None]:
    os.environ.setdefault("MPLCONFIGDIR", str(private_folder("afloc-matplotlib")))  # not the user's home
    import matplotlib
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    fonts = ["DejaVu Sans", *(name for name in _FALLBACKS if name in known)]
    with _turn, matplotlib.rc_context(_STYLE | {"font.family": fonts}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that no font has
        yield


def text_width(text: str, size: float) -> float:
    """The width of a line of text, in inches."""
    return sum(map(_advance, text)) * size / 72


@lru_cache(4096)
def _advance(character: str) -> float:
    """How far a character moves the pen, at one point."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    if ord(character) >= _FIRST_WIDE:
        return 1.0
    font = get_font(findfont(FontProperties(family="DejaVu Sans")))
    font.set_size(100, 72)
    return font.load_char(ord(character)).linearHoriAdvance / 65536 / 100


def break_lines(text: str, width: float, size: float = SMALL) -> list[str]:
    """A text in lines of at most `width` inches; a word that is longer is cut."""
    lines = [""]
    for word in text.split():
        while word:
            longer = f"{lines[-1]} {word}".strip()
            if text_width(longer, size) <= width:
                lines[-1], word = longer, ""
            elif lines[-1]:
                lines.append("")
            else:
                fits = _fitting(word, width, size)
                lines[-1], word = word[:fits], word[fits:]
    return [line for line in lines if line]


def shorten(text: str, width: float, size: float = SMALL) -> str:
    """A text on one line of at most `width` inches, cut with "…" where it is longer."""
    if text_width(text, size) <= width:
        return text
    return text[: _fitting(text, width - text_width("…", size), size)].rstrip() + "…"


def _fitting(text: str, width: float, size: float) -> int:
    """How many characters of a text fit, one at least."""
    ends = accumulate(_advance(character) * size / 72 for character in text)
    return max(1, sum(1 for _ in takewhile(lambda end: end <= width, ends)))


def letter(axes: "Axes", number: int) -> None:
    """Call a panel a, b, c …, as journals do."""
    axes.set_title(chr(ord("a") + number), loc="left", fontweight="bold")
