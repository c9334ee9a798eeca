"""The figures of an evaluation, after those of the paper (Yang et al. 2025, Figures 2, 3 and 5).

`figures.html` holds them all and needs no network; where a Chromium is installed, each is an SVG too.
"""

import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from plotly.subplots import make_subplots

from afloc.evaluation.baselines import BASELINES
from afloc.evaluation.datasets.rows import is_pathology
from afloc.evaluation.entrant import Entrant
from afloc.evaluation.measure import METRICS
from afloc.text import figure_label

TITLES = {"iou": "IoU", "dice": "Dice", "cnr": "CNR", "pointing": "Pointing game"}
BASELINE_TITLES = {"own_mean": "Own mean map", "truth_mean": "Mean ground truth", "center": "Center"}
COLOURS = ("#1f6f8b", "#d1495b", "#edae49", "#66a182", "#8d6a9f", "#7a6c5d")
GRAYS = ("#6b6b6b", "#9a9a9a", "#c4c4c4")
PATIENCE = 300  # seconds for Chromium to draw a figure; the machine may be busy


def write_figures(entrants: Sequence[Entrant], folder: Path) -> None:
    """Write figures.html, and figure_*.svg if they can be drawn."""
    figures = {
        "means": plot_means(entrants),
        "findings": plot_findings(entrants),
        "readers": plot_readers(entrants),
    }
    figures |= {"descriptions": plot_descriptions(entrants)}
    drawn = {name: figure for name, figure in figures.items() if figure is not None}
    parts = [
        pio.to_html(figure, full_html=False, include_plotlyjs="inline" if not number else False)
        for number, figure in enumerate(drawn.values())
    ]
    page = f'<!doctype html><meta charset="utf-8"><title>Evaluation</title>{"".join(parts)}\n'
    (folder / "figures.html").write_text(page, encoding="utf-8")
    try:
        _write_svg({folder / f"figure_{name}.svg": figure for name, figure in drawn.items()})
    except (RuntimeError, OSError) as error:  # no Chromium, or one that does not start
        print(f"figures.html is written; an SVG needs Chromium ({type(error).__name__}).", file=sys.stderr)


def _write_svg(figures: dict[Path, go.Figure]) -> None:
    """Draw the figures in a Chromium that asks the network for nothing, MathJax included, and leaves nothing
    in the home folder. RuntimeError or OSError where there is none, or it does not work."""
    import kaleido
    from choreographer.browsers import Chromium

    class SilentChromium(Chromium):
        def get_cli(self) -> list[str]:
            no_network = "--host-resolver-rules=MAP * ~NOTFOUND", "--no-proxy-server"
            return [*super().get_cli(), *no_network, "--disable-background-networking"]

        def get_env(self) -> MutableMapping[str, str]:
            if self.is_isolated():  # a snap has a home of its own
                return super().get_env()
            folders = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
            return {**super().get_env(), **dict.fromkeys(folders, str(self.tmp_dir.path))}

    drawn = [{"fig": figure, "path": path} for path, figure in figures.items()]
    options = {"mathjax": False, "browser_cls": SilentChromium, "timeout": PATIENCE}
    kaleido.write_fig_from_object_sync(drawn, kopts=options, cancel_on_error=True)


def plot_means(entrants: Sequence[Entrant]) -> go.Figure:
    """Figure 2: mean over the pathologies with its interval, a panel a metric; the baselines in gray."""
    figure = make_subplots(1, len(METRICS), subplot_titles=[TITLES[metric] for metric in METRICS])
    group = _group(entrants[0].summary)
    first = entrants[0].summary["overall"][group]["blind"]
    bars = [
        (figure_label(entrant.name), entrant.summary["overall"][group], COLOURS[i % 6])
        for i, entrant in enumerate(entrants)
    ]
    own = f", {figure_label(entrants[0].name)}" if len(entrants) > 1 else ""
    titles = BASELINE_TITLES | {"own_mean": BASELINE_TITLES["own_mean"] + own}
    bars += [(titles[name], first[name], gray) for name, gray in zip(BASELINES, GRAYS, strict=True)]
    for name, figures, colour in bars:
        for column, metric in enumerate(METRICS, start=1):
            figure.add_bar(
                x=[name], y=[figures[metric]["mean"]], error_y=_errors([figures[metric]]), name=name,
                marker_color=colour, showlegend=column == 1, legendgroup=name, row=1, col=column,
            )  # fmt: skip
    figure.update_xaxes(showticklabels=False)
    what = "pathologies" if group == "pathology" else "categories"
    return _finish(figure, f"Localization, mean over {what} with 95% interval over patients", width=1100)


