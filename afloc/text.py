"""The door for text: what someone typed, or a file says, as it can be kept, shown and written anywhere.

`clean_text` on the way in, whatever the script; on the way out, what the place needs: `one_line` for a
terminal or a log, `safe_cell` for a spreadsheet, `figure_label` for plotly, `file_name` for the name of a
file. (The page sets `textContent`, SQL has parameters.)
"""

import html
import re
import unicodedata
from typing import Any


def normalise_text(description: str) -> str:
    """A description in composed characters (NFKC), without control and invisible ones, single spaces
    between."""
    text = unicodedata.normalize("NFKC", description)
    text = "".join(_visible(character) for character in text)
    return " ".join(text.split())


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # soft hyphens and joiners stand inside words
        return ""
    return " " if category[0] == "C" else character


LONGEST_LABEL = 200  # characters of the name of a finding

_REORDERING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}  # of right-to-left text, by force
_DROPPED = {code: None for code in (*_REORDERING, 0xFEFF)}
_LINES = {"\r\n": "\n", "\r": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"}
_LINE = re.compile("|".join(_LINES))
_FORBIDDEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# A spreadsheet would run it, blanks before it or not, and in some countries in wide letters too; the quotes
# among them are those that `safe_cell` puts there. A file that is opened at another separator than its own
# has cells that begin within a text.
_SIGN = r"[\s']*[=+\-@＝＋－＠]"
_FORMULA = rf"{_SIGN}|'*[\t\r\n]"
_CELL_STARTS = re.compile(rf"^(?={_FORMULA})|(?<=[;|\t\r\n])(?={_SIGN})")
_QUOTED_STARTS = re.compile(rf"^'(?={_FORMULA})|(?<=[;|\t\r\n])'(?={_SIGN})")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")  # on Windows


def clean_text(text: str) -> str:
    """The text without what has no place in one: letters and signs of every script stay as they are.

    Control characters become spaces, every kind of line break "\\n" (tabs stay), half a surrogate pair
    U+FFFD. Characters that reorder what stands beside them are dropped: they hide what a text says.
    """
    if text.isprintable():
        return text
    text = _LINE.sub(lambda found: _LINES[found[0]], text)
    return _SURROGATE.sub("\ufffd", _FORBIDDEN.sub(" ", text.translate(_DROPPED)))


def clean_values(value: Any) -> Any:
    """Plain values as JSON has them, every text in them clean."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_values(key): clean_values(each) for key, each in value.items()}
    return [clean_values(each) for each in value] if isinstance(value, list | tuple) else value


def one_line(text: str, longest: int = 300) -> str:
    """The text on one line, cut with "…" where it is longer: for a terminal, a log or a message."""
    text = " ".join(clean_text(text).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def safe_cell(value: Any) -> Any:
    """A text as a cell that no spreadsheet takes for a formula, whatever separator it opens the file at: with
    a quote wherever one might begin."""
    return _CELL_STARTS.sub("'", value) if isinstance(value, str) else value


def unsafe_cell(cell: str) -> str:
    """The text that `safe_cell` was given."""
    return _QUOTED_STARTS.sub("", cell)


def figure_label(text: str) -> str:
    """A text as plotly shows it to the letter: plotly reads tags and entities in every label."""
    return html.escape(one_line(text, LONGEST_LABEL), quote=False)


def file_name(text: str) -> str:
    """A text as the name of a file, on any system: letters, digits, "." "-" "_", at most 80 of them."""
    name = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFKC", clean_text(text)))
    name = name.strip("-.")[:80] or "unnamed"
    return f"_{name}" if _RESERVED.match(name) else name
