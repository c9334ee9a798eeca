"""A tab's markup, style and script as a gradio component."""

from collections.abc import Callable
from functools import cache

import gradio as gr
import numpy as np
from plotly.colors import get_colorscale, sample_colorscale, unlabel_rgb

from afloc.imaging.heatmap import colour_table
from afloc.resources import read_asset

SLOT = "<!-- viewer -->"
SCRIPTS = (
    "pixels.js",
    "paint.js",
    "layers.js",
    "panes.js",
    "gestures.js",
    "display.js",
    "picture.js",
    "place.js",
    "painter.js",
    "keys.js",
    "viewer.js",
)


@cache
def colour_maps() -> dict[str, np.ndarray]:
    """The maps' colour tables by name, uint8 (256, 3), our own first. Lightness rises along every one."""
    maps = {"Ember": colour_table()}
    for name in ("Viridis", "Inferno", "Cividis"):
        colours = sample_colorscale(get_colorscale(name), list(np.linspace(0, 1, 256)))
        maps[name] = np.rint([unlabel_rgb(colour) for colour in colours]).astype(np.uint8)
    maps["Gray"] = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    return maps


def show_viewer(
    tab: str,
    server_functions: list[Callable],
    scripts: tuple[str, ...] = (),
    styles: tuple[str, ...] = (),
    **props,
) -> gr.HTML:
    """A tab's markup around the shared viewer.

    `tab` names assets/viewer/<tab>.html, .css and .js, `scripts` and `styles` more of them, joined before the
    tab's own; the markup says where the viewer goes, the script calls `createViewer` (its head says how), and
    `props` reach it as data. Gradio executes its templates, so nothing a user typed or uploaded may ever
    become a part of them or of `props`: the script puts such text in place as text.
    """
    return show_html(
        tab,
        server_functions,
        (*SCRIPTS, *scripts),
        ("viewer.css", *styles),
        colors={name: table.tobytes().hex() for name, table in colour_maps().items()},
        **props,
    )


def show_html(
    tab: str,
    server_functions: list[Callable],
    scripts: tuple[str, ...] = (),
    styles: tuple[str, ...] = (),
    **props,
) -> gr.HTML:
    """A tab's markup, style and script; as `show_viewer`, which adds the viewer to it."""
    return gr.HTML(
        html_template=read_asset(f"{tab}.html").replace(SLOT, read_asset("viewer.html")),
        css_template="".join(map(read_asset, (*styles, f"{tab}.css"))),
        js_on_load="".join(map(read_asset, (*scripts, f"{tab}.js"))),
        server_functions=server_functions,
        apply_default_css=False,
        elem_id=tab,
        elem_classes="afloc-tab",
        **props,
    )
