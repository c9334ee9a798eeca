"""A document of headings, paragraphs, lists, tables and figures: Markdown, and HTML that stands alone."""

import base64
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from afloc.text import one_line


@dataclass
class Document:
    """What is added is kept in its order, in both forms. Texts are texts: nothing in them is markup."""

    title: str
    _markdown: list[str] = field(default_factory=list)
    _html: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.head(self.title, 1)

    def head(self, text: str, level: int = 2) -> None:
        self._add(f"{'#' * level} {_plain(text)}", f"<h{level}>{html.escape(text)}</h{level}>")

    def say(self, *sentences: str) -> None:
        """A paragraph; none without a sentence."""
        if text := " ".join(filter(None, sentences)):
            self._add(_plain(text), f"<p>{html.escape(text)}</p>")

    def list(self, items: Sequence[str]) -> None:
        if items:
            rows = "".join(f"<li>{html.escape(item)}</li>" for item in items)
            self._add("\n".join(f"- {_plain(item)}" for item in items), f"<ul>{rows}</ul>")

    def table(self, table: pd.DataFrame) -> None:
        self._add("\n".join(_rows_of_markdown(table)), _table_of_html(table))

    def figure(self, name: str, caption: str, svg: bytes) -> None:
        """`name`: of the file beside the Markdown, figures/NAME.svg; HTML has the figure itself."""
        source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
        said, plain = html.escape(caption), _plain(caption)
        self._add(
            f"![{plain}](figures/{name}.svg)\n\n*{plain}*",
            f'<figure><img alt="{said}" src="{source}"><figcaption>{said}</figcaption></figure>',
        )

    def markdown(self) -> str:
        return "\n\n".join(self._markdown) + "\n"

    def html(self) -> str:
        return _PAGE.format(title=html.escape(self.title), body="\n".join(self._html))

    def _add(self, markdown: str, page: str) -> None:
        self._markdown.append(markdown)
        self._html.append(page)


def cell_text(value: object) -> str:
    """A value of a table: numbers with three decimals, "–" for none."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "–"
    if isinstance(value, float):
        return "∞" if math.isinf(value) else f"{value:.3f}".replace("-", "−")
    return one_line(str(value), 200)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!" else c for c in one_line(text, 20_000))


def _rows_of_markdown(table: pd.DataFrame) -> list[str]:
    numbers = [pd.api.types.is_numeric_dtype(table[name]) for name in table.columns]
    rows = [[_plain(str(name)) for name in table.columns], ["--:" if number else "---" for number in numbers]]
    rows += [[_plain(cell_text(value)) for value in row] for row in table.itertuples(index=False)]
    return [f"| {' | '.join(map(str, row))} |" for row in rows]


def _table_of_html(table: pd.DataFrame) -> str:
    numbers = [' class="n"' if pd.api.types.is_numeric_dtype(table[name]) else "" for name in table.columns]
    head = "".join(
        f"<th{n}>{html.escape(str(name))}</th>" for n, name in zip(numbers, table.columns, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(f"<td{n}>{html.escape(cell_text(v))}</td>" for n, v in zip(numbers, row, strict=True))
        + "</tr>"
        for row in table.itertuples(index=False)
    )
    return f"<div><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1.5rem; color: #1a1a1a; }}
body {{ font: 15px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 26px; line-height: 1.25; }}
h2 {{ margin-top: 2.2em; font-size: 19px; border-bottom: 1px solid #ccc; }}
h3 {{ margin-top: 1.8em; font-size: 15px; }} div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 3px 12px 3px 0; border-bottom: 1px solid #ddd; text-align: left; white-space: nowrap; }}
.n {{ text-align: right; }} figure {{ margin: 1.5em 0; }} img {{ max-width: 100%; }}
figcaption {{ font-size: 13px; color: #555; }}
</style></head><body>
{body}
</body></html>
"""
