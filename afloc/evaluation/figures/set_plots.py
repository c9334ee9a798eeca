"""The plots of an evaluated set, after those of the paper (Yang et al. 2026, Figures 2, 3 and 5).

Each is a matplotlib `Figure`, or None where the set has nothing to show in it; `style.draw` makes a file.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from afloc.evaluation.baselines import BASELINES
from afloc.evaluation.catalogue import MEASURES, MeasureEntry
from afloc.evaluation.datasets.rows import is_pathology
from afloc.evaluation.entrant import Entrant
from afloc.evaluation.figures.style import (
    COLOURS,
    GRAYS,
    GRID,
    INK,
    PAGE,
    SMALL,
    SOFT,
    break_lines,
    letter,
    shorten,
)
from afloc.text import LONGEST_LABEL, one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AS_MUCH = "at_readers"  # of a summary: a model where its map marks as much as the readers do
BASELINE_TITLES = {
    "own_mean": "Own mean map",
    "truth_mean": "Mean ground truth",
    "anatomy": "Anatomy",
    "center": "Center",
}
BOXED = ("iou", "dice", "cnr")  # measures of a case that are drawn as boxes
FEWEST = 5  # cases that a box is drawn of; fewer are points alone
MOST_KEYS = 12  # findings told apart by colour and sign
_SIGNS = "osD^vP"
_ROW = 0.19  # inches of a box with the room around it


def plot_means(entrants: Sequence[Entrant]) -> "Figure | None":
    """Figure 2: means with their intervals, a panel a measure; the blind maps in gray."""
    from matplotlib.figure import Figure

    group = _group(entrants[0].summary)
    overall = [entrant.summary["overall"][group] for entrant in entrants]
    blind = overall[0]["blind"]
    shown = [key for key in MEASURES if key in blind[BASELINES[0]] and _mean(overall[0], key) is not None]
    if not shown:
        return None
    own = f", {entrants[0].name}" if len(entrants) > 1 else ""
    titles = BASELINE_TITLES | {"own_mean": BASELINE_TITLES["own_mean"] + own}
    rows = [
        (entrant.name, found, COLOURS[i % 6])
        for i, (entrant, found) in enumerate(zip(entrants, overall, strict=True))
    ]
    rows += [
        (titles[name], blind[name], gray)
        for name, gray in zip(BASELINES, GRAYS, strict=True)
        if name != "anatomy" or any(_mean(blind[name], key) is not None for key in shown)
    ]
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    tall = 0.75 + lines * (0.62 + _ROW * len(rows))
    figure = Figure(figsize=(PAGE, tall))
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    for number, axes in enumerate(grid.flat):
        if number >= len(shown):
            axes.set_visible(False)
            continue
        measure = MEASURES[shown[number]]
        for row, (_, found, colour) in enumerate(rows):
            _mark_mean(axes, found[shown[number]], row, colour)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [shorten(one_line(name), 1.65) for name, *_ in rows])
        axes.grid(axis="x", color=GRID)
        low, high = axes.get_xlim()
        axes.set_xlim(min(0, low), max(0, high))
        axes.set_title(measure.heading)
        letter(axes, number)
    what = "pathologies" if group == "pathology" else "findings"
    _place(figure, left=1.8, wspace=0.16, bottom=0.52, top=0.28, hspace=0.45)
    _say(figure, f"Mean over {what} with its 95% interval over patients. {_scales(shown)}")
    return figure


def plot_findings(entrants: Sequence[Entrant]) -> "Figure | None":
    """Figure 3, upper part: the cases of each finding as box plots, pathologies first."""
    from matplotlib.figure import Figure

    labels = sorted({label for each in entrants for label in each.cases["label"].to_pylist()})
    labels.sort(key=lambda label: (not is_pathology(label), label.lower()))
    if not labels:
        return None
    shown = [key for key in BOXED if key in MEASURES]
    step = len(entrants) + 0.6
    tall = 0.95 + _ROW * step * len(labels) + (0.22 if len(entrants) > 1 else 0)
    figure = Figure(figsize=(PAGE, tall))
    grid = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    for number, (key, axes) in enumerate(zip(shown, grid, strict=True)):
        for order, entrant in enumerate(entrants):
            found = np.array(entrant.cases["label"].to_pylist(), dtype=object)
            values = np.array(entrant.cases[key].to_pylist(), float)
            for place, label in enumerate(labels):
                of_label = values[found == label]
                _draw_box(axes, of_label[~np.isnan(of_label)], place * step + order, COLOURS[order % 6])
        counts = [entrants[0].cases["label"].to_pylist().count(label) for label in labels]
        names = [f"{shorten(one_line(name), 1.25)} ({n})" for name, n in zip(labels, counts, strict=True)]
        _name_rows(axes, names, step, len(entrants))
        _limit(axes, MEASURES[key])
        axes.set_title(MEASURES[key].heading)
        letter(axes, number)
    _place(figure, left=1.65, wspace=0.08, bottom=0.52 + (0.22 if len(entrants) > 1 else 0), top=0.28)
    if len(entrants) > 1:
        _name_colours(figure, [(entrant.name, COLOURS[i % 6]) for i, entrant in enumerate(entrants)])
    _say(
        figure,
        "Cases of each finding (their number): median, quartiles, whiskers to the last case within 1.5 "
        f"interquartile ranges, and the cases outside; below {FEWEST} cases each of them. {_scales(shown)}",
    )
    return figure


def plot_readers(entrants: Sequence[Entrant]) -> "Figure | None":
    """Figure 3, lower part: models beside human readers, IoU and Dice by finding; None without readers."""
    from matplotlib.figure import Figure

    summary = entrants[0].summary
    names = [
        name for name, each in summary["categories"].items() if _mean(each["readers"], "iou") is not None
    ]
    if not names:
        return None
    groups = [
        (entrant.name, [entrant.summary["categories"][name] for name in names], COLOURS[i % 6])
        for i, entrant in enumerate(entrants)
    ]
    groups += [
        (
            f"{entrant.name}, marking as much",
            [entrant.summary["categories"][name][AS_MUCH] for name in names],
            gray,
        )
        for entrant, gray in zip(entrants, GRAYS, strict=False)
        if AS_MUCH in entrant.summary["categories"][names[0]]
    ]
    groups.append(("Human readers", [summary["categories"][name]["readers"] for name in names], INK))
    step = len(groups) + 0.6
    figure = Figure(figsize=(PAGE, 1.4 + _ROW * step * len(names)))
    grid = figure.subplots(1, 2, sharey=True)
    for number, (key, axes) in enumerate(zip(("iou", "dice"), grid, strict=True)):
        for order, (_, found, colour) in enumerate(groups):
            for place, each in enumerate(found):
                _mark_mean(axes, each[key], place * step + order, colour)
        _name_rows(axes, [shorten(one_line(each), 1.4) for each in names], step, len(groups))
        axes.set_xlim(left=0)
        axes.set_title(MEASURES[key].heading)
        letter(axes, number)
    _place(figure, left=1.65, wspace=0.1, bottom=0.78 + 0.15 * ((len(groups) - 1) // 3), top=0.28)
    _name_colours(figure, [(name, colour) for name, _, colour in groups])
    _say(
        figure,
        "Models and human readers, and models where their map marks as much as the readers do: mean with "
        f"its 95% interval over patients. {_scales(('iou', 'dice'))}",
    )
    return figure


def plot_descriptions(entrants: Sequence[Entrant]) -> "Figure | None":
    """Figure 5: each case asked in simple and in precise words, beside each other; None without both."""
    from matplotlib.figure import Figure

    simple = next((entrant for entrant in entrants if entrant.style == "simple"), None)
    precise = next((entrant for entrant in entrants if entrant.style == "precise"), None)
    if simple is None or precise is None or not simple.cases.num_rows:
        return None
    key_of = [
        list(zip(each.cases["row"].to_pylist(), each.cases["truth"].to_pylist(), strict=True))
        for each in (simple, precise)
    ]
    place = {key: row for row, key in enumerate(key_of[1])}
    rows = [(row, place[key]) for row, key in enumerate(key_of[0]) if key in place]
    labels = np.array(
        [one_line(label, LONGEST_LABEL) for label in simple.cases["label"].to_pylist()], dtype=object
    )
    labels = labels[[first for first, _ in rows]]
    names, counts = np.unique(labels.astype(str), return_counts=True)
    keyed = sorted(names[np.argsort(-counts, kind="stable")][:MOST_KEYS])
    rest = len(names) > len(keyed)
    height = 3.05 + 0.16 * -(-(len(keyed) + rest) // 3)
    figure = Figure(figsize=(PAGE, height))
    shown = [key for key in ("iou", "cnr") if key in MEASURES]
    grid = figure.subplots(1, len(shown))
    for number, (key, axes) in enumerate(zip(shown, grid, strict=True)):
        columns = (np.array(each.cases[key].to_pylist(), float) for each in (simple, precise))
        x, y = (values[list(chosen)] for values, chosen in zip(columns, zip(*rows, strict=True), strict=True))
        for order, name in enumerate([*keyed, *([None] if rest else [])]):
            of_name = labels == name if name else ~np.isin(labels, keyed)
            colour, sign = (COLOURS[order % 6], _SIGNS[order // 6 % 6]) if name else (GRAYS[1], "x")
            axes.scatter(
                x[of_name],
                y[of_name],
                s=11,
                c=colour,
                marker=sign,
                alpha=0.75,
                linewidths=0.8 if not name else 0,
                label=name or "other findings",
            )
        low, high = np.nanmin([x, y]), np.nanmax([x, y])
        axes.plot([low, high], [low, high], color=SOFT, linewidth=0.8, dashes=(3, 3), zorder=0)
        axes.set_title(f"{MEASURES[key].heading} of a case")
        axes.set_xlabel("simple description", labelpad=2)
        axes.grid(color=GRID)
        better = np.nanmean(np.sign(y - x) > 0)
        axes.text(
            0.03,
            0.97,
            f"precise is higher in {better:.0%}",
            transform=axes.transAxes,
            va="top",
            fontsize=SMALL,
        )
        letter(axes, number)
    grid[0].set_ylabel("precise description", labelpad=2)
    bottom = 0.68 + 0.16 * -(-(len(keyed) + rest) // 3)
    _place(figure, left=0.5, wspace=0.16, bottom=bottom, top=0.28)
    marks, titles = grid[0].get_legend_handles_labels()
    titles = [shorten(title, 1.9) for title in titles]
    figure.legend(
        marks,
        titles,
        loc="lower left",
        ncols=3,
        bbox_to_anchor=(0.05, 0.2 / height),
        handletextpad=0.3,
        labelspacing=0.25,
        borderaxespad=0,
    )
    _say(
        figure,
        "The same cases asked in simple and in precise words; above the line the precise words do better.",
    )
    return figure


def _draw_box(axes: "Axes", values: np.ndarray, place: float, colour: str) -> None:
    if len(values) >= FEWEST:
        axes.boxplot(
            values, positions=[place], orientation="horizontal", widths=0.72, patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": colour + "55", "edgecolor": colour, "linewidth": 0.8},
            medianprops={"color": INK, "linewidth": 1.3},
            whiskerprops={"color": colour, "linewidth": 0.8}, capprops={"color": colour, "linewidth": 0.8},
            flierprops={
                "marker": "o", "markersize": 2, "markerfacecolor": "none", "markeredgecolor": colour,
                "markeredgewidth": 0.5,
            },
        )  # fmt: skip
    else:
        axes.plot(values, np.full(len(values), place), "o", markersize=2.8, color=colour)


def _name_rows(axes: "Axes", names: Sequence[str], step: float, together: int) -> None:
    """Write the names beside rows that stand `step` apart, from the top; `together` marks make a row."""
    axes.set_yticks(np.arange(len(names)) * step + (together - 1) / 2, names)
    axes.set_ylim(len(names) * step - 0.8, -0.8)
    axes.grid(axis="x", color=GRID)
    axes.tick_params(axis="y", length=0)


def _mark_mean(axes: "Axes", figure: dict, place: float, colour: str) -> None:
    """A mean as a point, its interval as a line."""
    if figure["mean"] is None:
        return
    if figure["ci95"]:
        axes.plot(figure["ci95"], [place, place], color=colour, linewidth=1.4, solid_capstyle="butt")
    axes.plot([figure["mean"]], [place], "o", color=colour, markersize=4.2)


def _limit(axes: "Axes", measure: MeasureEntry) -> None:
    if measure.low is not None and measure.high is not None:
        room = 0.02 * (measure.high - measure.low)
        axes.set_xlim(measure.low - room, measure.high + room)
        ticks = np.linspace(measure.low, measure.high, 5)
        axes.set_xticks(ticks, [f"{tick:g}" if i % 2 == 0 else "" for i, tick in enumerate(ticks)])
    else:
        axes.axvline(0, color=SOFT, linewidth=0.6)


def _place(
    figure: "Figure", left: float, wspace: float, bottom: float, top: float, hspace: float = 0.2
) -> None:
    """Margins in inches."""
    across, down = figure.get_size_inches()
    figure.subplots_adjust(
        left=left / across,
        right=1 - 0.12 / across,
        bottom=bottom / down,
        top=1 - top / down,
        wspace=wspace,
        hspace=hspace,
    )


def _say(figure: "Figure", sentence: str) -> None:
    """What a figure shows, at its lower edge."""
    _, down = figure.get_size_inches()
    lines = break_lines(sentence, PAGE - 0.16)
    for number, line in enumerate(reversed(lines)):
        figure.text(0.08 / PAGE, (0.06 + number * 0.135) / down, line, fontsize=SMALL, color=SOFT)


def _name_colours(figure: "Figure", names: Sequence[tuple[str, str]]) -> None:
    from matplotlib.lines import Line2D

    _, down = figure.get_size_inches()
    marks = [Line2D([], [], marker="s", markersize=5, linestyle="", color=colour) for _, colour in names]
    titles = [shorten(one_line(name), 1.9) for name, _ in names]
    columns = min(3, len(names))
    figure.legend(
        marks,
        titles,
        loc="lower left",
        ncols=columns,
        bbox_to_anchor=(0.01, 0.36 / down),
        handletextpad=0.2,
        borderaxespad=0,
    )


def _scales(keys: Sequence[str]) -> str:
    """The scale of each measure, those alike together."""
    scales: dict[str, list[str]] = {}
    for key in keys:
        scales.setdefault(MEASURES[key].scale, []).append(MEASURES[key].heading)
    return "; ".join(f"{', '.join(names)}: {scale}" for scale, names in scales.items()) + "."


def _group(summary: dict) -> str:
    """The findings that a mean is over: pathologies, or all where there are none."""
    return "all" if summary["overall"]["pathology"]["iou"]["mean"] is None else "pathology"


def _mean(figures: dict, key: str) -> float | None:
    return figures.get(key, {}).get("mean")
