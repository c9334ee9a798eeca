"""The figures of a set by name, and all of them as files."""

import base64
import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.entrant import Entrant
from afloc.evaluation.figures.contact_sheet import plot_cases
from afloc.evaluation.figures.score_plots import plot_calibration, plot_detection
from afloc.evaluation.figures.set_plots import plot_descriptions, plot_findings, plot_means, plot_readers
from afloc.evaluation.figures.style import draw
from afloc.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOTS: dict[str, Callable[[Sequence[Entrant]], "Figure | None"]] = {
    "means": plot_means,
    "findings": plot_findings,
    "readers": plot_readers,
    "descriptions": plot_descriptions,
    "detection": plot_detection,
    "calibration": plot_calibration,
}
TITLES = {
    "means": "Means beside the blind maps",
    "findings": "Cases of each finding",
    "readers": "Models and human readers",
    "descriptions": "Simple and precise descriptions",
    "cases": "Worst, median and best cases",
    "detection": "Regions found and false marks (FROC)",
    "calibration": "How reliable the probabilities are",
}
"""By the name in `figure_NAME.svg`."""

WRITTEN = ("svg", "png")  # kinds of file that a run writes


def draw_plot(name: str, entrants: Sequence[Entrant], kind: str) -> bytes | None:
    """The file of a plot of PLOTS; None where the set has nothing to show in it."""
    return draw(lambda: PLOTS[name](entrants), kind)


def draw_cases(config: EvaluationConfig, entrant: Entrant, kind: str) -> bytes | None:
    """The file of the contact sheet; None without cases."""
    return draw(lambda: plot_cases(config, entrant.cases), kind)


def write_plots(entrants: Sequence[Entrant], folder: Path) -> None:
    """Write figure_NAME.svg and .png for all that the set has something to show in."""
    for name in PLOTS:
        for kind in WRITTEN:
            _write(folder, name, kind, draw_plot(name, entrants, kind))


def write_cases(config: EvaluationConfig, entrant: Entrant, folder: Path) -> None:
    """Write figure_cases.svg and .png, the contact sheet."""
    for kind in WRITTEN:
        _write(folder, "cases", kind, draw_cases(config, entrant, kind))


def write_page(folder: Path) -> None:
    """Write figures.html: all figures of a folder, in one file that needs no network."""
    parts = []
    for name, title in TITLES.items():
        path = folder / f"figure_{name}.svg"
        if path.is_file():
            data = base64.b64encode(path.read_bytes()).decode()
            parts.append(f'<h2>{html.escape(title)}</h2><img src="data:image/svg+xml;base64,{data}" alt="">')
    page = f'<!doctype html><meta charset="utf-8"><title>Evaluation</title>{"".join(parts)}\n'
    with whole_file(folder / "figures.html") as written:
        written.write_text(page, encoding="utf-8")


def _write(folder: Path, name: str, kind: str, content: bytes | None) -> None:
    if content is None:
        return
    with whole_file(folder / f"figure_{name}.{kind}") as written:
        written.write_bytes(content)
