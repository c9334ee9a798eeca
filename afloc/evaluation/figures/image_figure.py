"""The figure of one image: the image, the ground truth, the map with its contour and colour bar, the
agreement at every threshold, and a caption that says what all of it is."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from afloc.evaluation.agreement import SCALE_TITLES, SCALES, Agreement
from afloc.evaluation.catalogue import MEASURES
from afloc.evaluation.figures.panels import MAP, READERS, TRUTH, contour, outline, show
from afloc.evaluation.figures.style import (
    COLOURS,
    COLUMN,
    GRID,
    INK,
    PAGE,
    SMALL,
    SOFT,
    TEXT,
    break_lines,
    letter,
    shorten,
)
from afloc.evaluation.metrics import PAPER_THRESHOLDS
from afloc.imaging.display import Display, paint, shade
from afloc.imaging.image import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESEARCH = "Research use only. Not for diagnosis."
TALLEST = 2.9  # inches of a panel
_MARGIN, _GAP, _BAR = 0.08, 0.12, 0.62  # inches; the bar with its numbers
_LINE = 1.42 * SMALL / 72  # inches of a line of text
_CURVE = 2.5, 1.5  # inches of the plot of the curves
_KEY = 0.5  # inches of what stands above it


@dataclass(frozen=True, eq=False)
class ImageFigure:
    """What the figure of an image shows.

    `answers`: one, or the simple and the precise description of one finding. `scale`: of SCALES; `threshold`:
    on it, where the contour runs. `display`: as the page shows it; its own threshold is not used. `model`:
    name and version.
    """

    image: Image = field(repr=False)
    answers: tuple[Agreement, ...]
    model: str
    fingerprint: str
    scale: str = "stretched"
    threshold: float = 0.3
    display: Display = Display()

    @property
    def cut(self) -> float:
        """The threshold on 0 … 1, as the map is painted."""
        return (self.threshold + 1) / 2 if self.scale == "stretched" else self.threshold

    def painted(self, answer: Agreement) -> np.ndarray:
        """The image with the map of an answer over it, uint8 (height, width, 3)."""
        shown = Display(
            self.display.window, self.display.invert, self.display.colours, self.display.opacity, self.cut
        )
        return paint(shade(self.image, shown), answer.level(self.scale), shown)


def plot_image(shown: ImageFigure) -> "Figure":
    """The figure, as wide as a journal's page."""
    from matplotlib.figure import Figure

    first = shown.answers[0]
    count = 1 + len(shown.answers)
    shape = shown.image.height * shown.image.aspect / shown.image.width
    width = (PAGE - 2 * _MARGIN - _BAR - _GAP * (count - 1)) / count
    height = min(width * shape, TALLEST)
    width = height / shape
    marked = first.truth.any()
    below = _KEY + _CURVE[1] + 0.34 if marked else 0.0
    text_width = PAGE - 2 * _MARGIN - (_CURVE[0] + 0.62 if marked else 0)
    lines = [line for part in caption(shown) for line in break_lines(part, text_width)]
    below = max(below, _LINE * len(lines))
    above = 0.22 + (_LINE if count > 2 else 0)
    tall = above + height + 0.14 + below + 0.1
    figure = Figure(figsize=(PAGE, tall))

    def panel(left: float, top: float, across: float, down: float) -> "Axes":
        return figure.add_axes((left / PAGE, 1 - (top + down) / tall, across / PAGE, down / tall))

    lefts = [_MARGIN + number * (width + _GAP) for number in range(count)]
    panels = [panel(left, above, width, height) for left in lefts]
    show(panels[0], shown.image, shade(shown.image, shown.display))
    titles = ["Image and ground truth" if marked else "Image"]
    for answer, axes in zip(shown.answers, panels[1:], strict=True):
        show(axes, shown.image, shown.painted(answer))
        contour(axes, answer.level(shown.scale), shown.cut, MAP)
        titles.append("Map" if count == 2 else f"Map, {answer.style} description")
    for number, (axes, title) in enumerate(zip(panels, titles, strict=True)):
        for each in first.readers:
            outline(axes, each, READERS)
        outline(axes, first.truth, TRUTH)
        letter(axes, number)
        axes.set_title(shorten(title, width - 0.2, TEXT), fontsize=TEXT, fontweight="normal")
    _draw_bar(panel(lefts[-1] + width + 0.1, above, 0.11, height), shown)
    top = above + height + 0.14
    if marked:
        axes = panel(PAGE - 2 * _MARGIN - _CURVE[0], top + _KEY, *_CURVE)
        plot_curves(axes, shown)
        beside = PAGE - 2 * _MARGIN - _CURVE[0] - 0.42
        figure.text(beside / PAGE, 1 - (top + 0.12) / tall, chr(ord("a") + count), fontweight="bold")
    for number, line in enumerate(lines):
        figure.text(_MARGIN / PAGE, 1 - (top + _LINE * (number + 0.75)) / tall, line, fontsize=SMALL)
    return figure


