"""The plots of what needs images without the finding too: FROC, and how reliable probabilities are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from afloc.evaluation.entrant import Entrant
from afloc.evaluation.figures.style import (
    COLOURS,
    COLUMN,
    GRID,
    PAGE,
    SMALL,
    SOFT,
    break_lines,
    letter,
    shorten,
)
from afloc.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 3  # sources, or modalities
_TALL = 2.95  # inches


def plot_detection(entrants: Sequence[Entrant]) -> "Figure | None":
    """FROC by source: the share of the regions that is found, mean over pathologies, over false marks an
    image. None where no source has images with and without findings."""
    found = entrants[0].summary.get("detection", {})
    sources = [name for name, each in found.items() if each["pathology"]["froc"]["mean"] is not None]
    panels = sources[:MOST_PANELS]
    if not panels:
        return None
    figure, grid = _panels(len(panels))
    for number, (source, axes) in enumerate(zip(panels, grid, strict=True)):
        for order, entrant in enumerate(entrants):
            figures = entrant.summary.get("detection", {}).get(source, {}).get("pathology")
            if figures:
                at = {float(rate): each for rate, each in figures["regions_found"].items()}
                _draw_line(axes, list(at), list(at.values()), COLOURS[order % 6], one_line(entrant.name, 40))
        axes.set_xscale("log", base=2)
        rates = [0.25, 0.5, 1, 2, 4, 8]
        axes.set_xticks(rates, ["¼", "½", "1", "2", "4", "8"])
        axes.minorticks_off()
        axes.set_xlabel("False marks an image", labelpad=2)
        _finish(axes, number, shorten(one_line(source), 1.35))
    grid[0].set_ylabel("Regions found", labelpad=2)
    _explain(
        figure,
        grid[0],
        "FROC, mean over pathologies with its 95% interval over patients; marks are the map's peaks.",
    )
    return figure


def plot_calibration(entrants: Sequence[Entrant]) -> "Figure | None":
    """How often a finding is there, over its probability: of each modality, then of the largest families of
    the first one. None without probabilities."""
    found = entrants[0].summary.get("calibration", {})
    if not found:
        return None
    first = next(iter(found))
    families = sorted(found[first]["families"], key=lambda name: -found[first]["families"][name]["n"])
    panels = [(modality, None) for modality in found] + [(first, family) for family in families]
    panels = panels[:MOST_PANELS]
    figure, grid = _panels(len(panels))
    for number, ((modality, family), axes) in enumerate(zip(panels, grid, strict=True)):
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, dashes=(3, 3))
        for order, entrant in enumerate(entrants):
            figures = entrant.summary.get("calibration", {}).get(modality)
            figures = figures["families"].get(family) if figures and family else figures
            if not figures:
                continue
            colour, places = COLOURS[order % 6], [each["probability"] for each in figures["curve"]]
            shares = [each["frequency"] for each in figures["curve"]]
            _draw_line(axes, places, shares, colour, one_line(entrant.name, 40))
            told = f"Brier {figures['brier']['mean']:.3f}, ECE {figures['ece']['mean']:.3f}"
            place = 0.03, 0.97 - 0.08 * order
            axes.text(*place, told, transform=axes.transAxes, va="top", fontsize=SMALL, color=colour)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("Probability", labelpad=2)
        _finish(axes, number, (family or modality).replace("_", " "))
    grid[0].set_ylabel("Share with the finding", labelpad=2)
    _explain(
        figure,
        grid[0],
        "How often a finding is there in ten bins of its probability, with 95% intervals over patients; "
        "dashed: as often as it is said. Brier score and ECE: 0 … 1, lower is better.",
    )
    return figure


def _panels(count: int) -> "tuple[Figure, Sequence[Axes]]":
    """As wide as a page, or as a column where there is one panel."""
    from matplotlib.figure import Figure

    across = COLUMN if count == 1 else PAGE
    figure = Figure(figsize=(across, _TALL))
    grid = figure.subplots(1, 1 if count == 1 else MOST_PANELS, squeeze=False)[0]
    for axes in grid[count:]:
        axes.set_visible(False)
    figure.subplots_adjust(
        left=0.48 / across, right=1 - 0.12 / across, bottom=1.02 / _TALL, top=1 - 0.28 / _TALL, wspace=0.22
    )
    return figure, grid[:count]


def _draw_line(axes: "Axes", places: list[float], figures: list[dict], colour: str, name: str) -> None:
    """Means at places, each with its interval."""
    means = np.array([np.nan if each["mean"] is None else each["mean"] for each in figures], float)
    axes.plot(places, means, "o-", color=colour, markersize=3, label=name)
    for place, each in zip(places, figures, strict=True):
        if each["ci95"]:
            axes.plot([place, place], each["ci95"], color=colour, linewidth=0.9)


def _finish(axes: "Axes", number: int, title: str) -> None:
    axes.set_ylim(0, 1.02)
    axes.grid(color=GRID)
    axes.set_title(title)
    letter(axes, number)


def _explain(figure: "Figure", axes: "Axes", sentence: str) -> None:
    """The names of the lines and what the figure shows, below the panels."""
    across = figure.get_size_inches()[0]
    lines = break_lines(sentence, across - 0.16)
    marks, titles = axes.get_legend_handles_labels()
    names = [shorten(title, across / 2 - 0.6) for title in titles]
    place = 0.01, (0.1 + 0.135 * len(lines)) / _TALL
    figure.legend(marks, names, loc="lower left", ncols=2, bbox_to_anchor=place, borderaxespad=0)
    for number, line in enumerate(reversed(lines)):
        figure.text(0.08 / across, (0.06 + number * 0.135) / _TALL, line, fontsize=SMALL, color=SOFT)
