"""The viewer of every tab: a `gr.HTML` whose markup, style and script live in assets/viewer."""

from collections.abc import Callable
from pathlib import Path

import gradio as gr

from afloc.heatmap import colour_table

ASSETS = Path(__file__).parents[2] / "assets" / "viewer"
SLOT = "<!-- viewer -->"


def read_asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def show_viewer(tab: str, server_functions: list[Callable], **props) -> gr.HTML:
    """A tab's markup around the shared viewer.

    `tab` names assets/viewer/<tab>.html, .css and .js; the markup says where the viewer goes, the script
    calls `createViewer`, and `props` reach it as data. Gradio executes its templates, so nothing a user typed
    or uploaded may ever become a part of them or of `props`: the script puts such text in place as text.
    """
    return gr.HTML(
        html_template=read_asset(f"{tab}.html").replace(SLOT, read_asset("viewer.html")),
        css_template=read_asset("viewer.css") + read_asset(f"{tab}.css"),
        js_on_load=read_asset("viewer.js") + read_asset(f"{tab}.js"),
        server_functions=server_functions,
        apply_default_css=False,
        elem_id=tab,
        elem_classes="afloc-tab",
        colors=colour_table().tobytes().hex(),
        **props,
    )