def plot_curve(shown: ImageFigure) -> "Figure":
    """The agreement at every threshold alone, as wide as a journal's column."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN, 2.7))
    plot_curves(figure.add_axes((0.13, 0.16, 0.83, 0.64)), shown)
    return figure


def plot_curves(axes: "Axes", shown: ImageFigure) -> None:
    """IoU (a line) and Dice (dashed) of every answer over the threshold on the scale shown."""
    thresholds = np.asarray(SCALES[shown.scale])
    for number, answer in enumerate(shown.answers):
        at, colour = answer.curves[shown.scale], COLOURS[number]
        style = f", {answer.style}" if len(shown.answers) > 1 else ""
        axes.plot(thresholds, at.iou, color=colour, label=f"IoU{style}")
        axes.plot(thresholds, at.dice, color=colour, dashes=(4, 2), linewidth=1, label=f"Dice{style}")
        if shown.scale == "stretched":
            places = [int(np.argmin(np.abs(thresholds - each))) for each in PAPER_THRESHOLDS]
            axes.plot(thresholds[places], at.iou[places], "o", color=colour, markersize=2.6)
    readers = shown.answers[0].against_readers
    if readers:
        axes.axhline(readers.iou, color=INK, linewidth=1, dashes=(1, 1.5), label="Readers")
    axes.axvline(shown.threshold, color=SOFT, linewidth=0.8)
    axes.set_xlim(thresholds[0], thresholds[-1])
    axes.set_ylim(0, 1)
    axes.set_yticks((0, 0.25, 0.5, 0.75, 1), ("0", "", "0.5", "", "1"))
    ticks = np.linspace(thresholds[0], thresholds[-1], 5)
    axes.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    axes.grid(axis="y", color=GRID)
    axes.set_xlabel(f"Threshold ({SCALE_TITLES[shown.scale]})", labelpad=2)
    axes.set_ylabel("Agreement", labelpad=2)
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3 if len(shown.answers) > 1 or readers else 2,
        handlelength=1.8, columnspacing=0.9, handletextpad=0.5, borderaxespad=0.2, labelspacing=0.2,
    )  # fmt: skip


def caption(shown: ImageFigure) -> list[str]:
    """What the figure shows, in sentences; each a paragraph."""
    first = shown.answers[0]
    about = [
        f"Ground truth: {first.label}"
        + (f", {first.truth.mean():.1%} of the image." if first.truth.any() else ".")
    ]
    lines = f"Solid line: the map from {_signed(shown.threshold)} on ({SCALE_TITLES[shown.scale]})"
    lines += "; dashed: ground truth" if first.truth.any() else ""
    lines += "; blue: human readers." if first.readers else "."
    about.append(lines)
    for answer in shown.answers:
        style = f" ({answer.style})" if len(shown.answers) > 1 else ""
        said = f"Asked{style}: “{answer.finding.text}”: {answer.finding.verdict}"
        if answer.finding.probability is not None:
            said += f", probability {answer.finding.probability:.2f}"
        about.append(said + ".")
        if answer.truth.any():
            about.append("; ".join(_figures(answer)) + ".")
    readers = first.against_readers
    if readers:
        about.append(
            f"Human readers ({readers.count}): IoU {readers.iou:.3f}, Dice {readers.dice:.3f}, marking "
            f"{readers.area:.1%} of the image. The map where it marks {readers.model_area:.1%} (above "
            f"{readers.threshold:.2f} on the fixed scale): IoU {readers.model_iou:.3f}, Dice "
            f"{readers.model_dice:.3f}."
        )
    about.append(f"AFLoc, {shown.model} (fingerprint {shown.fingerprint}). {RESEARCH}")
    return about


def _figures(answer: Agreement) -> list[str]:
    found = vars(answer.metrics)
    return [
        f"{each.heading} {each.show(found[key])}"
        for key, each in MEASURES.items()
        if found.get(key) is not None and np.isfinite(found[key])
    ]


def _signed(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def _draw_bar(axes: "Axes", shown: ImageFigure) -> None:
    """The colours of the map with the numbers of its scale, and a mark where the map begins."""
    low, high = SCALES[shown.scale][0], SCALES[shown.scale][-1]
    axes.imshow(shown.display.colours[::-1, None], extent=(0, 1, low, high), aspect="auto")
    ticks = np.linspace(low, high, 5)
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.set_yticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    axes.axhline(shown.threshold, color="white", linewidth=1.8)
    axes.axhline(shown.threshold, color="black", linewidth=0.9)
    for spine in axes.spines.values():
        spine.set_visible(True)
    axes.set_title("Map", fontsize=SMALL, fontweight="normal", loc="left")
