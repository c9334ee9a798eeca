"""The page: the top bar, its tabs, and how the server is started."""

from pathlib import Path

import gradio as gr

from afloc.locate import Model, load_model
from afloc.settings import Settings
from afloc.web.api import add_endpoints
from afloc.web.ground_truth import ground_truth_tab
from afloc.web.probe import probe_tab
from afloc.web.sets import Sets, run_routes
from afloc.web.store import ImageStore
from afloc.web.uploads import image_routes
from afloc.web.viewer import read_asset

UPLOAD_SECONDS = 60  # how long a file sent to a named endpoint stays in gradio's upload folder


def build_page(model: Model, store: ImageStore, sets: Sets) -> gr.Blocks:
    with gr.Blocks(
        title="AFLoc", analytics_enabled=False, fill_width=True, delete_cache=(UPLOAD_SECONDS, UPLOAD_SECONDS)
    ) as page:
        gr.HTML(
            html_template=read_asset("bar.html"),
            js_on_load=read_asset("bar.js"),
            apply_default_css=False,
            elem_id="bar",
        )
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Probe"):
                probe_tab(model, store)
            with gr.Tab("Ground truth"):
                ground_truth_tab(model, store, sets)
        add_endpoints(model)
    return page


def launch(settings: Settings, **options) -> gr.Blocks:
    """Load the model, then serve the page; `options` reach `gr.Blocks.launch`. Raises AFLocError."""
    model = load_model(settings.model, settings.device)
    store = ImageStore(settings.image_memory_mb << 20)
    folder = settings.sets_dir and Path(settings.sets_dir)
    sets = Sets(model, folder, Path(settings.data_dir) / "evaluations")
    page = build_page(model, store, sets)
    page.launch(
        server_name=settings.host,
        server_port=settings.port,
        app_kwargs={"routes": image_routes(store, settings.max_upload_mb, sets) + run_routes(sets)},
        max_file_size=settings.max_upload_mb << 20,
        css=read_asset("page.css"),
        head=f"<script>{read_asset('theme.js')}</script>",
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        **options,
    )
    return page