def plot_findings(entrants: Sequence[Entrant]) -> go.Figure:
    """Figure 3, upper part: the cases of each finding as box plots of IoU and CNR."""
    figure = make_subplots(2, 1, subplot_titles=["IoU", "CNR"], shared_xaxes=True, vertical_spacing=0.08)
    for number, entrant in enumerate(entrants):
        name, labels = figure_label(entrant.name), entrant.cases["label"].to_pylist()
        order = sorted(set(labels), key=lambda label: (not is_pathology(label), label))
        labels, order = (list(map(figure_label, each)) for each in (labels, order))
        for row, metric in enumerate(("iou", "cnr"), start=1):
            figure.add_box(
                x=labels, y=entrant.cases[metric].to_pylist(), name=name, showlegend=row == 1,
                legendgroup=name, offsetgroup=name, marker_color=COLOURS[number % 6],
                boxpoints="outliers", row=row, col=1,
            )  # fmt: skip
    figure.update_layout(boxmode="group")
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=order)
    return _finish(figure, "By finding: median, quartiles and the cases outside", width=1100, height=700)


def plot_readers(entrants: Sequence[Entrant]) -> go.Figure | None:
    """Figure 3, lower part: models beside human readers, IoU and Dice by finding; None without readers."""
    summary = entrants[0].summary
    categories = summary["categories"].items()
    names = [name for name, each in categories if each["readers"]["iou"]["mean"] is not None]
    if not names:
        return None
    figure = make_subplots(1, 2, subplot_titles=["IoU", "Dice"])
    groups = [
        (figure_label(entrant.name), [entrant.summary["categories"][name] for name in names])
        for entrant in entrants
    ]
    groups.append(("Human readers", [summary["categories"][name]["readers"] for name in names]))
    shown = list(map(figure_label, names))
    for number, (title, categories) in enumerate(groups):
        colour = "#222222" if title == "Human readers" else COLOURS[number % 6]
        for column, metric in enumerate(("iou", "dice"), start=1):
            found = [each[metric] for each in categories]
            figure.add_bar(
                x=shown, y=[each["mean"] for each in found], error_y=_errors(found), name=title,
                marker_color=colour, legendgroup=title, showlegend=column == 1, row=1, col=column,
            )  # fmt: skip
    figure.update_xaxes(type="category")
    return _finish(figure, "Models and human readers, mean with 95% interval over patients", width=1100)


def plot_descriptions(entrants: Sequence[Entrant]) -> go.Figure | None:
    """Figure 5: each case asked in simple and in precise words, beside each other; None without both."""
    simple = next((entrant for entrant in entrants if entrant.style == "simple"), None)
    precise = next((entrant for entrant in entrants if entrant.style == "precise"), None)
    if simple is None or precise is None:
        return None
    titles = [f"{TITLES[metric]} of a case" for metric in ("iou", "cnr")]
    figure = make_subplots(1, 2, subplot_titles=titles, x_title="simple description")
    labels = np.array(list(map(figure_label, simple.cases["label"].to_pylist())), dtype=object)
    for column, metric in enumerate(("iou", "cnr"), start=1):
        x, y = (np.array(entrant.cases[metric].to_pylist(), float) for entrant in (simple, precise))
        for number, label in enumerate(sorted(set(labels))):
            figure.add_scatter(
                x=x[labels == label], y=y[labels == label], mode="markers", name=label, legendgroup=label,
                marker={"color": COLOURS[number % 6], "symbol": number // 6, "size": 6, "opacity": 0.7},
                showlegend=column == 1, row=1, col=column,
            )  # fmt: skip
        ends = [np.nanmin([x, y]), np.nanmax([x, y])]
        figure.add_scatter(
            x=ends, y=ends, mode="lines", line={"color": "#999999", "dash": "dot"}, showlegend=False,
            hoverinfo="skip", row=1, col=column,
        )  # fmt: skip
    figure.update_yaxes(title_text="precise description", row=1, col=1)
    return _finish(figure, "Simple and precise descriptions of the same case", width=1100, height=520)


def _group(summary: dict) -> str:
    pathology = summary["overall"]["pathology"]
    return "all" if pathology["iou"]["mean"] is None else "pathology"


def _errors(figures: list[dict]) -> dict:
    """Error bars from intervals; none where there is no interval."""
    up, down = [], []
    for each in figures:
        low, high = each["ci95"] or (each["mean"], each["mean"])
        up.append(None if each["mean"] is None else high - each["mean"])
        down.append(None if each["mean"] is None else each["mean"] - low)
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1.2}


def _finish(figure: go.Figure, title: str, width: int, height: int = 440) -> go.Figure:
    figure.update_layout(title=title, template="plotly_white", width=width, height=height, font_size=12)
    return figure
