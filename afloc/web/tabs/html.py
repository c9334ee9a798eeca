"""The parts of the page: markup from assets/page in a `gr.HTML`, started by a module of the same name."""

from collections.abc import Callable
from functools import cache

import gradio as gr
import numpy as np
from plotly.colors import get_colorscale, sample_colorscale, unlabel_rgb

from afloc.imaging.heatmap import colour_table
from afloc.web.page_files import address, read_asset

SLOT = "<!-- viewer -->"
START = """element.style.visibility = "hidden";  // until it does what it shows
const show = () => {
  element.style.visibility = "";
  if (element.id !== "bar") document.getElementById("first")?.remove();
};
import(new URL("%s", document.baseURI)).then(
  ({ mount }) => { show(); mount({ element, props, server }); },
  () => {
    show();
    element.textContent = "This part of the page could not be loaded. Please reload the page.";
  },
);"""


@cache
def colour_maps() -> dict[str, np.ndarray]:
    """The maps' colour tables by name, uint8 (256, 3), our own first. Lightness rises along every one."""
    maps = {"Ember": colour_table()}
    for name in ("Viridis", "Inferno", "Cividis"):
        colours = sample_colorscale(get_colorscale(name), list(np.linspace(0, 1, 256)))
        maps[name] = np.rint([unlabel_rgb(colour) for colour in colours]).astype(np.uint8)
    maps["Gray"] = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    return maps


def show_viewer(name: str, server_functions: list[Callable], **props) -> gr.HTML:
    """`show_html` for markup that says where the viewer goes; the module calls `createViewer`."""
    colors = {name: table.tobytes().hex() for name, table in colour_maps().items()}
    return show_html(name, server_functions, colors=colors, **props)


def show_html(
    name: str, server_functions: list[Callable] | None = None, folder: str | None = None, **props
) -> gr.HTML:
    """The part of the page that is <name>.html and <name>.js in a folder of assets/page, its own by default.

    The module's `mount` gets the element, `props` as data, and the server functions. Gradio executes its
    templates, so nothing a user typed or uploaded may ever become a part of them or of `props`: the script
    puts such text in place as text.
    """
    file = f"{folder or name}/{name}"
    return gr.HTML(
        html_template=read_asset(f"{file}.html").replace(SLOT, read_asset("viewer/viewer.html")),
        js_on_load=START % address(f"{file}.js"),
        server_functions=server_functions,
        apply_default_css=False,
        elem_id=name,
        elem_classes="afloc-part",
        **props,
    )
