"""The contact sheet of a set: the worst, the median and the best cases by IoU, each with its map and
ground truth."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from afloc.errors import DataError, ImageError
from afloc.evaluation.catalogue import MEASURES
from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.figures.panels import MAP, TRUTH, contour, outline, show
from afloc.evaluation.figures.style import PAGE, SMALL, SOFT, TEXT, break_lines, shorten
from afloc.evaluation.queries import describe
from afloc.imaging.display import Display, paint, shade
from afloc.imaging.heatmap import enlarge, min_max
from afloc.imaging.image import Image, read_image
from afloc.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 4  # cases of a row
ROWS = ("Worst", "Median", "Best")
CUT = 0.3  # of the map after min-max to -1 … 1: the middle one of the paper's five
_MARGIN, _GAP, _SAID = 0.08, 0.1, 0.34  # inches; the lines below a case


def choose_cases(cases: pa.Table) -> dict[str, list[int]]:
    """The numbers of the worst, the median and the best cases by IoU, each case once, by the name of the row.

    The best stand with the best of all first, the others with the lowest first.
    """
    values = np.array(cases["iou"].to_pylist(), float)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    count = min(ACROSS, -(-len(order) // len(ROWS)))
    worst, best = order[:count], order[count:][::-1][:count]
    between = order[count : len(order) - len(best)]
    first = max(0, (len(between) - count) // 2)
    chosen = worst, between[first : first + count], best
    return {name: each.tolist() for name, each in zip(ROWS, chosen, strict=True) if len(each)}


def plot_cases(config: EvaluationConfig, cases: pa.Table) -> "Figure | None":
    """The sheet, as wide as a journal's page; None without cases. The model is asked again about each."""
    from matplotlib.figure import Figure

    chosen = choose_cases(cases)
    if not chosen:
        return None
    side = (PAGE - 2 * _MARGIN - _GAP * (ACROSS - 1)) / ACROSS
    block = 0.26 + side + _SAID
    told = break_lines(_about(config), PAGE - 2 * _MARGIN)
    tall = block * len(chosen) + 0.135 * len(told) + 0.1
    figure = Figure(figsize=(PAGE, tall))
    for row, (name, numbers) in enumerate(chosen.items()):
        top = row * block
        figure.text(
            _MARGIN / PAGE,
            1 - (top + 0.18) / tall,
            f"{chr(ord('a') + row)}  {name}",
            fontsize=TEXT,
            weight="bold",
        )
        for column, number in enumerate(numbers):
            left = _MARGIN + column * (side + _GAP)
            box = left / PAGE, 1 - (top + 0.26 + side) / tall, side / PAGE, side / tall
            axes = figure.add_axes(box)
            case = cases.slice(number, 1).to_pylist()[0]
            _draw_case(axes, config, case)
            for order, text in enumerate(_captions(case)):
                place = left / PAGE, 1 - (top + 0.26 + side + 0.13 * (order + 1)) / tall
                figure.text(*place, shorten(text, side), fontsize=SMALL, color=SOFT if order else "black")
    for number, line in enumerate(reversed(told)):
        figure.text(_MARGIN / PAGE, (0.06 + number * 0.135) / tall, line, fontsize=SMALL, color=SOFT)
    return figure


def _draw_case(axes: "Axes", config: EvaluationConfig, case: dict) -> None:
    row = config.dataset.rows[case["row"]]
    try:
        image = read_image(row.path)
    except ImageError as error:
        raise DataError(f"{row.location}, column image: {error}") from None
    level = _level(config, image, case)
    display = Display(threshold=(CUT + 1) / 2)
    show(axes, image, paint(shade(image, display), level, display))
    contour(axes, level, display.threshold, MAP)
    outline(axes, row.truths[case["truth"]].draw(image.height, image.width), TRUTH)
    axes.set_anchor("NW")


def _level(config: EvaluationConfig, image: Image, case: dict) -> np.ndarray:
    """The map of a case over its image, after min-max brought to 0 … 1."""
    row = config.dataset.rows[case["row"]]
    view = config.model.encode(image, config.modality or row.modality, config.protocol)
    finding = view.locate(describe(row.truths[case["truth"]], view.modality, config.style))
    heatmap = finding.evidence() if finding.letterbox else finding.heatmap
    if heatmap.shape != (image.height, image.width):
        heatmap = enlarge(heatmap, image.height, image.width)
    return (min_max(heatmap) + 1) / 2


def _captions(case: dict) -> list[str]:
    figures = [
        f"{MEASURES[key].heading} {MEASURES[key].show(case[key])}"
        for key in ("iou", "cnr")
        if case.get(key) is not None
    ]
    return [one_line(case["label"]), ", ".join(figures)]


def _about(config: EvaluationConfig) -> str:
    return (
        f"Cases by IoU: the lowest, those around the median, and the highest. Solid: the map from {CUT} on, "
        f"after min-max to −1 … 1; dashed: ground truth. {config.model.name} (fingerprint "
        f"{config.model.fingerprint}), {config.style} descriptions. Research use only. Not for diagnosis."
    )
